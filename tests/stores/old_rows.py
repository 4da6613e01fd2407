"""A store as it was before there were segments: each event a row, each change another."""

from pathlib import Path

import apsw

from tallystick.stores.sqlite.rows import text_of
from tallystick.stores.sqlite.segment_statements import SELECT_TAKEN_OUT
from tallystick.stores.sqlite.stored import Stored

INSERT_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_CHANGE = """
    INSERT INTO change (aggregate_id, position, event_id, quantity, member, is_live, differs)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
ENDED = (
    "DELETE FROM segment",
    "DELETE FROM segment_part",
    "DELETE FROM segment_tenant",
    "DELETE FROM signpost",
    "DELETE FROM taken_out",
    "DELETE FROM key_page",
    "DELETE FROM key_run",
    "UPDATE aggregate SET segment_id = 0",
)


def write_as_rows(path: Path) -> int:
    """Turn every segment of a closed store into rows; how many events there are."""
    db = apsw.Connection(str(path))
    with db:
        stored = Stored(db)
        ids = [row[0] for row in stored.events("", None, 0, 1_000_000)]
        rows = [_event(stored, event_id) for event_id in ids]
        changes = [row for event_id in ids for row in _changes(db, stored, event_id)]
        for statement in ENDED:
            db.execute(statement)
        db.executemany(INSERT_EVENT, rows)
        db.executemany(INSERT_CHANGE, changes)
    db.close()
    return len(ids)


def _event(stored: Stored, event_id: int) -> tuple[object, ...]:
    event, (tenant_id, key) = stored.event(event_id), stored.name(event_id)
    counted = " ".join(f"{place[0]}:{place[1]}" for place in stored.places(event_id))
    instants = (event.occurred_at, event.received_at)
    told = (event.code, text_of(event.quantity), event.properties, event.fingerprint, event.voids)
    return (event_id, tenant_id, *instants, key, *told, counted)


def _changes(db: apsw.Connection, stored: Stored, event_id: int) -> list[tuple[object, ...]]:
    found = []
    for aggregate_id, position, (quantity, member, differs, *_), _ in stored.places(event_id):
        gone = {at for (at,) in db.execute(SELECT_TAKEN_OUT, (aggregate_id,))}
        is_live = int(position not in gone)
        found.append((aggregate_id, position, event_id, quantity, member, is_live, differs))
    return found
