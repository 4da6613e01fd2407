"""The schema's numbered versions: which the file has, and how it gets the others.

A migration is a file `migrations/NNNN_name.sql`. It is applied once, in one transaction, and its
checksum is kept, so that a changed one is found out. A file that is newer than this program is
refused, since nobody here knows what its rows mean.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from tallystick.domain.errors import StoreUnavailable

APPLICATION_ID: Final = 0x7A11_571C
"""In the file's header, so that no other program's database is taken for ours."""

READ_APPLICATION_ID: Final = "PRAGMA application_id"
WRITE_APPLICATION_ID: Final = "PRAGMA application_id = 2047956764"
COUNT_TABLES: Final = "SELECT count(*) FROM sqlite_schema"
CREATE_APPLIED: Final = """
    CREATE TABLE IF NOT EXISTS migration (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL
    ) STRICT
"""
SELECT_APPLIED: Final = "SELECT number, name, checksum FROM migration ORDER BY number"
INSERT_APPLIED: Final = "INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Those that came with this program, in order."""
    folder = resources.files(__package__) / "migrations"
    scripts = sorted(
        (found for found in folder.iterdir() if found.name.endswith(".sql")),
        key=lambda found: found.name,
    )
    return tuple(
        Migration(int(script.name[:4]), script.name[5:-4], script.read_text("utf-8"))
        for script in scripts
    )


def migrate(path: Path, db: apsw.Connection, known: tuple[Migration, ...]) -> None:
    """Bring the file to the last known version; each step wholly or not at all.

    Two programs that open a file at once take turns, and the second finds it done.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        _check_ours(path, db)
        db.execute(CREATE_APPLIED)
        applied = len(_checked_applied(path, db, known))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    for migration in known[applied:]:
        _apply(path, db, migration, known)


def _check_ours(path: Path, db: apsw.Connection) -> None:
    ((application_id,),) = db.execute(READ_APPLICATION_ID).fetchall()
    ((tables,),) = db.execute(COUNT_TABLES).fetchall()
    if application_id == APPLICATION_ID:
        return
    if tables or application_id:
        raise StoreUnavailable(
            f"the file {path} belongs to another program: give the store a file of its own"
        )
    db.execute(WRITE_APPLICATION_ID)


def _checked_applied(
    path: Path, db: apsw.Connection, known: tuple[Migration, ...]
) -> list[tuple[int, str, str]]:
    applied = [(int(n), str(name), str(c)) for n, name, c in db.execute(SELECT_APPLIED)]
    if len(applied) > len(known):
        raise StoreUnavailable(
            f"the store {path} was written by a newer Tallystick (schema {applied[-1][0]}, and "
            f"this one knows {known[-1].number}): upgrade Tallystick"
        )
    for (number, name, checksum), migration in zip(applied, known, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise StoreUnavailable(
                f"the store {path} has another schema {number} ({name}) than this Tallystick: "
                "use the release that wrote it, or restore a backup"
            )
    return applied


def _apply(
    path: Path, db: apsw.Connection, migration: Migration, known: tuple[Migration, ...]
) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        if len(_checked_applied(path, db, known)) < migration.number:
            # The driver runs a script of several statements only as far as it is read.
            for _ in db.execute(migration.script):
                pass
            row = (migration.number, migration.name, migration.checksum)
            db.execute(INSERT_APPLIED, row)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
