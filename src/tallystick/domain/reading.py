"""What a provider's total proves about a publication, and what it does not.

A reading confirms at once only what nothing else can have caused; otherwise it must be late
enough. An absence is believed only after two readings far apart. Everything else is no verdict.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product, takewhile
from math import prod
from typing import Final

from tallystick.domain.publication import (
    Limits,
    Publication,
    State,
    Step,
    decide,
    landed_by,
    shown_for_good,
)
from tallystick.domain.quantity import ZERO, add, equal_as_read, rest_as_read
from tallystick.domain.slot import Mode, Route, Slot, SlotKey, is_read_alone

WAYS_MAX: Final = 4_096
"""So many choices of totals are tried to explain what a group shows."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A total that the provider shows for the reading group of a slot, asked for at `at`."""

    group: str
    total: Decimal
    at: int


def read(
    slot: Slot,
    current: Publication,
    seen: Decimal,
    *,
    at: int,
    route: Route,
    limits: Limits,
) -> Publication:
    """The record after the slot's total at the provider was read as `seen`, asked for at `at`."""
    quiet_from = landed_by(current, limits)
    told = replace(current, step=current.step + 1)
    if equal_as_read(current.total, seen, route.digits_max):
        if is_fresh(slot, current, route) or at >= quiet_from + limits.summary_lag:
            return replace(told, state=State.CONFIRMED, settled_at=at)
        return replace(told, next_at=at + limits.heal_after)
    if _proves_absence(current, seen, at, route, limits):
        # What a delta's slot holds is known exactly; the reading may be a float's text.
        held = seen if route.mode is Mode.ABSOLUTE else current.before
        told = replace(told, state=State.REJECTED, settled_at=at, next_at=at)
        return replace(told, absent=held, absent_at=at)
    if current.absent_at is None or current.absent != seen or current.absent_at < quiet_from:
        told = replace(told, absent=seen, absent_at=at)
    if _heals(slot, current, at, route, limits):
        return replace(_to_be_set_again(told, at), step=told.step)
    return replace(told, next_at=at + limits.heal_after)


def is_fresh(slot: Slot, current: Publication, route: Route) -> bool:
    """Whether no earlier revision of the slot, nor zero, nor what it held before, can be read as
    this total: a reading that shows it can then only come from this publication.

    Where a value is set, the revisions right before that set the same one are no earlier total:
    whichever of them landed, the slot holds it, and what may land yet sets it again.
    """
    earlier = slot.earlier
    if route.mode is Mode.ABSOLUTE:
        while earlier and earlier[-1] == current.total:
            earlier = earlier[:-1]
    before = ZERO if current.before is None else current.before
    older = (ZERO, before, *earlier)
    return not any(equal_as_read(current.total, total, route.digits_max) for total in older)


def _proves_absence(
    current: Publication, seen: Decimal, at: int, route: Route, limits: Limits
) -> bool:
    """The absence rule: 48 h since the last request can have landed, two readings since then and
    12 h apart that agree.

    For a delta they must also agree with what was confirmed before; an absolute slot simply holds
    what is read.
    """
    quiet_from = landed_by(current, limits)
    if current.absent_at is None or current.absent != seen or current.absent_at < quiet_from:
        return False
    waited = at >= max(quiet_from + limits.summary_lag, current.absent_at + limits.absence_gap)
    known = route.mode is Mode.ABSOLUTE or (
        current.before is not None and equal_as_read(current.before, seen, route.digits_max)
    )
    return waited and known


def _heals(slot: Slot, current: Publication, at: int, route: Route, limits: Limits) -> bool:
    """An absolute value that was accepted and is not seen may be set again: it cannot over-bill.

    Each time in vain doubles the wait, up to the lag that the provider's totals may have.
    """
    if route.mode is not Mode.ABSOLUTE or current.accepted_at is None:
        return False
    if at + limits.send_timeout >= current.place.closes_at:
        return False
    in_vain = sum(1 for _ in takewhile(current.total.__eq__, reversed(slot.earlier)))
    wait = min(limits.heal_after << min(in_vain, 16), limits.summary_lag)
    return at >= max(current.accepted_at + wait, landed_by(current, limits))


def confirmed_after(current: Publication, slot: Slot) -> Decimal | None:
    """What the slot is known to hold once `current` is settled; None: unknown, to be set again."""
    match current.state:
        case State.CONFIRMED:
            return current.total
        case State.REJECTED:
            return current.absent if current.absent is not None else slot.confirmed
        case _:
            return None


Member = tuple[Slot, Publication | None]
"""A slot of a reading group, with its unsettled publication, if it has one."""


def verdicts(
    members: Sequence[Member], reading: Reading, route: Route, limits: Limits
) -> Iterator[tuple[Publication, Publication]]:
    """(before, after) of each unsettled publication of a group whose total was read."""
    seen = shares(members, reading, route, limits)
    is_whole = equal_as_read(_expected(members), reading.total, route.digits_max)
    for slot, current in members:
        if current is None or _is_under_way(current, reading.at):
            continue
        after = replace(current, next_at=reading.at + limits.heal_after, step=current.step + 1)
        if slot.key in seen:
            total = seen[slot.key]
            after = read(slot, current, total, at=reading.at, route=route, limits=limits)
        elif not is_whole and _heals(slot, current, reading.at, route, limits):
            # Something of the group is missing, and nobody can say which: set what may be set.
            after = _to_be_set_again(current, reading.at)
        step = decide(slot, current, route, limits, reading.at)
        # What is to be sent again was read for its neighbours' sake: that must not put it off.
        if after.state.is_settled or step not in (Step.SEND, Step.SUPERSEDE):
            yield current, after


def _is_under_way(current: Publication, at: int) -> bool:
    """Whether its sender may be sending just then, so that a reading says nothing of it."""
    return current.state is not State.ACCEPTED and at < current.deadline


def _to_be_set_again(current: Publication, at: int) -> Publication:
    step = current.step + 1
    return replace(current, state=State.AMBIGUOUS, resendable=False, next_at=at, step=step)


def _expected(members: Iterable[Member]) -> Decimal:
    """What the group shows once everything has landed."""
    total = ZERO
    for slot, current in members:
        told = current.total if current is not None else slot.confirmed
        total = add(total, told if told is not None else ZERO)
    return total


def shares(
    members: Sequence[Member], reading: Reading, route: Route, limits: Limits
) -> dict[SlotKey, Decimal]:
    """What one reading of a group says of each of its unsettled slots; empty where it cannot tell.

    With one slot in doubt it is the rest. With more it tells when all have landed, and each total
    rose (else an older mixture may have the same sum), or when none has, and all went the same
    way (else a rise and a fall that both landed may cancel out). Where a value is set, what was
    answered with a 2xx so long ago that it must show counts as there, if the total agrees to the
    last unit.
    """
    unsettled = [(s, p) for s, p in members if p is not None]
    blank = [s for s, p in members if p is None and s.confirmed is None]
    left = reading.total
    for slot, current in members:
        if current is None and slot.confirmed is not None:
            left = rest_as_read(left, slot.confirmed)
    if blank:
        return _with_blank(blank, unsettled, left, at=reading.at, route=route, limits=limits)
    if len(unsettled) == 1:
        return {unsettled[0][0].key: left}
    told = _all_or_none(unsettled, left, reading.at, route, limits)
    told = told or _only_way(unsettled, left, route)
    if told or route.mode is Mode.DELTA:
        return told
    return _without_accepted(unsettled, left, reading.at, route, limits)


Unsettled = Sequence[tuple[Slot, Publication]]


def _with_blank(
    blank: Sequence[Slot],
    unsettled: Unsettled,
    left: Decimal,
    *,
    at: int,
    route: Route,
    limits: Limits,
) -> dict[SlotKey, Decimal]:
    """The same where a slot closed before its value was set again, so that nobody knows it.

    Where the slot is read alone, whatever shows for good is what it holds: a lost copy, or somebody
    else, may have set it.
    """
    slot, *others = blank
    if others or at < shown_for_good(slot.place, limits):
        return {}
    found, doubtful = _accepted(unsettled, at, limits)
    for total in found.values():
        left = rest_as_read(left, total)
    told = (ZERO, *slot.earlier)
    held = next((t for t in told if equal_as_read(t, left, route.digits_max)), None)
    if held is None and is_read_alone(route):
        held = left
    return {} if doubtful or held is None else {**found, slot.key: held}


def _all_or_none(
    unsettled: Unsettled, left: Decimal, at: int, route: Route, limits: Limits
) -> dict[SlotKey, Decimal]:
    """What each holds, where the sum shows that all have landed, or that none has."""
    after, before = ZERO, ZERO
    for _, current in unsettled:
        after = add(after, current.total)
        before = add(before, current.before if current.before is not None else ZERO)
    if equal_as_read(after, left, route.digits_max):
        # What may be missing can only be less, so a whole sum leaves no room for it.
        rising = all(p.total >= max((ZERO, *s.earlier)) for s, p in unsettled)
        if rising and all(_would_show(s, p, at, route, limits) for s, p in unsettled):
            return {slot.key: p.total for slot, p in unsettled}
    if _one_way([p for _, p in unsettled]) and equal_as_read(before, left, route.digits_max):
        return {slot.key: p.before for slot, p in unsettled if p.before is not None}
    return {}


def _only_way(unsettled: Unsettled, left: Decimal, route: Route) -> dict[SlotKey, Decimal]:
    """What each holds, where just one choice among all totals they ever had makes up the sum."""
    totals = [{ZERO, p.total, *s.earlier, p.before or ZERO} for s, p in unsettled]
    if prod(len(ever) for ever in totals) > WAYS_MAX:
        return {}
    ways: dict[Decimal, tuple[Decimal, ...] | None] = {ZERO: ()}  # None: more than one reaches it
    for ever in totals:
        longer: dict[Decimal, tuple[Decimal, ...] | None] = {}
        for (total, chosen), one in product(ways.items(), ever):
            reached = add(total, one)
            longer[reached] = None if chosen is None or reached in longer else (*chosen, one)
        ways = longer
    fitting = [way for total, way in ways.items() if equal_as_read(total, left, route.digits_max)]
    if len(fitting) != 1 or fitting[0] is None:
        return {}
    return {slot.key: total for (slot, _), total in zip(unsettled, fitting[0], strict=True)}


def _one_way(unsettled: Sequence[Publication]) -> bool:
    """Whether all raise what their slot was known to hold, or all lower it."""
    rises = [p.total > p.before for p in unsettled if p.before is not None]
    return len(rises) == len(unsettled) and len(set(rises)) == 1


def _would_show(slot: Slot, current: Publication, at: int, route: Route, limits: Limits) -> bool:
    """Whether nothing but this publication can make a reading show its total."""
    late = at >= landed_by(current, limits) + limits.summary_lag
    return late or is_fresh(slot, current, route)


def _without_accepted(
    unsettled: Unsettled, left: Decimal, at: int, route: Route, limits: Limits
) -> dict[SlotKey, Decimal]:
    """What each holds, if what was set and answered with a 2xx is there and the rest adds up."""
    found, doubtful = _accepted(unsettled, at, limits)
    for total in found.values():
        left = rest_as_read(left, total)
    if not doubtful:
        return {} if left else found
    told = _all_or_none(doubtful, left, at, route, limits) or _only_way(doubtful, left, route)
    return {**found, **told} if told else {}


def _accepted(
    unsettled: Unsettled, at: int, limits: Limits
) -> tuple[dict[SlotKey, Decimal], list[tuple[Slot, Publication]]]:
    """(what was answered with a 2xx and must show by now; the others, which are in doubt)."""
    found: dict[SlotKey, Decimal] = {}
    doubtful: list[tuple[Slot, Publication]] = []
    for slot, current in unsettled:
        # Not sooner, however fresh: a sum that lags can be the same by other totals.
        shown = at >= landed_by(current, limits) + limits.summary_lag
        if shown and current.state is State.ACCEPTED:
            found[slot.key] = current.total
        else:
            doubtful.append((slot, current))
    return found, doubtful


def adopted(
    members: Sequence[Member], reading: Reading, route: Route, limits: Limits
) -> Iterator[tuple[Slot, Slot]]:
    """(before, after) of each closed slot that nobody knew the content of, and now does."""
    seen = shares(members, reading, route, limits)
    for slot, current in members:
        if current is None and slot.confirmed is None and slot.key in seen:
            yield slot, replace(slot, confirmed=seen[slot.key])
