"""Draws what people change and do while a world runs: terms, meters, pauses, repairs, verdicts.

Drawn from a stream of its own, so that a world without them stays what it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tallystick.domain.instant import DAY, HOUR, MINUTE, floor_hour
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Closed, Meter, Span
from tallystick.domain.window import Window
from tallystick.testing.fakes import USAGE_RECORD
from tallystick.testing.simulation.calendars import Calendar
from tallystick.testing.simulation.settings import ZONES, Customer, drawn_meters
from tallystick.testing.simulation.steps import Kind, Step

WHOLE_HOURS: Final = ("UTC", "America/New_York", "Europe/Berlin", "Pacific/Auckland")

Versions = tuple[tuple[int, Meter], ...]
"""(when it is made, the meter's next version)."""

Terms = tuple[tuple[int, str], ...]
"""(when they are made, whose at the provider): what comes then stands in the calendar."""

Pauses = tuple[tuple[Window, str], ...]
"""(from when till when, the tenant or '' for all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chores:
    """How often people look after things: every so many hours, 0 for never."""

    reconcile: int = 0
    repair: int = 0
    settle: int = 0
    webhook: int = 0
    tamper: int = 0


def drawn_terms(
    draws: Random, customers: tuple[Customer, ...], start: int, hours: int
) -> tuple[tuple[Customer, ...], Terms]:
    """The customers, some with a calendar that changes from a next period on; and when they say."""
    changed: dict[str, Calendar] = {}
    made: list[tuple[int, str]] = []
    for customer in customers:
        if customer.name in changed or draws.random() >= 0.25:
            continue
        at = start + draws.randrange(hours * 60) * MINUTE
        since = customer.calendar.period(at).end
        changed[customer.name] = customer.calendar.followed_by(
            _other_calendar(draws, customer.calendar, since), since
        )
        made.append((at, customer.name))
    found = (replace(c, calendar=changed.get(c.name, c.calendar)) for c in customers)
    return tuple(found), tuple(made)


def with_years(draws: Random, customers: tuple[Customer, ...]) -> tuple[Customer, ...]:
    """Now and then all of them are billed by the year: longer than a provider looks back."""
    if draws.random() >= 0.1:
        return customers
    years = {c.name: Calendar(c.calendar.zone, c.calendar.anchor, "year") for c in customers}
    return tuple(replace(c, calendar=years[c.name]) for c in customers)


def _other_calendar(draws: Random, calendar: Calendar, since: int) -> Calendar:
    """Another zone, and now and then another anchor and interval too."""
    zone = draws.choice(ZONES)
    if draws.random() < 0.5:
        return Calendar(zone, calendar.anchor, calendar.unit)
    anchor = floor_hour(since + draws.randint(1, 72) * HOUR)
    return Calendar(zone, anchor, draws.choice(("day", "week", "month")))


def drawn_versions(draws: Random, meters: tuple[Meter, ...], start: int, hours: int) -> Versions:
    """New definitions of some meters."""
    found: list[tuple[int, Meter]] = []
    for meter in meters:
        if draws.random() < 0.25:
            at = start + draws.randrange(hours * 60) * MINUTE
            other = draws.choice(drawn_meters(draws))
            found.append((at, replace(other, id=meter.id, version=2, effective_from=at)))
    return tuple(found)


def drawn_pauses(draws: Random, customers: tuple[Customer, ...], start: int, hours: int) -> Pauses:
    """Now and then somebody stops all sending, or one tenant's, for up to two days."""
    found: list[tuple[Window, str]] = []
    for who in ("", draws.choice(customers).tenant):
        if draws.random() < 0.12:
            begin = start + draws.randrange(hours * 60) * MINUTE
            found.append((Window(begin, begin + draws.randint(1, 48 * 60) * MINUTE), who))
    return tuple(found)


def drawn_suspensions(
    draws: Random, mappings: tuple[tuple[int, Mapping], ...], start: int, hours: int
) -> tuple[tuple[str, Window], ...]:
    """When the provider does not bill some destination: its subscription is paused there."""
    destinations = sorted({mapping.destination for _, mapping in mappings})
    if not destinations or draws.random() >= 0.5:
        return ()
    begin = start + draws.randrange(hours * 60) * MINUTE
    span = Window(begin, begin + draws.randint(HOUR, DAY))
    return ((draws.choice(destinations), span),)


def drawn_chores(draws: Random) -> Chores:
    return Chores(
        reconcile=draws.choice((0, 0, 3, 6)),
        repair=draws.choice((0, 0, 0, 4)),
        settle=draws.choice((0, 0, 0, 5)),
        webhook=draws.choice((0, 0, 2)),
        tamper=draws.choice((0, 0, 0, 0, 0, 12)),
    )


def drawn_chore_steps(
    draws: Random, chores: Chores, start: int, hours: int, workers: int
) -> Iterator[Step]:
    """When they do what they do; a reconciliation and a repair are some worker's turn."""
    every = {
        Kind.RECONCILE: chores.reconcile,
        Kind.REPAIR: chores.repair,
        Kind.SETTLE: chores.settle,
        Kind.WEBHOOK: chores.webhook,
        Kind.TAMPER: chores.tamper,
    }
    for kind, interval in every.items():
        for _ in range(hours // interval if interval else 0):
            at = start + draws.randrange(hours * 60) * MINUTE
            subject = draws.randrange(workers)
            yield Step(at=at, kind=kind, subject=subject, seed=draws.getrandbits(32))


def is_restorable(
    customers: tuple[Customer, ...],
    meters: tuple[Meter, ...],
    mappings: tuple[tuple[int, Mapping], ...],
) -> bool:
    """Whether a copy of the store can find out by readings what the lost one had sent.

    Where several slots share what can be read, or usage goes where it was sealed, it cannot, and
    leaves that to people: see docs/operations.md.
    """
    calendars = [c.calendar for c in customers]
    calendars += [c.then[1] for c in calendars if c.then is not None]
    by_hour = all(m.span is Span.HOUR and m.closed is Closed.HOLD for m in meters)
    routed = all(mapping.route != USAGE_RECORD.name for _, mapping in mappings)
    whole = all(c.zone in WHOLE_HOURS and c.anchor % HOUR == 0 for c in calendars)
    return by_hour and routed and whole


def drawn_restore(draws: Random, start: int, hours: int) -> Iterator[Step]:
    """Now and then a backup and, up to a day later, the loss of the store."""
    if draws.random() < 0.4:
        made = start + draws.randrange(hours * 60) * MINUTE
        lost = min(start + hours * HOUR, made + draws.randint(1, 24 * 60) * MINUTE)
        yield Step(at=made, kind=Kind.COPY, subject=0)
        yield Step(at=lost, kind=Kind.RESTORE, subject=0)


def drawn_setting_steps(terms: Terms, versions: Versions, pauses: Pauses) -> Iterator[Step]:
    for number, (at, _) in enumerate(terms):
        yield Step(at=at, kind=Kind.TERMS, subject=number)
    for number, (at, _) in enumerate(versions):
        yield Step(at=at, kind=Kind.METER, subject=number)
    for number, (span, _) in enumerate(pauses):
        yield Step(at=span.start, kind=Kind.PAUSE, subject=number)
        yield Step(at=span.end, kind=Kind.RESUME, subject=number)
