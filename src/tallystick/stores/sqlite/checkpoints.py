"""Checkpoints of the ledger in SQLite."""

import json
from typing import Final

import apsw

from tallystick.domain.checkpoint import ChainEnd, Checkpoint, Taken
from tallystick.domain.ledger import GENESIS
from tallystick.ports import PAGE, Page
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row, page_of, place_of
from tallystick.stores.sqlite.writer import Writer

SELECT_ENDS: Final = """
    SELECT tenant, meter, line, hash, covered_hash FROM chain
    WHERE (tenant, meter) > (?, ?)
    ORDER BY tenant, meter LIMIT ?
"""
INSERT_CHECKPOINT: Final = """
    INSERT INTO checkpoint (number, taken_at, watermark, incarnation, chains, heads_hash, moved,
        moved_hash, previous_hash, hash, key_id, signature, heads)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
COVER_CHAIN: Final = "UPDATE chain SET covered_hash = ? WHERE tenant = ? AND meter = ?"
SELECT_LAST: Final = """
    SELECT number, taken_at, watermark, incarnation, chains, heads_hash, moved, moved_hash,
        previous_hash, hash, key_id, signature
    FROM checkpoint ORDER BY number DESC LIMIT 1
"""
SELECT_CHECKPOINTS: Final = """
    SELECT number, taken_at, watermark, incarnation, chains, heads_hash, moved, moved_hash,
        previous_hash, hash, key_id, signature
    FROM checkpoint WHERE number > ? ORDER BY number LIMIT ?
"""
SELECT_MOVED: Final = "SELECT heads FROM checkpoint WHERE number = ?"


class SqliteCheckpoints:
    """`tallystick.ports.Checkpoints` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def ends(self, *, cursor: str = "", limit: int = PAGE) -> Page[tuple[ChainEnd, str]]:
        after = place_of(cursor, ("", ""))
        with self._readers.snapshot() as db:
            rows = db.execute(SELECT_ENDS, (*after, limit + 1)).fetchall()
        return page_of(rows, limit, lambda r: (ChainEnd(*r[:4]), r[4]), lambda r: r[:2])

    def keep(self, taken: Taken) -> bool:
        checkpoint, moved = taken.checkpoint, taken.moved or ()
        heads = json.dumps([(e.tenant, e.meter, e.line, e.hash) for e in moved])

        def part(db: apsw.Connection) -> bool:
            last = _last(db)
            if last is not None and last.hash == checkpoint.hash:
                return True
            expected = (last.number + 1, last.hash) if last else (1, GENESIS)
            if (checkpoint.number, checkpoint.previous_hash) != expected:
                return False
            db.execute(INSERT_CHECKPOINT, (*_row(checkpoint), heads))
            db.executemany(COVER_CHAIN, [(end.hash, *end.chain) for end in moved])
            return True

        return self._writer.write(part)

    def last(self) -> Checkpoint | None:
        with self._readers.snapshot() as db:
            return _last(db)

    def list(self, *, after: int = 0, limit: int = PAGE) -> tuple[Checkpoint, ...]:
        with self._readers.snapshot() as db:
            return tuple(map(_checkpoint_of, db.execute(SELECT_CHECKPOINTS, (after, limit))))

    def moved(self, number: int) -> tuple[ChainEnd, ...]:
        with self._readers.snapshot() as db:
            row = db.execute(SELECT_MOVED, (number,)).fetchone()
        return () if row is None else tuple(ChainEnd(*end) for end in json.loads(row[0]))


def _last(db: apsw.Connection) -> Checkpoint | None:
    row = db.execute(SELECT_LAST).fetchone()
    return None if row is None else _checkpoint_of(row)


def _row(checkpoint: Checkpoint) -> Row:
    return (
        checkpoint.number,
        checkpoint.taken_at,
        checkpoint.watermark,
        checkpoint.incarnation,
        checkpoint.chains,
        checkpoint.heads_hash,
        checkpoint.moved,
        checkpoint.moved_hash,
        checkpoint.previous_hash,
        checkpoint.hash,
        checkpoint.key_id,
        checkpoint.signature,
    )


def _checkpoint_of(row: Row) -> Checkpoint:
    number, taken_at, watermark, incarnation, chains, heads_hash, *rest = row
    moved, moved_hash, previous_hash, hash_, key_id, signature = rest
    return Checkpoint(
        number=number,
        taken_at=taken_at,
        watermark=watermark,
        incarnation=incarnation,
        chains=chains,
        heads_hash=heads_hash,
        moved=moved,
        moved_hash=moved_hash,
        previous_hash=previous_hash,
        hash=hash_,
        key_id=key_id,
        signature=signature,
    )
