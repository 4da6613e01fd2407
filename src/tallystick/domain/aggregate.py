"""An Aggregate: the fold of a (tenant, meter, group, window), and how one event changes it.

A Tally holds what every aggregation needs: how many live contributions, their exact total (of a
sum, of an average, or of distinct members), and the extreme or latest value. Folding is order
free: any order of the same contributions gives the same Tally.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import Event
from tallystick.domain.meter import (
    WHOLE,
    Aggregation,
    Closed,
    Meter,
    Span,
    first_sealed_at,
    measured,
)
from tallystick.domain.mint import mint
from tallystick.domain.quantity import (
    ONE,
    ZERO,
    add,
    from_smallest,
    has_room,
    quotient,
    subtract,
)
from tallystick.domain.tenant import Calendar
from tallystick.domain.window import Window

AGGREGATES_MAX: Final = 28
"""In so many Aggregates one event may count: with all that follows (its members, its dimension
sets, what a void takes out of them) it is one write, and no store's write is without an end."""


@dataclass(frozen=True, slots=True, order=True)
class AggregateKey:
    """What identifies an Aggregate; the group is WHOLE or a dimension set."""

    tenant: str
    meter: str
    group: str
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one event adds to one Aggregate. Stored with the event; never recomputed by a void."""

    key: AggregateKey
    aggregation: Aggregation
    span: Span
    period: Window
    closed: Closed
    meter_version: int
    value: Decimal
    member: str = ""
    occurred_at: int
    event_key: str


_new_contribution: Final = mint(Contribution)


@dataclass(frozen=True, slots=True)
class Tally:
    """The state of a fold. `extreme` is the least, greatest or latest value, where there is one."""

    count: int = 0
    total: Decimal = ZERO
    extreme: Decimal | None = None
    latest_at: int = 0
    latest_key: str = ""


EMPTY = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A Tally with its place and its position: how many changes it has seen.

    `sealed` says whether the ledger has an Entry of it; `due` whether it may have changed since,
    or a mapping was saved that covers it. `marks` counts those mappings and each append of Entries,
    which are no changes, so that nobody takes the due mark who looked before.
    """

    key: AggregateKey
    aggregation: Aggregation
    span: Span
    period: Window
    closed: Closed
    meter_version: int
    tally: Tally
    position: int
    sealed: bool = False
    due: bool = True
    marks: int = 0

    @property
    def value(self) -> Decimal:
        return value_of(self.aggregation, self.tally)

    @property
    def first_sealed_at(self) -> int:
        return first_sealed_at(self.span, self.key.window)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meter counts what a tenant uses in one of its hours: all that is the same for each
    event of that hour, so that it is worked out once for thousands."""

    meter: Meter
    period: Window
    whole: AggregateKey


def places(tenant_id: str, tenant: Calendar, meters: Iterable[Meter], at: int) -> tuple[Place, ...]:
    """The places of these meters for the tenant's hour that holds `at`; all its windows hold it."""
    period = tenant.period_at(at)
    return tuple(
        Place(m, period, AggregateKey(tenant_id, m.id, WHOLE, m.window_at(tenant, at)))
        for m in meters
    )


def contributions(
    event: Event, tenant: Calendar, meters: Iterable[Meter]
) -> tuple[Contribution, ...]:
    """What the event adds to each Aggregate of the meters that match it. InvalidReport if it can't.

    `meters` are those in force for the event's billing period.
    """
    return contributions_to(places(event.tenant, tenant, meters, event.occurred_at), event)


def contributions_to(counting: tuple[Place, ...], event: Event) -> tuple[Contribution, ...]:
    """The same for places of the event's tenant and hour."""
    found: list[Contribution] = []
    for place in counting:
        meter, whole = place.meter, place.whole
        if not meter.matches(event):
            continue
        value, member = measured(meter, event)
        for group in meter.groups(event):
            key = whole if group == WHOLE else replace(whole, group=group)
            added = _new_contribution(
                key,
                meter.aggregation,
                meter.span,
                place.period,
                meter.closed,
                meter.version,
                value,
                member,
                event.occurred_at,
                event.key,
            )
            found.append(added)
    if len(found) > AGGREGATES_MAX:
        raise _too_many(len(found), event)
    return tuple(found)


def _too_many(number: int, event: Event) -> InvalidReport:
    detail = (
        f"it would count in {number} aggregates, and {AGGREGATES_MAX} is the most: let fewer meters"
        f" or dimensions read the code {event.code!r}, then replay"
    )
    return InvalidReport(FieldError(pointer="/code", code="too_many_aggregates", detail=detail))


def started(contribution: Contribution) -> Aggregate:
    """The empty Aggregate that the contribution would be the first of."""
    return Aggregate(
        key=contribution.key,
        aggregation=contribution.aggregation,
        span=contribution.span,
        period=contribution.period,
        closed=contribution.closed,
        meter_version=contribution.meter_version,
        tally=EMPTY,
        position=0,
    )


def value_of(aggregation: Aggregation, tally: Tally) -> Decimal:
    """The quantity that a Tally stands for; zero where nothing was counted."""
    if aggregation is Aggregation.AVERAGE:
        return quotient(tally.total, tally.count)
    if aggregation in (Aggregation.MIN, Aggregation.MAX, Aggregation.LATEST):
        return ZERO if tally.extreme is None else tally.extreme
    return tally.total


def fold(tally: Tally, added: Contribution, *, seen: int) -> Tally:
    """The Tally with one contribution more.

    `seen` is how many live contributions of the same member the Aggregate holds already (only a
    unique count looks at it). Raises TotalOverflow, and then nothing is counted.
    """
    total = tally.total
    match added.aggregation:
        case Aggregation.MIN | Aggregation.MAX | Aggregation.LATEST:
            return _with_extreme(tally, added)
        case Aggregation.UNIQUE_COUNT:
            total = total if seen else add(total, ONE)
        case _:
            total = add(total, added.value)
    # Not by replace, which costs more than all the rest: this runs for every event and meter.
    return Tally(tally.count + 1, total, tally.extreme, tally.latest_at, tally.latest_key)


def raised(total: int, smallest: int) -> int | None:
    """The total of a sum or a count, in smallest quantities, with so many more: what `fold` makes
    of contributions that are not below zero and add up to them. None where there may not be room
    for all of them, and only `fold` can tell for how many there is."""
    return total + smallest if has_room(total, smallest) else None


def with_total(tally: Tally, count: int, total: int) -> Tally:
    """The Tally with `count` contributions more, which raised it to a total in smallest
    quantities."""
    return Tally(
        tally.count + count, from_smallest(total), tally.extreme, tally.latest_at, tally.latest_key
    )


def _with_extreme(tally: Tally, added: Contribution) -> Tally:
    if _takes_over(tally, added):
        return Tally(tally.count + 1, tally.total, added.value, added.occurred_at, added.event_key)
    return Tally(tally.count + 1, tally.total, tally.extreme, tally.latest_at, tally.latest_key)


def _takes_over(tally: Tally, added: Contribution) -> bool:
    """Whether the contribution becomes the extreme or the latest."""
    if tally.extreme is None:
        return True
    if added.aggregation is Aggregation.LATEST or added.value == tally.extreme:
        # Ties keep the newest holder, so that any order of folding ends in the same Tally.
        return (added.occurred_at, added.event_key) > (tally.latest_at, tally.latest_key)
    return (added.value > tally.extreme) is (added.aggregation is Aggregation.MAX)


def unfold(tally: Tally, removed: Contribution, *, left: int) -> Tally | None:
    """The Tally with one contribution less; None where only a refold of the rest can tell.

    `left` is how many live contributions of the same member remain after the removal.
    """
    counted = replace(tally, count=tally.count - 1)
    match removed.aggregation:
        case Aggregation.UNIQUE_COUNT:
            return counted if left else replace(counted, total=subtract(tally.total, ONE))
        case Aggregation.MIN | Aggregation.MAX | Aggregation.LATEST:
            holder = (tally.latest_at, tally.latest_key) == (removed.occurred_at, removed.event_key)
            return None if holder else counted
        case _:
            return replace(counted, total=subtract(tally.total, removed.value))


def refold(live: Iterable[Contribution]) -> Tally:
    """The fold of all live contributions of one Aggregate, from nothing."""
    tally, members = EMPTY, set[str]()
    for contribution in live:
        tally = fold(tally, contribution, seen=int(contribution.member in members))
        members.add(contribution.member)
    return tally
