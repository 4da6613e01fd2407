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
from tallystick.stores.sqlite.accounts import Kept
from tallystick.stores.sqlite.gathering import NOTHING, gathered, read_stretch
from tallystick.stores.sqlite.key_hashes import read_hash
from tallystick.stores.sqlite.key_index import KeyIndex, Recent
from tallystick.stores.sqlite.pages import Row, row_of
from tallystick.stores.sqlite.recording import Recordings, State
from tallystick.stores.sqlite.sizes import Sizes

FILE_VERSION = "PRAGMA data_version"


class Recorder:
    """The part of each transaction that records events. The writer runs one part at a time."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._index: KeyIndex | None = None
        self._kept = Kept()
        self._waiting = NOTHING
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
        state, version = _state(db), row_of(db, FILE_VERSION)[0]
        is_as_left = self._left == (*state, db.total_changes(), version)
        is_first = transaction != self._transaction
        index = self._resumed(db, state, is_as_left=is_as_left, is_first=is_first)
        self._left, self._transaction = (), transaction
        recordings = Recordings(
            db, now, state=state, kept=self._kept, index=index, sizes=self._sizes
        )
        recorded = recordings.record_all(batch)
        index.add(recordings.hashes, recordings.state.event_id)
        index.keep_up(db, len(recordings.hashes))
        for size in recordings.segments:
            self._waiting = gathered(db, self._waiting, size, self._sizes)
        self._left = (*recordings.state, db.total_changes(), version)
        return recorded

    def _resumed(
        self, db: apsw.Connection, state: State, *, is_as_left: bool, is_first: bool
    ) -> KeyIndex:
        if is_as_left:
            self._kept.forget_most(self._sizes.accounts_max)
        else:
            self._kept, self._waiting = Kept(), read_stretch(db, self._sizes)
        if self._index is None:
            self._index = KeyIndex(read_hash(db, self._sizes), self._sizes)
        self._index.resume(db, state.event_id, is_as_left=is_as_left, is_first=is_first)
        return self._index


def _state(db: apsw.Connection) -> State:
    return State(*row_of(db, sql.SELECT_EVENTS_STATE))
