"""What the event log knows between two calls of `record`, and when that is still true.

It is true while the file is as the last call left it: no other program committed since, nothing
else was written through this connection, and nothing of that call was undone.

    last call:  reads, writes, leaves (state, changes of this connection, version of the file)
    this call:  finds the same three   -> goes on with what it knows
                finds another          -> forgets it, and reads the keys that it has not seen

What a call adds becomes known for good with the first call of a later transaction that finds it.
"""

from collections.abc import Sequence

import apsw

from tallystick.ports import Recorded, Recording
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.accounts import Accounts, Kept
from tallystick.stores.sqlite.key_index import Indexing, KeyIndex, Recent, read_hash
from tallystick.stores.sqlite.pages import Row, row_of
from tallystick.stores.sqlite.recording import Recordings, State

FILE_VERSION = "PRAGMA data_version"


class Recorder:
    """The part of each transaction that records events. The writer runs one part at a time."""

    def __init__(self, indexing: Indexing) -> None:
        self._indexing = indexing
        self._index: KeyIndex | None = None
        self._kept = Kept()
        self._left: Row = ()
        self._transaction = 0

    @property
    def recents(self) -> tuple[Recent, ...]:
        """Keys in memory, for readers, who verify what they find."""
        return () if self._index is None else self._index.recents

    def record(
        self, db: apsw.Connection, batch: Sequence[Recording], now: int, transaction: int
    ) -> tuple[Recorded, ...]:
        """`transaction` is another number for each."""
        state = _state(db)
        index = self._resumed(db, state, is_first=transaction != self._transaction)
        self._left, self._transaction = (), transaction
        recordings = Recordings(
            db,
            now,
            state=state,
            accounts=Accounts(db, self._kept, state.aggregate_id),
            tenant_ids=self._kept.tenant_ids,
            index=index,
        )
        recorded = recordings.record_all(tuple(batch))
        index.add(recordings.hashes, recordings.last_id)
        index.keep_up(db, len(recordings.hashes))
        self._left = _mark(db, _state(db))
        return recorded

    def _resumed(self, db: apsw.Connection, state: State, *, is_first: bool) -> KeyIndex:
        is_as_left = self._left == _mark(db, state)
        if is_as_left:
            self._kept.forget_most()
        else:
            self._kept = Kept()
        if self._index is None:
            self._index = KeyIndex(read_hash(db, self._indexing), self._indexing)
        self._index.resume(db, state.event_id, is_as_left=is_as_left, is_first=is_first)
        return self._index


def _state(db: apsw.Connection) -> State:
    event_id, aggregate_id, tenant_id, has_voids = row_of(db, sql.SELECT_EVENTS_STATE)
    return State(
        event_id=event_id,
        aggregate_id=aggregate_id,
        tenant_id=tenant_id,
        has_voids=bool(has_voids),
    )


def _mark(db: apsw.Connection, state: State) -> Row:
    (version,) = row_of(db, FILE_VERSION)
    last = (state.event_id, state.aggregate_id, state.tenant_id)
    return (*last, db.total_changes(), version)
