"""Connections to the file: how they are opened, who may use one, and what their errors mean.

No error of the driver leaves this store: each becomes StoreUnavailable with a sentence that says
what to do. Statements of several parts run one by one, since the driver stops at the first that
returns a row.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.slot import SlotKey, slot_partition

BUSY_TIMEOUT_MS: Final = 10_000
READERS_IDLE_MAX: Final = 8
WRITER_CACHE: Final = "PRAGMA cache_size = -32768"
READER_CACHE: Final = "PRAGMA cache_size = -8192"
CHECKPOINT_PAGES: Final = 4_000
WRITE_AHEAD: Final = "PRAGMA journal_mode = wal"
SWITCH_RETRY_MS: Final = 5
OWNER_ONLY: Final = 0o600

Refusal = Callable[[], StoreUnavailable]
"""Makes the error for each call that is refused: one error must not be raised by two threads."""

_ADVICE: Final = (
    (apsw.BusyError, "is busy with another program's write: try again, or end that program"),
    (apsw.LockedError, "is locked: try again"),
    (apsw.FullError, "or its disk is full: free some space and try again"),
    (apsw.ReadOnlyError, "cannot be written: check the permissions of the file and its folder"),
    (apsw.PermissionsError, "cannot be opened: check the permissions of the file and its folder"),
    (apsw.CantOpenError, "cannot be opened: check that the folder exists and may be written"),
    (apsw.IOError, "cannot be read or written: check the disk, then open the store again"),
    (apsw.CorruptError, "is damaged: stop, and restore a backup with `tallystick restore`"),
    (apsw.NotADBError, "is no SQLite database: check the path of the store"),
    (apsw.NoMemError, "needs more memory than there is: free some and try again"),
)


def unavailable(path: Path, error: apsw.Error) -> StoreUnavailable:
    """What the driver's error means to whoever runs this."""
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), None)
    if advice is None:
        advice = "did not do what was asked; please report this as a bug"
    return StoreUnavailable(f"the store {path} {advice} ({type(error).__name__}: {error})")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Within, an error of the driver becomes StoreUnavailable."""
    try:
        yield
    except apsw.Error as error:
        raise unavailable(path, error) from error


def open_writer(
    path: Path, *, create: bool, vfs: str = "", busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> apsw.Connection:
    """A connection that may write; a commit on it is on stable storage when it returns."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    if create:
        make_private(path)
    db = _open(path, flags, vfs, busy_timeout_ms)
    if _journal_mode(db, busy_timeout_ms) != "wal":
        db.close()
        raise StoreUnavailable(
            f"the store {path} cannot use a write-ahead log: move it to a local disk"
        )
    db.execute("PRAGMA synchronous = full")
    db.execute("PRAGMA foreign_keys = on")
    db.execute(WRITER_CACHE)
    db.wal_autocheckpoint(CHECKPOINT_PAGES)
    return db


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone may read, where there is none; SQLite's files beside
    it get the same permissions. Where that fails, opening it says why."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))


def _journal_mode(db: apsw.Connection, busy_timeout_ms: int) -> str:
    """The mode after a switch to the write-ahead log.

    SQLite does not wait for its busy timeout in this one statement (two that switch a new file
    could wait for each other), so that whoever comes second tries again here.
    """
    for _ in range(busy_timeout_ms // SWITCH_RETRY_MS):
        try:
            return str(db.execute(WRITE_AHEAD).fetchall()[0][0])
        except apsw.BusyError:
            threading.Event().wait(SWITCH_RETRY_MS / 1_000)
    return str(db.execute(WRITE_AHEAD).fetchall()[0][0])


def open_reader(
    path: Path, *, vfs: str = "", busy_timeout_ms: int = BUSY_TIMEOUT_MS
) -> apsw.Connection:
    """A connection that only reads."""
    db = _open(path, apsw.SQLITE_OPEN_READWRITE, vfs, busy_timeout_ms)
    db.execute("PRAGMA query_only = on")
    db.execute(READER_CACHE)
    db.create_scalar_function("slot_partition", _slot_partition, 5, deterministic=True)
    return db


def _slot_partition(*key: "apsw.SQLiteValue") -> int:
    route, account, destination, counter, start = (str(part) for part in key)
    return slot_partition(SlotKey(route, account, destination, counter, int(start)))


def _open(path: Path, flags: int, vfs: str, busy_timeout_ms: int) -> apsw.Connection:
    # An absolute path, so that no name is taken for SQLite's special ones (':memory:').
    db = apsw.Connection(str(path.absolute()), flags=flags, vfs=vfs or None)
    db.set_busy_timeout(busy_timeout_ms)
    return db


class Readers:
    """Connections for reading: each is used by one thread at a time, idle ones are kept."""

    def __init__(self, path: Path, *, vfs: str, busy_timeout_ms: int) -> None:
        self._path = path
        self._vfs = vfs
        self._busy_timeout_ms = busy_timeout_ms
        self._idle: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._refusal: Refusal | None = None

    @contextmanager
    def snapshot(self) -> Iterator[apsw.Connection]:
        """One state of the store for all that is read within; the writer goes on meanwhile."""
        with translated(self._path):
            db = self._taken()
            try:
                db.execute("BEGIN")
                yield db
            finally:
                self._put_back(db)

    def refuse(self, refusal: Refusal) -> None:
        """Read no more."""
        with self._lock:
            self._refusal = self._refusal or refusal
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    def _taken(self) -> apsw.Connection:
        with self._lock:
            if self._refusal:
                raise self._refusal()
            if self._idle:
                return self._idle.pop()
        return open_reader(self._path, vfs=self._vfs, busy_timeout_ms=self._busy_timeout_ms)

    def _put_back(self, db: apsw.Connection) -> None:
        if db.in_transaction:
            db.execute("ROLLBACK")
        with self._lock:
            if not self._refusal and len(self._idle) < READERS_IDLE_MAX:
                self._idle.append(db)
                return
        db.close()
