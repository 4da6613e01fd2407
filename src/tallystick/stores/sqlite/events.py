"""The event log in SQLite: `record` goes through the writer, everything else reads."""

from collections.abc import Sequence
from functools import partial

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.event import Event
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Change, Page, Recorded, Recording
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import UNBOUNDED, Row, page_of, place_of
from tallystick.stores.sqlite.recording import record_all
from tallystick.stores.sqlite.rows import BEFORE_ALL, aggregate_of, change_of, event_of, key_row
from tallystick.stores.sqlite.writer import Writer


class SqliteEventLog:
    """`tallystick.ports.EventLog` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        if not batch:
            return ()
        return self._writer.write(partial(record_all, batch=batch, now=now))

    def event(self, tenant: str, key: str) -> Event | None:
        with self._readers.snapshot() as db:
            row = db.execute(sql.SELECT_EVENT, (tenant, key)).fetchone()
        return None if row is None else event_of(row)

    def events(
        self, tenant: str = "", *, window: Window | None = None, cursor: str = "", limit: int = PAGE
    ) -> Page[Event]:
        (after,) = place_of(cursor, (0,))
        within = (BEFORE_ALL, UNBOUNDED) if window is None else (window.start, window.end)
        bounds = (after, *within, limit + 1)
        with self._readers.snapshot() as db:
            if tenant:
                rows = db.execute(sql.SELECT_EVENTS_OF, (tenant, *bounds)).fetchall()
            else:
                rows = db.execute(sql.SELECT_EVENTS, bounds).fetchall()
        return page_of(rows, limit, lambda row: event_of(row[:-1]), lambda row: row[-1:])

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
        end = UNBOUNDED if upto is None else upto
        with self._readers.snapshot() as db:
            found = db.execute(sql.SELECT_AGGREGATE, key_row(key)).fetchone()
            if found is None:
                return ()
            aggregate = aggregate_of(found[1:])
            rows = db.execute(sql.SELECT_CHANGES, (found[0], after, end, limit)).fetchall()
        return tuple(change_of(row, aggregate) for row in rows)


def _listing(tenant: str, meter: str, after: Row, overlap: Row) -> tuple[str, Row]:
    """The statement that has an index for what is asked, and its bounds."""
    if not tenant:
        return sql.SELECT_AGGREGATES, (*after, *overlap, meter)
    # A cursor of the same listing lies in the same tenant and meter, or before both.
    if not meter:
        return sql.SELECT_AGGREGATES_OF_TENANT, (tenant, *after[1:], *overlap)
    return sql.SELECT_AGGREGATES_OF_METER, (tenant, meter, *after[2:], *overlap)
