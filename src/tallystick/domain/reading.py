"""What a provider's total proves about a publication, and what it does not.

A reading confirms at once only what nothing else can have caused; otherwise it must be late
enough. An absence is believed only after two readings far apart. Everything else is no verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tallystick.domain.publication import Limits, Publication, State, landed_by
from tallystick.domain.quantity import ZERO, add, equal_as_read, subtract
from tallystick.domain.slot import Mode, Route, Slot, SlotKey


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
        if is_fresh(slot, current, route.digits_max) or at >= quiet_from + limits.summary_lag:
            return replace(told, state=State.CONFIRMED, settled_at=at)
        return replace(told, next_at=at + limits.heal_after)
    if _proves_absence(current, seen, at, route, limits):
        # What a delta's slot holds is known exactly; the reading may be a float's text.
        held = seen if route.mode is Mode.ABSOLUTE else current.before
        return replace(told, state=State.REJECTED, settled_at=at, absent=held, absent_at=at)
    if current.absent_at is None or current.absent != seen or current.absent_at < quiet_from:
        told = replace(told, absent=seen, absent_at=at)
    if _heals(current, at, route, limits):
        return replace(told, state=State.AMBIGUOUS, resendable=False, next_at=at)
    return replace(told, next_at=at + limits.heal_after)


def is_fresh(slot: Slot, current: Publication, digits: int = 15) -> bool:
    """Whether no earlier revision of the slot, nor zero, nor what it held before, can be read as
    this total: a reading that shows it can then only come from this publication."""
    before = ZERO if current.before is None else current.before
    older = (ZERO, before, *slot.earlier)
    return not any(equal_as_read(current.total, total, digits) for total in older)


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


def _heals(current: Publication, at: int, route: Route, limits: Limits) -> bool:
    """An absolute value that was accepted and is not seen may be set again: it cannot over-bill."""
    if route.mode is not Mode.ABSOLUTE or current.accepted_at is None:
        return False
    return at >= max(current.accepted_at + limits.heal_after, landed_by(current, limits))


def confirmed_after(current: Publication, slot: Slot) -> Decimal | None:
    """What the slot is known to hold once `current` is settled; None: unknown, to be set again."""
    match current.state:
        case State.CONFIRMED:
            return current.total
        case State.REJECTED:
            return current.absent if current.absent is not None else slot.confirmed
        case _:
            return None


def shares(
    slots: Sequence[tuple[Slot, Publication | None]], total: Decimal, digits: int
) -> dict[SlotKey, Decimal]:
    """What one reading of a group says of each of its unsettled slots; empty where it cannot tell.

    With one unsettled slot it is the rest. With more it tells only when all have landed, and then
    only if each total rose (else an older mixture may have the same sum), or when none has, and
    only if all went the same way (else a rise and a fall that both landed may cancel out).
    """
    unsettled = [(s, p) for s, p in slots if p is not None]
    known = ZERO
    for slot, current in slots:
        if current is None:
            if slot.confirmed is None:
                return {}
            known = add(known, slot.confirmed)
    if len(unsettled) == 1:
        return {unsettled[0][0].key: subtract(total, known)}
    after, before = known, known
    for _, current in unsettled:
        after = add(after, current.total)
        before = add(before, current.before if current.before is not None else ZERO)
    rising = all(p.total > max((ZERO, *s.earlier)) for s, p in unsettled)
    if rising and equal_as_read(after, total, digits):
        return {slot.key: p.total for slot, p in unsettled}
    if _one_way([p for _, p in unsettled]) and equal_as_read(before, total, digits):
        return {slot.key: p.before for slot, p in unsettled if p.before is not None}
    return {}


def _one_way(unsettled: Sequence[Publication]) -> bool:
    """Whether all raise what their slot was known to hold, or all lower it."""
    rises = [p.total > p.before for p in unsettled if p.before is not None]
    return len(rises) == len(unsettled) and len(set(rises)) == 1
