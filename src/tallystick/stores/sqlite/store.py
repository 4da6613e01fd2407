"""The seven ports on one SQLite file."""

import os
from pathlib import Path
from typing import Final

import apsw

from tallystick.domain.backlog import Backlog
from tallystick.domain.errors import StoreUnavailable
from tallystick.ports import Catalog, Checkpoints, DeadLetters, EventLog, Keys, Ledger, Outbox
from tallystick.stores.sqlite.backlog import backlog_of
from tallystick.stores.sqlite.catalog import SqliteCatalog
from tallystick.stores.sqlite.checkpoints import SqliteCheckpoints
from tallystick.stores.sqlite.connection import (
    BUSY_TIMEOUT_MS,
    Readers,
    make_private,
    open_writer,
    translated,
)
from tallystick.stores.sqlite.covering import cover_all
from tallystick.stores.sqlite.dead_letters import SqliteDeadLetters
from tallystick.stores.sqlite.events import SqliteEventLog
from tallystick.stores.sqlite.keys import SqliteKeys
from tallystick.stores.sqlite.ledger import SqliteLedger
from tallystick.stores.sqlite.migrations import Migration, known_migrations, migrate
from tallystick.stores.sqlite.outbox import SqliteOutbox
from tallystick.stores.sqlite.pages import UNBOUNDED, Row, row_of
from tallystick.stores.sqlite.segment_statements import SELECT_KEYS_OF_RUNS
from tallystick.stores.sqlite.sizes import STANDARD, KeyMemory, Sizes, filter_bytes
from tallystick.stores.sqlite.stored import Stored
from tallystick.stores.sqlite.writer import CLOSED, Writer

INSERT_STORE: Final = "INSERT INTO store (id, incarnation) VALUES (1, ?) ON CONFLICT DO NOTHING"
SELECT_INCARNATION: Final = "SELECT incarnation FROM store"
UPDATE_INCARNATION: Final = "UPDATE store SET incarnation = ?"
CHECK_PAGES: Final = "PRAGMA integrity_check"
CHECK_REFERENCES: Final = "PRAGMA foreign_key_check"
COPY_ALL: Final = -1


class SqliteStore:
    """A store in one file. Several threads and several processes may work on it at once."""

    events: EventLog
    ledger: Ledger
    outbox: Outbox
    catalog: Catalog
    dead_letters: DeadLetters
    keys: Keys
    checkpoints: Checkpoints

    def __init__(
        self, path: Path, writer: Writer, readers: Readers, sizes: Sizes = STANDARD
    ) -> None:
        self._path = path
        self._writer = writer
        self._readers = readers
        self._sizes = sizes
        self.events = SqliteEventLog(writer, readers, sizes)
        self.ledger = SqliteLedger(writer, readers)
        self.outbox = SqliteOutbox(writer, readers)
        self.catalog = SqliteCatalog(writer, readers)
        self.dead_letters = SqliteDeadLetters(writer, readers)
        self.keys = SqliteKeys(writer, readers)
        self.checkpoints = SqliteCheckpoints(writer, readers)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        incarnation: str,
        vfs: str = "",
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        migrations: tuple[Migration, ...] | None = None,
        sizes: Sizes = STANDARD,
    ) -> "SqliteStore":
        """The store in the file, made where there is none (unless `create` is False).

        `incarnation` becomes a new store's; one that exists keeps its own. Raises StoreUnavailable
        with what to do.
        """
        known = known_migrations() if migrations is None else migrations
        with translated(path):
            db = open_writer(path, create=create, vfs=vfs, busy_timeout_ms=busy_timeout_ms)
            try:
                migrate(path, db, known)
                db.execute(INSERT_STORE, (incarnation,))
                cover_all(db, sizes)
            except (apsw.Error, StoreUnavailable):
                db.close()
                raise
        readers = Readers(path, vfs=vfs, busy_timeout_ms=busy_timeout_ms)
        return cls(path, Writer(path, db, on_refusal=readers.refuse), readers, sizes)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def incarnation(self) -> str:
        with self._readers.snapshot() as db:
            return str(row_of(db, SELECT_INCARNATION)[0])

    def renew_incarnation(self, incarnation: str) -> None:
        def part(db: apsw.Connection) -> None:
            db.execute(UPDATE_INCARNATION, (incarnation,))

        self._writer.write(part)

    def backlog(self, now: int) -> Backlog:
        return backlog_of(self._readers, now)

    def key_memory(self) -> KeyMemory:
        """What the filters over the keys that are stored need, and what they may take."""
        with self._readers.snapshot() as db:
            runs: list[Row] = db.execute(SELECT_KEYS_OF_RUNS).fetchall()
        needed = sum(filter_bytes(row[0]) for row in runs)
        return KeyMemory(needed=needed, allowed=self._sizes.filters_max)

    @property
    def commits(self) -> int:
        """How many transactions this object has committed: fewer than calls, when many wait."""
        return self._writer.commits

    def backup_to(self, path: Path) -> None:
        """Copy the store as it is at this moment to a new file; writes go on meanwhile.

        The file appears under its name when it is complete. Raises StoreUnavailable where a file
        of this name exists.
        """
        if path.exists():
            raise StoreUnavailable(f"the file {path} exists: name another for the backup")
        partial = path.with_name(f"{path.name}.partial")
        partial.unlink(missing_ok=True)
        make_private(partial)
        with self._readers.snapshot() as source, translated(partial):
            target = apsw.Connection(str(partial.absolute()))
            try:
                with target.backup("main", source, "main") as copy:
                    copy.step(COPY_ALL)
            finally:
                target.close()
        partial.replace(path)
        _put_on_disk(path.parent)

    def integrity_check(self) -> tuple[str, ...]:
        """What is wrong with the file; nothing where all is well."""
        with self._readers.snapshot() as db:
            pages = [str(row[0]) for row in db.execute(CHECK_PAGES)]
            references = [f"row {row[1]} of {row[0]}" for row in db.execute(CHECK_REFERENCES)]
            segments = Stored(db).segments(0, UNBOUNDED)
            torn = [f"segment {one.id} is damaged" for one in segments if not one.is_sound]
        broken = [f"{row} names what is not there" for row in references] + torn
        return (*(page for page in pages if page != "ok"), *broken)

    def close(self) -> None:
        self._writer.close()
        self._readers.refuse(CLOSED)


def _put_on_disk(folder: Path) -> None:
    """A file's new name is on the disk when its folder is."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
