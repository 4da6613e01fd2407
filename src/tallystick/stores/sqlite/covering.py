"""Runs over events that are in none: an older store was opened, or runs were lost or damaged."""

from typing import TYPE_CHECKING

import apsw

from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.key_hashes import KeyHash, hashed_events, last_event, read_hash
from tallystick.stores.sqlite.sizes import Sizes

if TYPE_CHECKING:
    from tallystick.stores.sqlite.key_runs import Run


def cover_all(db: apsw.Connection, sizes: Sizes) -> None:
    """Write runs until all but the recent events are in one; some at a time, each for good. Where
    there is much to do, an older store was opened, or the runs were lost."""
    while _cover_some(db, sizes):
        pass


def _cover_some(db: apsw.Connection, sizes: Sizes) -> bool:
    db.execute("BEGIN IMMEDIATE")
    try:
        covered = max((run.last_event_id for run in runs_of(db)), default=0)
        is_much = last_event(db) - covered > 2 * sizes.recent_max
        if is_much:
            key_hash = read_hash(db, sizes)
            cover(db, key_hash, sizes, covered, covered + sizes.recent_max)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return is_much


def cover(db: apsw.Connection, key_hash: KeyHash, sizes: Sizes, after: int, upto: int) -> None:
    """Write runs of the events with after < id <= upto, in the caller's transaction."""
    from tallystick.stores.sqlite.key_runs import write_run  # noqa: PLC0415

    while after < upto:
        last = min(after + sizes.recent_max, upto)
        write_run(db, after + 1, last, list(hashed_events(db, key_hash, after, last)))
        after = last


def runs_of(db: apsw.Connection) -> "tuple[Run, ...]":
    """Without the import of what reads them, while there are none."""
    if db.execute(sql.HAS_RUNS).fetchone() is None:
        return ()
    from tallystick.stores.sqlite import key_runs  # noqa: PLC0415

    return key_runs.runs_of(db)
