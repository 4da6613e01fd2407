"""Adopt: take over what the provider holds of slots that another copy of a store may have sent."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from tallystick.domain.publication import Publication, State
from tallystick.domain.quantity import ZERO, add, rest_as_read
from tallystick.domain.slot import Mode, Route, Slot
from tallystick.ports import Due, Store


def may_be_sent(slot: Slot, route: Route, restored_at: int) -> bool:
    """Whether a lost copy may have sent to a slot that this one has never published.

    Only where values add up: one that is set cannot count twice.
    """
    new_here = slot.revision == 0 and not slot.earlier
    return route.mode is Mode.DELTA and new_here and slot.place.timestamp < restored_at


def adopt_group(store: Store, group: Sequence[Due], shown: Decimal, now: int) -> list[Slot]:
    """Give the group's slots confirmed totals that add up to what the provider shows.

    Which slot of several holds a surplus cannot be read; the newest takes it, so that the group's
    total comes out right with the next publications. Answers with the slots that changed.
    """
    slots = [_settled(store, one, now) for one in group]
    surplus = shown
    for slot in slots:
        surplus = rest_as_read(surplus, slot.confirmed or ZERO)
    changed: list[Slot] = []
    for slot in slots:
        confirmed = slot.confirmed or ZERO
        if slot is slots[-1]:
            confirmed = add(confirmed, surplus)
        earlier = slot.earlier if confirmed in slot.earlier else (*slot.earlier, confirmed)
        after = replace(slot, confirmed=confirmed, earlier=earlier, due=True)
        if store.outbox.adjust(slot, after) and confirmed != slot.confirmed:
            changed.append(after)
    return changed


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
