"""The slots and their publications in SQLite: conditioned writes through the writer, and reads."""

from collections.abc import Sequence
from functools import partial

import apsw

from tallystick.domain.instant import EARLIEST, LATEST
from tallystick.domain.publication import Publication, next_look
from tallystick.domain.reading import confirmed_after
from tallystick.domain.slot import Slot, SlotKey
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Due, Page
from tallystick.stores.sqlite import outbox_statements as sql
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.ledger_rows import (
    earlier_text,
    publication_of,
    publication_row,
    slot_key_row,
    slot_of,
)
from tallystick.stores.sqlite.pages import Row, page_of, place_of
from tallystick.stores.sqlite.rows import BEFORE_ALL, text_or_null
from tallystick.stores.sqlite.writer import Writer

SLOT_COLUMNS = 17
DUE_AT = SLOT_COLUMNS - 1
FIRST: Row = ("", "", "", "", BEFORE_ALL)
SLOT_KEY: Row = ("route", "account", "destination", "counter", "start")
Bounds = dict[str, str | int]


class SqliteOutbox:
    """`tallystick.ports.Outbox` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def slots_due(
        self,
        now: int = LATEST,
        *,
        partition: int | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        due_at, *key = place_of(cursor, (BEFORE_ALL, *FIRST))
        bounds: dict[str, str | int | None] = {"now": now, "due_at": due_at, "partition": partition}
        bounds |= zip(SLOT_KEY, key, strict=True)
        with self._readers.snapshot() as db:
            rows = db.execute(sql.SELECT_SLOTS_DUE, {**bounds, "limit": limit + 1}).fetchall()
        return page_of(rows, limit, _due_of, lambda row: (row[DUE_AT], *row[:5]))

    def slots(
        self,
        *,
        route: str = "",
        destination: str = "",
        starting: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        start, end = (starting.start, starting.end) if starting else (EARLIEST, LATEST)
        filters: dict[str, str | int] = {"of_route": route, "of_destination": destination}
        filters |= {"since": start, "until": end}
        indexed = sql.SELECT_SLOTS_OF_DESTINATION if route and destination else sql.SELECT_SLOTS
        return self._page(indexed, {**_after(cursor), **filters}, limit)

    def intend(self, batch: Sequence[Publication]) -> tuple[bool, ...]:
        def part(db: apsw.Connection) -> tuple[bool, ...]:
            return tuple([_intended(db, publication) for publication in batch])

        return self._writer.write(part) if batch else ()

    def advance(self, batch: Sequence[tuple[Publication, Publication]]) -> tuple[bool, ...]:
        def part(db: apsw.Connection) -> tuple[bool, ...]:
            return tuple([_advanced(db, before, after) for before, after in batch])

        return self._writer.write(part) if batch else ()

    def clear_due(self, read: Sequence[Slot]) -> None:
        rows = [(*slot_key_row(slot.key), slot.version, slot.revision) for slot in read]

        def part(db: apsw.Connection) -> None:
            db.executemany(sql.CLEAR_SLOT_DUE, rows)

        if rows:
            self._writer.write(part)

    def adjust(self, before: Slot, after: Slot) -> bool:
        return self._writer.write(partial(_adjusted, before=before, after=after))

    def publications(
        self,
        *,
        slot: SlotKey | None = None,
        identifier: str = "",
        unsettled: bool = False,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Publication]:
        *after, revision = place_of(cursor, (*FIRST, 0))
        bounds: Bounds = {
            **dict(zip(SLOT_KEY, after, strict=True)),
            "revision": revision,
            "identifier": identifier,
            "unsettled": unsettled,
            "limit": limit + 1,
        }
        statement = sql.SELECT_PUBLICATIONS
        if slot is not None:
            statement = sql.SELECT_PUBLICATIONS_OF_SLOT
            bounds |= zip(map("of_".__add__, SLOT_KEY), slot_key_row(slot), strict=True)
        elif identifier:
            statement = sql.SELECT_PUBLICATION
        elif unsettled:
            statement = sql.SELECT_PUBLICATIONS_UNSETTLED
        with self._readers.snapshot() as db:
            rows = db.execute(statement, bounds).fetchall()
        return page_of(rows, limit, publication_of, lambda row: (*row[:5], row[10]))

    def _page(self, statement: str, bounds: Bounds, limit: int) -> Page[Due]:
        with self._readers.snapshot() as db:
            rows = db.execute(statement, {**bounds, "limit": limit + 1}).fetchall()
        return page_of(rows, limit, _due_of, lambda row: row[:5])


def _after(cursor: str) -> Bounds:
    return dict(zip(SLOT_KEY, place_of(cursor, FIRST), strict=True))


def _due_of(row: Row) -> Due:
    slot = slot_of(row[:SLOT_COLUMNS])
    is_idle = slot.unsettled is None
    return Due(slot, None if is_idle else publication_of(row[SLOT_COLUMNS:]))


def _stored(db: apsw.Connection, key: SlotKey) -> tuple[int, Slot] | None:
    row = db.execute(sql.SELECT_SLOT, slot_key_row(key)).fetchone()
    return None if row is None else (row[SLOT_COLUMNS], slot_of(row[:SLOT_COLUMNS]))


def _intended(db: apsw.Connection, publication: Publication) -> bool:
    stored = _stored(db, publication.slot)
    if stored is None:
        return False
    slot_id, slot = stored
    is_next = slot.revision + 1 == publication.slot_revision
    if slot.unsettled is not None or not is_next or slot.version != publication.slot_version:
        return False
    row = (publication.identifier, slot_id, *publication_row(publication))
    db.execute(sql.INSERT_PUBLICATION, row)
    due_at = next_look(publication, slot)
    db.execute(
        sql.INTEND_SLOT, (publication.slot_revision, publication.identifier, due_at, slot_id)
    )
    return True


def _advanced(db: apsw.Connection, before: Publication, after: Publication) -> bool:
    row = (*publication_row(after), before.identifier, before.step)
    db.execute(sql.UPDATE_PUBLICATION, row)
    if not db.changes():
        return False
    stored = _stored(db, after.slot)
    if stored is None or stored[1].unsettled != after.identifier:
        return True
    slot_id, slot = stored
    due_at = next_look(after, slot)
    if after.state.is_settled:
        confirmed = text_or_null(confirmed_after(after, slot))
        earlier = earlier_text((*slot.earlier, after.total))
        db.execute(sql.SETTLE_SLOT, (confirmed, earlier, due_at, slot_id))
    else:
        db.execute(sql.LOOK_AT_SLOT, (due_at, slot_id))
    return True


def _adjusted(db: apsw.Connection, before: Slot, after: Slot) -> bool:
    stored = _stored(db, before.key)
    if stored is None:
        return False
    slot_id, slot = stored
    is_read = (slot.version, slot.revision, slot.confirmed) == (
        before.version,
        before.revision,
        before.confirmed,
    )
    if not is_read or slot.unsettled is not None:
        return False
    row = (text_or_null(after.confirmed), earlier_text(after.earlier), after.due)
    db.execute(sql.ADJUST_SLOT, (*row, slot_id))
    return True
