"""How a file gets its schema, and which files are refused."""

from pathlib import Path

import apsw
import pytest

from tallystick.domain.errors import StoreUnavailable
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.migrations import Migration, known_migrations
from tallystick.testing.factories import NOON, event, recording

NEXT = len(known_migrations()) + 1
SECOND = Migration(NEXT, "second", "SELECT 1; SELECT 2; CREATE TABLE second (id INTEGER) STRICT;")

HALF = Migration(NEXT, "half", "CREATE TABLE half (id INTEGER); CREATE TABLE half (x)")


def opened(path: Path, *more: Migration) -> SqliteStore:
    return SqliteStore.open(path, incarnation="here", migrations=(*known_migrations(), *more))


def tables(path: Path) -> set[str]:
    db = apsw.Connection(str(path))
    found = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema")}
    db.close()
    return found


def test_the_migrations_are_numbered_from_one_without_a_gap():
    numbers = [migration.number for migration in known_migrations()]

    assert numbers == list(range(1, len(numbers) + 1))


def test_an_empty_file_becomes_a_store(tmp_path: Path):
    path = tmp_path / "tally.db"
    path.touch()

    opened(path).close()

    assert {"event", "aggregate", "entry", "slot", "publication"} <= tables(path)


def test_an_older_store_gets_what_is_missing_and_keeps_what_it_has(tmp_path: Path):
    path = tmp_path / "tally.db"
    older = opened(path)
    older.events.record([recording(event("e1"))], NOON)
    older.close()

    newer = opened(path, SECOND)

    assert newer.events.event("acme", "e1") is not None
    assert newer.incarnation == "here"
    newer.close()
    assert "second" in tables(path)


def test_a_store_that_is_newer_than_this_program_is_refused(tmp_path: Path):
    path = tmp_path / "tally.db"
    opened(path, SECOND).close()

    with pytest.raises(StoreUnavailable, match=rf"newer Tallystick \(schema {NEXT}.*upgrade"):
        opened(path)


def test_a_migration_that_was_changed_afterwards_is_refused(tmp_path: Path):
    path = tmp_path / "tally.db"
    opened(path, SECOND).close()

    with pytest.raises(StoreUnavailable, match=f"another schema {NEXT}"):
        opened(path, Migration(NEXT, "second", "CREATE TABLE other (id INTEGER) STRICT"))


def test_a_migration_that_fails_leaves_nothing_of_itself(tmp_path: Path):
    path = tmp_path / "tally.db"
    opened(path).close()

    with pytest.raises(StoreUnavailable):
        opened(path, HALF)

    assert "half" not in tables(path)
    opened(path, SECOND).close()


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "other.db"
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE theirs (id INTEGER)")
    db.close()

    with pytest.raises(StoreUnavailable, match="belongs to another program"):
        opened(path)

    assert tables(path) == {"theirs"}


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    path = tmp_path / "tally.db"
    path.write_bytes(b"no database, but long enough to be looked at" * 100)

    with pytest.raises(StoreUnavailable, match="no SQLite database"):
        opened(path)


def test_a_store_that_is_not_there_is_made_only_when_it_may_be(tmp_path: Path):
    path = tmp_path / "tally.db"

    with pytest.raises(StoreUnavailable, match="folder exists"):
        SqliteStore.open(path, create=False, incarnation="here")

    assert not path.exists()
