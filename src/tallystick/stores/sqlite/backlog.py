"""What is not done yet in SQLite: each statement reads one partial index, and no further than it
counts."""

import apsw

from tallystick.domain.backlog import COUNTED_MAX, Backlog
from tallystick.domain.dead_letter import Reason
from tallystick.domain.publication import State
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row, row_of

COUNT_AGGREGATES_DUE = """
    SELECT count(*) FROM (
        SELECT 1 FROM aggregate INDEXED BY aggregate_due WHERE is_due = 1 LIMIT ?
    )
"""
SELECT_UNSEALED = """
    SELECT min(window_end) FROM aggregate INDEXED BY aggregate_unsealed
    WHERE is_due = 1 AND is_sealed = 0 AND window_end <= ?
"""
COUNT_UNPUBLISHED = """
    SELECT count(*), min(start) FROM (
        SELECT start FROM slot INDEXED BY slot_unpublished
        WHERE is_due = 1 AND unsettled IS NULL AND total IS NOT confirmed AND closes_at > ?
        ORDER BY closes_at LIMIT ?
    )
"""
COUNT_UNDELIVERED = """
    SELECT count(*) FROM (
        SELECT 1 FROM slot INDEXED BY slot_unpublished
        WHERE is_due = 1 AND unsettled IS NULL AND total IS NOT confirmed AND closes_at <= ?
        LIMIT ?
    )
"""
COUNT_UNSETTLED = """
    SELECT count(*), min(intended_at) FROM (
        SELECT intended_at FROM publication INDEXED BY publication_unsettled
        WHERE settled_at IS NULL AND state = ? ORDER BY intended_at LIMIT ?
    )
"""
COUNT_DEAD_LETTERS = """
    SELECT reason, count(*) FROM (
        SELECT reason FROM dead_letter INDEXED BY dead_letter_open
        WHERE replayed_at IS NULL ORDER BY id DESC LIMIT ?
    ) GROUP BY reason ORDER BY reason
"""


def backlog_of(readers: Readers, now: int) -> Backlog:
    """All of it as of one snapshot."""
    with readers.snapshot() as db:
        unpublished, unpublished_since = row_of(db, COUNT_UNPUBLISHED, (now, COUNTED_MAX))
        unsettled = {state: _unsettled(db, state) for state in State if not state.is_settled}
        letters: list[Row] = db.execute(COUNT_DEAD_LETTERS, (COUNTED_MAX,)).fetchall()
        return Backlog(
            aggregates_due=row_of(db, COUNT_AGGREGATES_DUE, (COUNTED_MAX,))[0],
            unsealed_since=row_of(db, SELECT_UNSEALED, (now,))[0],
            unpublished=unpublished,
            unpublished_since=unpublished_since,
            undelivered=row_of(db, COUNT_UNDELIVERED, (now, COUNTED_MAX))[0],
            unsettled={state: count for state, (count, _) in unsettled.items() if count},
            unsettled_since={state: since for state, (count, since) in unsettled.items() if count},
            dead_letters={Reason(row[0]): row[1] for row in letters},
        )


def _unsettled(db: apsw.Connection, state: State) -> Row:
    return row_of(db, COUNT_UNSETTLED, (str(state), COUNTED_MAX))
