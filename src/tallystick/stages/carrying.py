"""Carry: take out of a closed slot what the provider never got, to be billed in an open period.

Only where the meter says so, only settled quantities, and always as a linked pair of Entries. What
the meter says to hold stays where it is, and reconcile shows it.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.ledger import Allocation, carried_undelivered
from tallystick.domain.meter import Closed
from tallystick.domain.quantity import ZERO, add, subtract
from tallystick.domain.slot import Place, Route, Slot
from tallystick.ports import Appended, Store
from tallystick.stages.recounting import pages
from tallystick.stages.targeting import SealLimits, Targets


def carry(
    store: Store,
    routes: Mapping[str, Route],
    closed: Iterable[Slot],
    now: int,
    *,
    limits: SealLimits,
) -> int:
    """Carry what these closed, settled slots hold undelivered; how many pairs were appended.

    A lost race appends nothing; the slot stays due and the next pass looks again.
    """
    targets = Targets(store.catalog, routes, now, limits)
    carried = 0
    for slot in closed:
        for aggregate, quantity in _undelivered(store, slot):
            carried += _carry_one(store, targets, aggregate, Allocation(slot.place, quantity), now)
    return carried


def _undelivered(store: Store, slot: Slot) -> Iterator[tuple[Aggregate, Decimal]]:
    """Whose the slot's undelivered quantity is, newest Entries first."""
    rest = subtract(slot.total, slot.confirmed if slot.confirmed is not None else slot.total)
    held: dict[AggregateKey, Decimal] = {}
    for entry in pages(lambda cursor: store.ledger.entries(slot=slot.key, cursor=cursor)):
        placed = held.pop(entry.key, ZERO)
        for allocation in entry.allocations:
            if allocation.place.slot == slot.key:
                placed = add(placed, allocation.quantity)
        held[entry.key] = placed
    for key, quantity in reversed(held.items()):
        part = min(quantity, rest)
        aggregate = _aggregate(store, key) if part > 0 else None
        if aggregate is not None and aggregate.closed is Closed.CARRY:
            rest = subtract(rest, part)
            yield aggregate, part


def _aggregate(store: Store, key: AggregateKey) -> Aggregate | None:
    found = pages(
        lambda cursor: store.events.aggregates(
            tenant=key.tenant, meter=key.meter, window=key.window, cursor=cursor
        )
    )
    return next((aggregate for aggregate in found if aggregate.key == key), None)


def _carry_one(
    store: Store, targets: Targets, aggregate: Aggregate, undelivered: Allocation, now: int
) -> bool:
    target = targets.of(aggregate)
    if target is None or target.onward_route is None or not isinstance(target.onward, Place):
        return False
    onward = target.onward
    if onward.is_closed(now):
        return False
    pair = carried_undelivered(
        aggregate,
        store.ledger.book(aggregate.key, [undelivered.place.period, onward.period]),
        undelivered,
        onward=onward,
        route=target.onward_route,
        holdings=store.ledger.holdings(aggregate.key, onward.period),
        now=now,
    )
    return bool(pair) and store.ledger.append([pair])[0] is Appended.APPENDED
