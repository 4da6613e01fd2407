"""Restore: open a copy of a store as a new incarnation, and adopt what the provider holds.

A copy is older than the provider's books: it has forgotten publications that were sent after it
was taken. So nothing is sent until every open slot was compared with the provider and its total
there was adopted; then the differences are published like any other.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.publication import Publication, State
from tallystick.domain.quantity import ZERO, add, subtract
from tallystick.domain.slot import Slot, reading_group
from tallystick.ports import Due, Override, Publisher, Store
from tallystick.stages.publishing import ADOPTING
from tallystick.stages.recounting import pages


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many slots were compared, and how many held something else than the copy said."""

    compared: int
    changed: int


def begin(store: Store, incarnation: str, audit: Override) -> None:
    """Make the opened copy a new incarnation and stop its publishing. Safe to repeat."""
    store.catalog.switch(ADOPTING, incarnation, audit)
    store.renew_incarnation(incarnation)


def adopt(store: Store, publisher: Publisher, now: int, audit: Override) -> Adopted:
    """Compare every open slot with the provider, adopt its total, and let publishing go on.

    Raises PublisherUnavailable where a slot could not be read: publishing then stays off.
    """
    compared = changed = 0
    for group in _open_groups(store, publisher, now):
        readings = publisher.totals([one.slot for one in group])
        if not readings:
            raise PublisherUnavailable(f"{group[0].slot.key} could not be read; try again")
        compared += len(group)
        changed += _adopt_group(store, group, readings[0].total, now)
    store.catalog.switch(ADOPTING, None, audit)
    return Adopted(compared, changed)


def _open_groups(store: Store, publisher: Publisher, now: int) -> list[list[Due]]:
    """The slots that can still change at the provider, by what is read together."""
    groups: dict[str, list[Due]] = defaultdict(list)
    for one in pages(lambda cursor: store.outbox.slots(cursor=cursor)):
        route = publisher.routes[one.slot.key.route]
        groups[reading_group(route, one.slot)].append(one)
    return [g for g in groups.values() if any(not d.slot.place.is_closed(now) for d in g)]


def _adopt_group(store: Store, group: list[Due], shown: Decimal, now: int) -> int:
    """Give the group's slots confirmed totals that add up to what the provider shows.

    Which slot of several holds a surplus cannot be read; the newest takes it, so that the group's
    total comes out right with the next publications.
    """
    slots = [_settled(store, one, now) for one in group]
    known = ZERO
    for slot in slots:
        known = add(known, slot.confirmed or ZERO)
    surplus = subtract(shown, known)
    changed = 0
    for index, slot in enumerate(slots):
        confirmed = slot.confirmed or ZERO
        if index == len(slots) - 1:
            confirmed = add(confirmed, surplus)
        if confirmed == slot.confirmed:
            continue
        earlier = slot.earlier if confirmed in slot.earlier else (*slot.earlier, confirmed)
        changed += store.outbox.adjust(
            slot, replace(slot, confirmed=confirmed, earlier=earlier, due=True)
        )
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
    return replace(
        one.slot,
        unsettled=None,
        earlier=(*one.slot.earlier, current.total),
    )
