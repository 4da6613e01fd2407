"""The steps that the suites take with a store, in words."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.checkpoint import Taken, taken
from tallystick.domain.event import Event
from tallystick.domain.instant import LATEST
from tallystick.domain.ledger import Entry, is_lowering
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Publication, State
from tallystick.domain.slot import Place, Route, Slot, SlotKey
from tallystick.ports import Appended, Due, Page, Recorded, Store
from tallystick.testing.factories import (
    ABSOLUTE,
    NOON,
    aggregate_key,
    entries,
    event,
    place,
    publication,
    recording,
    settled,
)

T = TypeVar("T")


def every(listing: Callable[..., Page[T]]) -> list[T]:
    """All elements of a listing, page after page."""
    found: list[T] = []
    cursor, seen = "", {""}
    while True:
        page = listing(cursor=cursor)
        found += page.elements
        if not page.cursor:
            return found
        assert page.cursor not in seen, "the cursor turns in a circle"
        cursor = page.cursor
        seen.add(cursor)


def report(
    store: Store, *reported: Event, meters: tuple[Meter, ...] = (), now: int = NOON
) -> tuple[Recorded, ...]:
    """Record the events by these meters, or by the usual one."""
    return store.events.record([recording(e, *meters) for e in reported], now)


def count(store: Store, key: str = "e1", quantity: int | str = 1) -> Recorded:
    """Record one event of the usual kind."""
    return report(store, event(key, quantity))[0]


def aggregates(store: Store) -> list[Aggregate]:
    return every(store.events.aggregates)


def find(store: Store, key: AggregateKey | None = None) -> Aggregate:
    """The Aggregate of the key, or the usual one."""
    wanted = key or aggregate_key()
    return next(found for found in aggregates(store) if found.key == wanted)


def value(store: Store, key: AggregateKey | None = None) -> Decimal:
    return find(store, key).value


def seen(aggregate: Aggregate) -> tuple[AggregateKey, int, int]:
    """What whoever read this Aggregate takes its due mark at."""
    return (aggregate.key, aggregate.position, aggregate.marks)


def due_keys(store: Store, before: int = LATEST) -> list[AggregateKey]:
    due = every(partial(store.ledger.aggregates_due, before))
    return [aggregate.key for aggregate in due]


def next_of(
    store: Store,
    key: AggregateKey | None = None,
    *,
    into: Place | None = None,
    route: Route = ABSOLUTE,
    now: int = NOON,
) -> tuple[Entry, ...]:
    """What would be appended next for the key."""
    aggregate = find(store, key)
    book = store.ledger.book(aggregate.key, [aggregate.period])
    lowering = is_lowering(aggregate, book)
    holdings = store.ledger.holdings(aggregate.key, aggregate.period) if lowering else ()
    return entries(aggregate, book, into, route=route, holdings=holdings, now=now)


def seal(
    store: Store,
    key: AggregateKey | None = None,
    *,
    into: Place | None = None,
    route: Route = ABSOLUTE,
    now: int = NOON,
) -> tuple[Entry, ...]:
    """Append what comes next for the key."""
    new = next_of(store, key, into=into, route=route, now=now)
    assert store.ledger.append([new]) == (Appended.APPENDED,)
    return new


def sealed(store: Store, quantity: int | str = 5) -> Entry:
    """One event, counted and sealed into the usual slot."""
    count(store, "e1", quantity)
    (entry,) = seal(store)
    return entry


def due(store: Store, slot: SlotKey | None = None) -> Due:
    """The slot, or the usual one, with its unsettled publication."""
    wanted = slot or place().slot
    found = every(store.outbox.slots)
    return next(each for each in found if each.slot.key == wanted)


def slot_of(store: Store, slot: SlotKey | None = None) -> Slot:
    return due(store, slot).slot


def due_slots(store: Store) -> list[SlotKey]:
    found = every(store.outbox.slots_due)
    return [each.slot.key for each in found]


def intend(store: Store, slot: SlotKey | None = None) -> Publication:
    """Intend the slot's next publication."""
    new = publication(slot_of(store, slot), incarnation=store.incarnation)
    assert store.outbox.intend([new]) == (True,)
    return new


def settle(store: Store, current: Publication, state: State = State.CONFIRMED) -> Publication:
    """Advance the publication to its end."""
    after = settled(current, state)
    assert store.outbox.advance([(current, after)]) == (True,)
    return after


def publish(store: Store) -> Publication:
    """Intend and confirm the usual slot's total."""
    return settle(store, intend(store))


def stepped(current: Publication) -> Publication:
    """The publication one step on, still unsettled."""
    return replace(current, state=State.AMBIGUOUS, step=current.step + 1)


def next_checkpoint(store: Store, now: int = NOON) -> Taken:
    """The one that would follow the store's last."""
    return taken(
        every(store.checkpoints.ends),
        store.checkpoints.last(),
        now=now,
        watermark=now - 1,
        incarnation=store.incarnation,
        signer=None,
    )


def content(store: Store) -> dict[str, Sequence[object]]:
    """Everything that can be read of a store, by kind, so that two stores can be compared."""
    found = aggregates(store)
    listings: dict[str, Callable[..., Page[Any]]] = {
        "events": store.events.events,
        "aggregates due": partial(store.ledger.aggregates_due, LATEST),
        "entries": store.ledger.entries,
        "slots": store.outbox.slots,
        "slots due": store.outbox.slots_due,
        "publications": store.outbox.publications,
        "accounts": store.catalog.accounts,
        "overrides": store.catalog.overrides,
        "ends": store.checkpoints.ends,
        "letters": partial(store.dead_letters.list, open_only=False),
        "open letters": store.dead_letters.list,
    }
    heads = dict.fromkeys((a.key.tenant, a.key.meter) for a in found)
    return {
        "aggregates": found,
        "changes": [store.events.changes(aggregate.key) for aggregate in found],
        "heads": [store.ledger.head(*chain) for chain in heads],
        "books": [store.ledger.book(a.key, [a.period]) for a in found],
        "holdings": [store.ledger.holdings(a.key, a.period) for a in found],
        "meters": store.catalog.meters(),
        "switches": sorted(store.catalog.switches().items()),
        "revision": [store.catalog.revision()],
        "checkpoints": store.checkpoints.list(),
        **{name: every(of) for name, of in listings.items()},
    }
