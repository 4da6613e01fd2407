"""Adopt: take over what the provider holds of slots that another copy of a store may have sent."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from tallystick.domain.publication import Limits, Publication, State, Step
from tallystick.domain.quantity import ZERO, add, equal_as_read, rest_as_read, subtract
from tallystick.domain.slot import Mode, Route, Slot
from tallystick.ports import Due, Store


def is_unknown(slot: Slot, route: Route, step: Step, restored_at: int) -> bool:
    """Whether the step takes the slot for empty, while a lost copy may have sent to it: this one
    has neither published nor compared it.

    A value that is set may be sent all the same: it cannot count twice. Where a slot takes one
    record, the provider itself guards it.
    """
    mode = route.mode
    believed = step in (Step.CLEAR, Step.CLOSED) or (step, mode) == (Step.INTEND, Mode.DELTA)
    if not believed or mode is Mode.ONCE:
        return False
    return _is_new_here(slot) and slot.place.timestamp < restored_at


def _is_new_here(slot: Slot) -> bool:
    return slot.revision == 0 and not slot.earlier


def is_shown(route: Route, restored_at: int, limits: Limits, now: int) -> bool:
    """Whether the provider's totals show by now what a lost copy sent. Where values add up, the
    restore itself has waited for that."""
    late = now >= restored_at + limits.transport + limits.summary_lag
    return late or route.mode is Mode.DELTA


def set_again(store: Store, one: Due, shown: Decimal, now: int) -> list[Slot]:
    """Have the value of a slot set again of which nobody knows what it holds; `shown` may lag.

    Answers with the slot, if that is to be done: not where the provider shows what is known anyway.
    """
    slot = _settled(store, one, now)
    is_known = slot.confirmed is not None and equal_as_read(slot.confirmed, shown)
    if is_known and one.current is None and not _is_new_here(slot):
        return []
    after = replace(slot, confirmed=None, earlier=(*slot.earlier, shown), due=True)
    return [after] if store.outbox.adjust(slot, after) else []


def adopt_group(store: Store, group: Sequence[Due], shown: Decimal, now: int) -> list[Slot]:
    """Give the group's slots confirmed totals that add up to what the provider shows.

    Which slot of several holds a surplus cannot be read. One that only the lost copy can have
    published gets what it should hold, as far as it goes; the newest takes the rest. So the group's
    total comes out right with the next publications, and out of closed slots no more is carried
    than is missing. Answers with the slots that changed.
    """
    slots = [_settled(store, one, now) for one in group]
    surplus = shown
    for slot in slots:
        surplus = rest_as_read(surplus, slot.confirmed or ZERO)
    changed: list[Slot] = []
    for slot in slots:
        confirmed = slot.confirmed or ZERO
        part = surplus if slot is slots[-1] else _part(slot, surplus)
        confirmed, surplus = add(confirmed, part), subtract(surplus, part)
        earlier = slot.earlier if confirmed in slot.earlier else (*slot.earlier, confirmed)
        after = replace(slot, confirmed=confirmed, earlier=earlier, due=True)
        if store.outbox.adjust(slot, after) and confirmed != slot.confirmed:
            changed.append(after)
    return changed


def _part(slot: Slot, surplus: Decimal) -> Decimal:
    """How much of a surplus an older slot of the group takes."""
    return max(ZERO, min(slot.total, surplus)) if _is_new_here(slot) else ZERO


def _settled(store: Store, one: Due, now: int) -> Slot:
    """The slot without the unsettled publication that the copy remembers: what the provider
    shows now counts in its place."""
    current = one.current
    if current is None:
        return one.slot
    after: Publication = replace(
        current,
        state=State.REJECTED,
        settled_at=now,
        absent=one.slot.confirmed,
        answer="given up by restore; the provider's total was adopted",
        step=current.step + 1,
    )
    store.outbox.advance([(current, after)])
    return replace(one.slot, unsettled=None, earlier=(*one.slot.earlier, current.total))
