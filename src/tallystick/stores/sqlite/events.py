"""The event log in SQLite: `record` goes through the writer, everything else reads."""

from collections.abc import Sequence
from functools import cached_property

import apsw

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.event import Event
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Change, Page, Recorded, Recording
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.finding import find_event
from tallystick.stores.sqlite.key_hashes import KeyHash, read_hash
from tallystick.stores.sqlite.pages import UNBOUNDED, Row, page_of, place_of
from tallystick.stores.sqlite.recorder import Recorder
from tallystick.stores.sqlite.rows import BEFORE_ALL, aggregate_of
from tallystick.stores.sqlite.sizes import Sizes
from tallystick.stores.sqlite.stored import Stored
from tallystick.stores.sqlite.writer import Writer


class SqliteEventLog:
    """`tallystick.ports.EventLog` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers, sizes: Sizes) -> None:
        self._writer = writer
        self._readers = readers
        self._sizes = sizes
        self._recorder = Recorder(sizes)

    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        if not batch:
            return ()

        def part(db: apsw.Connection) -> tuple[Recorded, ...]:
            return self._recorder.record(db, batch, now, self._writer.begun)

        return self._writer.write(part)

    def event(self, tenant: str, key: str) -> Event | None:
        # Before the snapshot, which then has what these have.
        recents = self._recorder.recents
        with self._readers.snapshot() as db:
            found = find_event(db, self._key_hash, recents, tenant, key)
            return None if found is None else Stored(db).event(found)

    @cached_property
    def _key_hash(self) -> KeyHash:
        with self._readers.snapshot() as db:
            return read_hash(db, self._sizes)

    def events(
        self, tenant: str = "", *, window: Window | None = None, cursor: str = "", limit: int = PAGE
    ) -> Page[Event]:
        (after,) = place_of(cursor, (0,))
        with self._readers.snapshot() as db:
            rows = Stored(db).events(tenant, window, after, limit + 1)
        return page_of(rows, limit, lambda row: row[1], lambda row: row[:1])

    def is_voided(self, tenant: str, key: str) -> bool:
        with self._readers.snapshot() as db:
            ((found,),) = db.execute(sql.SELECT_IS_VOIDED, (tenant, key)).fetchall()
        return bool(found)

    def aggregates(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        window: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Aggregate]:
        after = place_of(cursor, ("", "", "", BEFORE_ALL, BEFORE_ALL))
        overlap = (UNBOUNDED, BEFORE_ALL) if window is None else (window.end, window.start)
        statement, bounds = _listing(tenant, meter, after, overlap)
        with self._readers.snapshot() as db:
            rows = db.execute(statement, (*bounds, limit + 1)).fetchall()
        return page_of(rows, limit, lambda row: aggregate_of(row[1:]), lambda row: row[1:6])

    def changes(
        self, key: AggregateKey, *, after: int = 0, upto: int | None = None, limit: int = PAGE
    ) -> tuple[Change, ...]:
        with self._readers.snapshot() as db:
            return Stored(db).changes(key, after, upto, limit)


def _listing(tenant: str, meter: str, after: Row, overlap: Row) -> tuple[str, Row]:
    """The statement that has an index for what is asked, and its bounds."""
    if not tenant:
        return sql.SELECT_AGGREGATES, (*after, *overlap, meter)
    # A cursor of the same listing lies in the same tenant and meter, or before both.
    if not meter:
        return sql.SELECT_AGGREGATES_OF_TENANT, (tenant, *after[1:], *overlap)
    return sql.SELECT_AGGREGATES_OF_METER, (tenant, meter, *after[2:], *overlap)
