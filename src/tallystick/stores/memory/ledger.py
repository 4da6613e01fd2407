"""The append-only ledger and the Aggregates' due marks, in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.ledger import Allocation, Balance, Book, Entry, Head, Holding
from tallystick.domain.publication import AT_ONCE
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.slot import Slot, SlotKey
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Appended, Page
from tallystick.stores.memory.pages import Rank, aggregate_rank, page_of, slot_rank
from tallystick.stores.memory.tables import Series, Storage, Tables


class MemoryLedger:
    """`tallystick.ports.Ledger` on dictionaries; `entries` keeps the order of appending."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def aggregates_due(
        self, before: int, *, cursor: str = "", limit: int = PAGE
    ) -> Page[Aggregate]:
        with self._storage.opened() as tables:
            found = (
                (aggregate_rank(key), aggregate)
                for key, aggregate in tables.aggregates.items()
                if aggregate.due and aggregate.first_sealed_at <= before
            )
            return page_of(found, cursor, limit)

    def book(self, key: AggregateKey, periods: Sequence[Window]) -> Book:
        with self._storage.opened() as tables:
            return Book(
                head=tables.heads.get((key.tenant, key.meter), Head()),
                last=tables.last.get(key),
                balances={
                    period: tables.balances.get((_series(key), period), Balance())
                    for period in periods
                },
            )

    def holdings(self, key: AggregateKey, period: Window) -> tuple[Holding, ...]:
        with self._storage.opened() as tables:
            found: dict[SlotKey, Holding] = {}
            for entry in _entries(tables, key.tenant, key.meter):
                if entry.period == period and _series(entry.key) == _series(key):
                    for allocation in entry.allocations:
                        _hold(tables, found, allocation, is_own=entry.key == key)
            held = [holding for holding in found.values() if holding.quantity]
            held.sort(key=lambda h: (h.place.slot.start, slot_rank(h.place.slot)), reverse=True)
            return tuple(held)

    def append(self, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
        appended = []
        for entries in batch:
            with self._storage.opened() as tables:
                appended.append(_appended(tables, entries))
        return tuple(appended)

    def clear_due(self, sealed: Sequence[tuple[AggregateKey, int, int]]) -> None:
        for key, *read in sealed:
            with self._storage.opened() as tables:
                aggregate = tables.aggregates.get(key)
                if aggregate is not None and [aggregate.position, aggregate.marks] == read:
                    tables.aggregates[key] = replace(aggregate, due=False)

    def entries(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        slot: SlotKey | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Entry]:
        with self._storage.opened() as tables:
            ranked: Iterable[tuple[Rank, Entry]] = tables.entries.items()
            if slot is not None:
                places = tables.allocated.get(slot, ())
                ranked = (((n,), tables.entries[place]) for n, place in enumerate(places))
            found = (
                (rank, entry)
                for rank, entry in ranked
                if tenant in ("", entry.key.tenant) and meter in ("", entry.key.meter)
            )
            return page_of(found, cursor, limit)

    def head(self, tenant: str, meter: str) -> Head:
        with self._storage.opened() as tables:
            return tables.heads.get((tenant, meter), Head())


def _series(key: AggregateKey) -> Series:
    return (key.tenant, key.meter, key.group)


def _entries(tables: Tables, tenant: str, meter: str) -> Iterator[Entry]:
    head = tables.heads.get((tenant, meter), Head())
    return (tables.entries[tenant, meter, line] for line in range(1, head.line + 1))


def _hold(
    tables: Tables, found: dict[SlotKey, Holding], allocation: Allocation, *, is_own: bool
) -> None:
    slot = allocation.place.slot
    before = found.get(slot) or Holding(tables.slots[slot].place, ZERO, ZERO)
    own = allocation.quantity if is_own else ZERO
    found[slot] = Holding(
        before.place, add(before.quantity, allocation.quantity), add(before.own, own)
    )


def _appended(tables: Tables, entries: tuple[Entry, ...]) -> Appended:
    if all(_stands(tables, entry) for entry in entries):
        return Appended.ALREADY
    if not _is_next(tables, entries[0]):
        return Appended.STALE
    # Every sum is made before anything is written, since a sum may overflow.
    slots = _raised(tables, entries)
    tables.slots.update(slots)
    for entry in entries:
        _write(tables, entry)
    for key in {entry.key for entry in entries}:
        _mark(tables, key)
    return Appended.APPENDED


def _stands(tables: Tables, entry: Entry) -> bool:
    there = tables.entries.get((entry.key.tenant, entry.key.meter, entry.line))
    return there is not None and there.hash == entry.hash


def _is_next(tables: Tables, entry: Entry) -> bool:
    head = tables.heads.get((entry.key.tenant, entry.key.meter), Head())
    follows = entry.line == head.line + 1 and entry.previous_hash == head.hash
    last = tables.last.get(entry.key)
    if last is None:
        return follows and entry.revision == 1
    reaches = entry.position > last.position or (
        entry.position == last.position and not entry.delta
    )
    return follows and entry.revision == last.revision + 1 and reaches


def _raised(tables: Tables, entries: tuple[Entry, ...]) -> dict[SlotKey, Slot]:
    raised: dict[SlotKey, Slot] = {}
    for entry in entries:
        for allocation in entry.allocations:
            key = allocation.place.slot
            slot = raised.get(key) or tables.slots.get(key) or Slot(place=allocation.place)
            raised[key] = replace(
                slot, total=add(slot.total, allocation.quantity), due=True, due_at=AT_ONCE
            )
        for key in _slots_of(entry):
            raised[key] = replace(raised[key], version=raised[key].version + 1)
    return raised


def _slots_of(entry: Entry) -> set[SlotKey]:
    return {allocation.place.slot for allocation in entry.allocations}


def _write(tables: Tables, entry: Entry) -> None:
    key = entry.key
    place = (key.tenant, key.meter, entry.line)
    tables.entries[place] = entry
    for slot in _slots_of(entry):
        tables.allocated[slot] = (*tables.allocated.get(slot, ()), place)
    tables.heads[key.tenant, key.meter] = Head(entry.line, entry.hash)
    tables.last[key] = entry
    tables.balances[_series(key), entry.period] = Balance(entry.billed, entry.allocated)


def _mark(tables: Tables, key: AggregateKey) -> None:
    """Sealed, and due anew: a writer that slept may append an old total after another saw the new
    one, whether that one has taken the mark already or is about to."""
    aggregate = tables.aggregates.get(key)
    if aggregate is not None:
        marks = aggregate.marks + 1
        tables.aggregates[key] = replace(aggregate, sealed=True, due=True, marks=marks)
