"""The ledger in SQLite: `append` goes through the writer, everything else reads."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import apsw

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.ledger import Allocation, Balance, Book, Entry, Head, Holding
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.slot import SlotKey
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Appended, Page
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.appending import SELECT_CHAIN, append_all
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.ledger_rows import (
    PLACE_COLUMNS,
    allocation_of,
    entry_of,
    place_of_row,
    slot_key_row,
)
from tallystick.stores.sqlite.pages import Row, page_of, place_of
from tallystick.stores.sqlite.rows import BEFORE_ALL, aggregate_of, key_row, quantity_of
from tallystick.stores.sqlite.writer import Writer

SELECT_CHAINS: Final = """
    SELECT id, tenant, meter FROM chain
    WHERE (tenant, meter) >= (?, ?)
    ORDER BY tenant, meter LIMIT ?
"""
SELECT_LAST_ENTRY: Final = """
    SELECT line, dimensions, window_start, window_end, period_start, period_end, revision, delta,
        total, released, released_total, moved, billed, allocated, position, held, linked_line,
        sealed_at, previous_hash, hash
    FROM entry
    WHERE chain_id = ? AND dimensions = ? AND window_start = ? AND window_end = ?
    ORDER BY revision DESC LIMIT 1
"""
SELECT_ENTRIES: Final = """
    SELECT line, dimensions, window_start, window_end, period_start, period_end, revision, delta,
        total, released, released_total, moved, billed, allocated, position, held, linked_line,
        sealed_at, previous_hash, hash
    FROM entry
    WHERE chain_id = ? AND line > ?
    ORDER BY line LIMIT ?
"""
SELECT_ENTRIES_OF_SLOT: Final = """
    SELECT a.id, a.chain_id, c.tenant, c.meter, e.line, e.dimensions, e.window_start, e.window_end,
        e.period_start, e.period_end, e.revision, e.delta, e.total, e.released, e.released_total,
        e.moved, e.billed, e.allocated, e.position, e.held, e.linked_line, e.sealed_at,
        e.previous_hash, e.hash
    FROM slot AS s
        CROSS JOIN allocation AS a ON a.slot_id = s.id
        CROSS JOIN chain AS c ON c.id = a.chain_id
        CROSS JOIN entry AS e ON e.chain_id = a.chain_id AND e.line = a.line
    WHERE s.route = ? AND s.account = ? AND s.destination = ? AND s.counter = ? AND s.start = ?
        AND a.id > ? AND ? IN ('', c.tenant) AND ? IN ('', c.meter)
    ORDER BY a.id LIMIT ?
"""
SELECT_ALLOCATIONS: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, a.timestamp, a.period_start,
        a.period_end, a.closes_at, a.quantity
    FROM allocation AS a JOIN slot AS s ON s.id = a.slot_id
    WHERE a.chain_id = ? AND a.line = ?
    ORDER BY a.id
"""
SELECT_BALANCE: Final = """
    SELECT billed, allocated FROM entry
    WHERE chain_id = ? AND dimensions = ? AND period_start = ? AND period_end = ?
    ORDER BY line DESC LIMIT 1
"""
SELECT_HOLDINGS: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, s.timestamp, s.period_start,
        s.period_end, s.closes_at, a.quantity, e.window_start = ? AND e.window_end = ?
    FROM chain AS c
        CROSS JOIN entry AS e INDEXED BY entry_period ON e.chain_id = c.id
        CROSS JOIN allocation AS a ON a.chain_id = e.chain_id AND a.line = e.line
        CROSS JOIN slot AS s ON s.id = a.slot_id
    WHERE c.tenant = ? AND c.meter = ? AND e.dimensions = ? AND e.period_start = ?
        AND e.period_end = ?
"""


class SqliteLedger:
    """`tallystick.ports.Ledger` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def aggregates_due(
        self, before: int, *, cursor: str = "", limit: int = PAGE
    ) -> Page[Aggregate]:
        after = place_of(cursor, (BEFORE_ALL, 0))
        with self._readers.snapshot() as db:
            bounds = (*after, before, limit + 1)
            rows = db.execute(sql.SELECT_AGGREGATES_DUE, bounds).fetchall()
        return page_of(rows, limit, lambda r: aggregate_of(r[1:-1]), lambda r: (r[-1], r[0]))

    def book(self, key: AggregateKey, periods: Sequence[Window]) -> Book:
        with self._readers.snapshot() as db:
            chain_id, head = _chain(db, key.tenant, key.meter)
            balances = {period: _balance(db, chain_id, key.group, period) for period in periods}
            row = db.execute(SELECT_LAST_ENTRY, (chain_id, *key_row(key)[2:])).fetchone()
            last = row and _entry(db, chain_id, (key.tenant, key.meter), row)
        return Book(head=head, last=last, balances=balances)

    def holdings(self, key: AggregateKey, period: Window) -> tuple[Holding, ...]:
        tenant, meter, group, start, end = key_row(key)
        bounds = (start, end, tenant, meter, group, period.start, period.end)
        found: dict[SlotKey, Holding] = {}
        with self._readers.snapshot() as db:
            for row in db.execute(SELECT_HOLDINGS, bounds):
                _hold(found, row)
        held = [holding for holding in found.values() if holding.quantity]
        held.sort(key=lambda h: (h.place.slot.start, h.place.slot), reverse=True)
        return tuple(held)

    def append(self, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
        if not batch:
            return ()
        return self._writer.write(partial(append_all, batch=batch))

    def clear_due(self, sealed: Sequence[tuple[AggregateKey, int, int]]) -> None:
        rows = [(*key_row(key), position, marks) for key, position, marks in sealed]

        def part(db: apsw.Connection) -> None:
            db.executemany(sql.CLEAR_AGGREGATE_DUE, rows)

        if rows:
            self._writer.write(part)

    def entries(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        slot: SlotKey | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Entry]:
        with self._readers.snapshot() as db:
            if slot is not None:
                (after,) = place_of(cursor, (0,))
                bounds = (*slot_key_row(slot), after, tenant, meter, limit + 1)
                rows = db.execute(SELECT_ENTRIES_OF_SLOT, bounds).fetchall()
                return page_of(rows, limit, _reader(db), lambda row: row[:1])
            after = place_of(cursor, (tenant, "", 0))
            rows = _listed(db, tenant, meter, after, limit + 1)
            return page_of(rows, limit, _reader(db), lambda row: row[2:5])

    def head(self, tenant: str, meter: str) -> Head:
        with self._readers.snapshot() as db:
            return _chain(db, tenant, meter)[1]


def _chain(db: apsw.Connection, tenant: str, meter: str) -> tuple[int, Head]:
    row = db.execute(SELECT_CHAIN, (tenant, meter)).fetchone()
    return (0, Head()) if row is None else (row[0], Head(row[1], row[2]))


def _balance(db: apsw.Connection, chain_id: int, group: str, period: Window) -> Balance:
    row = db.execute(SELECT_BALANCE, (chain_id, group, period.start, period.end)).fetchone()
    return Balance() if row is None else Balance(quantity_of(row[0]), quantity_of(row[1]))


def _hold(found: dict[SlotKey, Holding], row: Row) -> None:
    place = place_of_row(row[:PLACE_COLUMNS])
    quantity, is_own = quantity_of(row[PLACE_COLUMNS]), row[PLACE_COLUMNS + 1]
    before = found.get(place.slot) or Holding(place, ZERO, ZERO)
    own = quantity if is_own else ZERO
    found[place.slot] = Holding(place, add(before.quantity, quantity), add(before.own, own))


def _listed(db: apsw.Connection, tenant: str, meter: str, after: Row, count: int) -> list[Row]:
    """Rows as of SELECT_ENTRIES_OF_SLOT, chain by chain."""
    rows: list[Row] = []
    last_tenant, last_meter, last_line = after
    # Each chain holds a line at least, so that more chains than rows are never needed.
    chains: list[Row] = db.execute(SELECT_CHAINS, (last_tenant, last_meter, count + 1)).fetchall()
    while chains and len(rows) < count:
        for chain_id, *chain in chains:
            if tenant not in ("", chain[0]):
                return rows
            if meter not in ("", chain[1]):
                continue
            line = last_line if chain == [last_tenant, last_meter] else 0
            found = db.execute(SELECT_ENTRIES, (chain_id, line, count - len(rows)))
            rows.extend((0, chain_id, *chain, *row) for row in found)
            if len(rows) >= count:
                return rows
        last = (chains[-1][1], chains[-1][2] + "\0")
        chains = db.execute(SELECT_CHAINS, (*last, count + 1)).fetchall()
    return rows


def _reader(db: apsw.Connection) -> Callable[[Row], Entry]:
    return lambda row: _entry(db, row[1], row[2:4], row[4:])


def _entry(db: apsw.Connection, chain_id: int, chain: Row, row: Row) -> Entry:
    allocations: tuple[Allocation, ...] = tuple(
        allocation_of(found) for found in db.execute(SELECT_ALLOCATIONS, (chain_id, row[0]))
    )
    return entry_of(chain[0], chain[1], row, allocations)
