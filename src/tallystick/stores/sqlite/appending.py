"""Appending to the ledger: the conditions, the Entries, and the slots they raise.

All happens inside the writer's transaction. An element of the batch is checked and summed up
before anything of it is written, so that one that is refused leaves nothing behind.
"""

from collections.abc import Sequence
from typing import Final

import apsw

from tallystick.domain.ledger import Allocation, Entry, Head
from tallystick.domain.quantity import ZERO, add
from tallystick.ports import Appended
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.ledger_rows import entry_row, slot_key_row, terms_row
from tallystick.stores.sqlite.pages import row_of
from tallystick.stores.sqlite.rows import key_row, quantity_of, text_of

SELECT_CHAIN: Final = "SELECT id, line, hash FROM chain WHERE tenant = ? AND meter = ?"
PUT_CHAIN: Final = """
    INSERT INTO chain (tenant, meter, line, hash) VALUES (?, ?, ?, ?)
    ON CONFLICT (tenant, meter) DO UPDATE SET line = excluded.line, hash = excluded.hash
    RETURNING id
"""
SELECT_HASH: Final = "SELECT hash FROM entry WHERE chain_id = ? AND line = ?"
SELECT_LAST: Final = """
    SELECT revision, position FROM entry
    WHERE chain_id = ? AND dimensions = ? AND window_start = ? AND window_end = ?
    ORDER BY revision DESC LIMIT 1
"""
INSERT_ENTRY: Final = """
    INSERT INTO entry (chain_id, line, dimensions, window_start, window_end, period_start,
        period_end, revision, delta, total, released, released_total, moved, billed, allocated,
        position, held, linked_line, sealed_at, previous_hash, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SELECT_SLOT_TOTAL: Final = """
    SELECT total FROM slot
    WHERE route = ? AND account = ? AND destination = ? AND counter = ? AND start = ?
"""
RAISE_SLOT: Final = """
    INSERT INTO slot (route, account, destination, counter, start, timestamp, period_start,
        period_end, closes_at, total, version, revision, confirmed, earlier, unsettled, is_due,
        due_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, '0', '', NULL, 1, 0)
    ON CONFLICT (route, account, destination, counter, start)
        DO UPDATE SET total = excluded.total, version = version + 1, is_due = 1, due_at = 0
    RETURNING id
"""
INSERT_ALLOCATION: Final = """
    INSERT INTO allocation (slot_id, chain_id, line, timestamp, period_start, period_end,
        closes_at, quantity)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def append_all(db: apsw.Connection, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
    return tuple([_appended(db, entries) for entries in batch])


def _appended(db: apsw.Connection, entries: tuple[Entry, ...]) -> Appended:
    if not entries:
        return Appended.ALREADY
    key = entries[0].key
    row = db.execute(SELECT_CHAIN, (key.tenant, key.meter)).fetchone()
    chain_id, head = (0, Head()) if row is None else (row[0], Head(row[1], row[2]))
    if entries[0].line <= head.line and all(_stands(db, chain_id, e) for e in entries):
        return Appended.ALREADY
    if not _is_next(db, chain_id, head, entries[0]):
        return Appended.STALE
    totals = _raised(db, entries)
    last = entries[-1]
    chain = (key.tenant, key.meter, last.line, last.hash)
    (chain_id,) = row_of(db, PUT_CHAIN, chain)
    db.executemany(INSERT_ENTRY, [(chain_id, *entry_row(entry)) for entry in entries])
    for entry, allocation, total in totals:
        _allocate(db, chain_id, entry.line, allocation, total)
    db.execute(sql.SEAL_AGGREGATE, key_row(key))
    return Appended.APPENDED


def _stands(db: apsw.Connection, chain_id: int, entry: Entry) -> bool:
    return db.execute(SELECT_HASH, (chain_id, entry.line)).fetchone() == (entry.hash,)


def _is_next(db: apsw.Connection, chain_id: int, head: Head, entry: Entry) -> bool:
    follows = entry.line == head.line + 1 and entry.previous_hash == head.hash
    if not follows:
        return False
    last = db.execute(SELECT_LAST, (chain_id, *key_row(entry.key)[2:])).fetchone()
    if last is None:
        return entry.revision == 1
    revision, position = last
    reaches = entry.position > position or (entry.position == position and not entry.delta)
    return entry.revision == revision + 1 and reaches


def _raised(db: apsw.Connection, entries: tuple[Entry, ...]) -> list[tuple[Entry, Allocation, str]]:
    """Each allocation with its slot's total after it. Raises TotalOverflow."""
    totals: dict[tuple[object, ...], str] = {}
    raised = []
    for entry in entries:
        for allocation in entry.allocations:
            slot = slot_key_row(allocation.place.slot)
            before = totals.get(slot) or _slot_total(db, slot)
            totals[slot] = text_of(add(quantity_of(before), allocation.quantity))
            raised.append((entry, allocation, totals[slot]))
    return raised


def _slot_total(db: apsw.Connection, slot: tuple[object, ...]) -> str:
    row = db.execute(SELECT_SLOT_TOTAL, slot).fetchone()
    return text_of(ZERO) if row is None else str(row[0])


def _allocate(
    db: apsw.Connection, chain_id: int, line: int, allocation: Allocation, total: str
) -> None:
    place = allocation.place
    slot = (*slot_key_row(place.slot), *terms_row(place), total)
    (slot_id,) = row_of(db, RAISE_SLOT, slot)
    row = (slot_id, chain_id, line, *terms_row(place), text_of(allocation.quantity))
    db.execute(INSERT_ALLOCATION, row)
