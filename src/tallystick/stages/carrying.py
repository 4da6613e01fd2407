"""Carry: take out of a closed slot what the provider never got, to be billed in an open period.

Only where the meter says so, only settled quantities, and always as a linked pair of Entries. What
the meter says to hold stays where it is, and reconcile shows it. What came too late for the one
record of a slot goes to a later slot of the same bill whatever the meter says; and a fall that came
too late is given back to the slot, and owed by the next growth.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.ledger import Allocation, carried_undelivered, goes_later
from tallystick.domain.meter import Closed
from tallystick.domain.quantity import ZERO, add, negated
from tallystick.domain.slot import Mode, Place, Route, Slot
from tallystick.domain.window import Window
from tallystick.ports import Appended, Store
from tallystick.stages.recounting import pages
from tallystick.stages.targeting import SealLimits, Targets

Share = tuple[AggregateKey, Window]
"""Who put something into a slot: a key, by its Entries of one billing period. A boundary may cut
the slot's hour, so that the Entries of two periods meet in it."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What a closed slot holds of one share, by Entries of `period`, and the provider never got;
    negative: what it got, and the slot no longer holds."""

    aggregate: Aggregate
    period: Window
    quantity: Decimal


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
    known = (slot for slot in closed if slot.key.route in routes)
    return sum(_carry_slot(store, targets, s, routes[s.key.route], now) for s in known)


def _carry_slot(store: Store, targets: Targets, slot: Slot, route: Route, now: int) -> int:
    """Carry key by key, each looked at once, with the rest read anew each time."""
    if not (slot.place.is_closed(now) or slot.is_spent(route)):
        return 0  # Too late to send, and yet open: what is carried could end in this very slot.
    carried, looked_at = 0, set[Share]()
    while found := _undelivered(store, slot, route, looked_at):
        once_more = partial(_undelivered, store, slot, route, looked_at)
        carried += _carry_one(store, targets, slot, found, look_again=once_more, now=now)
        # All of a share goes at once or none of it, so that no share is looked at twice.
        looked_at.add((found.aggregate.key, found.period))
    return carried


def _undelivered(
    store: Store, slot: Slot, route: Route, left_out: AbstractSet[Share]
) -> Undelivered | None:
    """Whose the slot's undelivered quantity is, newest Entries first, as the ledger stands now.

    The record of the slot may be old by now, but what a closed slot is known to hold stays.
    """
    if slot.confirmed is None:
        return None
    rest = negated(slot.confirmed)
    held: dict[Share, Decimal] = {}
    of_series: dict[tuple[str, str, str, Window], Decimal] = defaultdict(lambda: ZERO)
    for entry in pages(lambda cursor: store.ledger.entries(slot=slot.key, cursor=cursor)):
        share = (entry.key, entry.period)
        placed = held.pop(share, ZERO)
        for allocation in entry.allocations:
            if allocation.place.slot == slot.key:
                placed = add(placed, allocation.quantity)
                rest = add(rest, allocation.quantity)
                series = _series(share)
                of_series[series] = add(of_series[series], allocation.quantity)
        held[share] = placed
    for share, quantity in reversed(held.items()):
        # One key's fall may have lowered what another put there, and tenants may share a slot:
        # no series can take out more than all its keys hold together.
        part = min(quantity, rest, of_series[_series(share)])
        if share in left_out or (part <= 0 and not _is_owed(rest, route)):
            continue
        aggregate = _aggregate(store, share[0])
        if aggregate is not None and (aggregate.closed is Closed.CARRY or route.mode is Mode.ONCE):
            return Undelivered(aggregate, share[1], rest if _is_owed(rest, route) else part)
    return None


def _is_owed(rest: Decimal, route: Route) -> bool:
    """Whether a slot was lowered while its one record was sent: there nothing can be lowered."""
    return rest < 0 and route.mode is Mode.ONCE


def _series(share: Share) -> tuple[str, str, str, Window]:
    key, period = share
    return key.tenant, key.meter, key.group, period


def _aggregate(store: Store, key: AggregateKey) -> Aggregate | None:
    found = pages(
        lambda cursor: store.events.aggregates(
            tenant=key.tenant, meter=key.meter, window=key.window, cursor=cursor
        )
    )
    return next((aggregate for aggregate in found if aggregate.key == key), None)


def _carry_one(
    store: Store,
    targets: Targets,
    slot: Slot,
    found: Undelivered,
    *,
    look_again: Callable[[], Undelivered | None],
    now: int,
) -> bool:
    aggregate = found.aggregate
    target = targets.of(aggregate)
    if target is None or target.onward_route is None or not isinstance(target.onward, Place):
        return False
    onward, route = target.onward, target.onward_route
    if onward.is_closed(now) or onward.slot == slot.key:
        return False
    if aggregate.closed is not Closed.CARRY and not goes_later(route, slot.place, onward):
        return False
    book = store.ledger.book(aggregate.key, [found.period, onward.period])
    if look_again() != found:
        # Somebody carried meanwhile. What comes after the book was read, the append refuses.
        return False
    pair = carried_undelivered(
        replace(aggregate, period=found.period),
        book,
        Allocation(slot.place, found.quantity),
        onward=onward,
        route=route,
        holdings=targets.described(store.ledger.holdings(aggregate.key, onward.period)),
        now=now,
    )
    return bool(pair) and store.ledger.append([pair])[0] is Appended.APPENDED
