"""Stores as older schemas left them.

`schemas/NNNN.sql` holds the rows that the program of that schema wrote while it went through
`older_life`; the tables come from the migrations of that time, which nobody may change. When a
migration is added, write the rows of the one before it, before the program changes:

    python -m tests.crash.older 4
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.meter import Aggregation
from tallystick.ports import Store
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.migrations import (
    APPLICATION_ID,
    CREATE_APPLIED,
    INSERT_APPLIED,
    known_migrations,
)
from tallystick.testing.contract.steps import intend, report, seal, settle
from tallystick.testing.factories import (
    NOON,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    place,
    tenant,
)

SCHEMAS = Path(__file__).parent / "schemas"
INCARNATION = "older"
KEYS_SINCE = 2
"""The schema that brought API keys."""

METERS = (
    meter(),
    meter("members", Aggregation.UNIQUE_COUNT, value_path="user"),
    meter("peak", Aggregation.MAX),
    meter("floor", Aggregation.MIN),
    meter("level", Aggregation.LATEST),
    meter("mean", Aggregation.AVERAGE),
    meter("by model", dimensions=("model",)),
)
TOLD = tuple(
    event(f"e{n}", f"{n}.25", tenant=name, properties={"user": f"u{n % 2}", "model": f"m{n}"})
    for name in ("acme", "beta")
    for n in range(8)
)
VOIDS = tuple(event(f"v{n}", tenant="acme", voids=f"e{n}") for n in (7, 9))


def older_life(store: Store) -> None:
    """Something of everything that there was in the first schema."""
    for definition in METERS:
        store.catalog.save(definition, override())
    for name in ("acme", "beta"):
        store.catalog.save(tenant(name), override())
        store.catalog.save(mapping(name, destination=f"cus_{name}"), override("so it is billed"))
    report(store, *TOLD, meters=METERS)
    for name in ("acme", "beta"):
        seal(store, aggregate_key(name), into=place(destination=f"cus_{name}"))
    report(store, *VOIDS, meters=METERS)
    report(store, event("e1", 99))
    seal(store, aggregate_key("acme"), into=place(destination="cus_acme"))
    settle(store, intend(store, place(destination="cus_acme").slot))
    intend(store, place(destination="cus_beta").slot)
    letters = [dead_letter(f"letter {n}", waits_for="tenant:gamma") for n in range(3)]
    store.dead_letters.keep(letters)
    store.dead_letters.take(letters[1].id, "recorded", NOON)
    store.catalog.switch("pause:beta", "on", override())


def add_key(store: Store) -> None:
    key = ApiKey(id="older", digest="d" * 64, scopes=(Scope.INGEST,), created_at=NOON)
    store.keys.add(key, override())


def rows_of(path: Path) -> Iterator[str]:
    """Statements that write again what is in the file's tables."""
    db = apsw.Connection(str(path))
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'migration'"
    for (table,) in db.execute(f"{tables} ORDER BY rowid").fetchall():
        columns = [str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")]
        quoted = ", ".join(f"quote({column})" for column in columns)
        for row in db.execute(f"SELECT {quoted} FROM {table}"):  # noqa: S608
            yield f"INSERT INTO {table} ({', '.join(columns)})\nVALUES ({', '.join(row)});\n"
    db.close()


def make_older(path: Path, number: int) -> None:
    """The store as the program of this schema left it."""
    db = apsw.Connection(str(path))
    scripts = [migration.script for migration in known_migrations()[:number]]
    applied = [(m.number, m.name, m.checksum) for m in known_migrations()[:number]]
    rows = (SCHEMAS / f"{number:04}.sql").read_text("utf-8")
    for script in (CREATE_APPLIED, *scripts, rows, "PRAGMA journal_mode = wal"):
        for _ in db.execute(script):
            pass
    db.executemany(INSERT_APPLIED, applied)
    db.pragma("application_id", APPLICATION_ID)
    db.close()


def main(number: int) -> None:
    """Write the rows of the newest schema."""
    known = known_migrations()[:number]
    with TemporaryDirectory() as place_:
        path = Path(place_) / "older.db"
        store = SqliteStore.open(path, incarnation=INCARNATION, migrations=known)
        older_life(store)
        if number >= KEYS_SINCE:
            add_key(store)
        store.close()
        (SCHEMAS / f"{number:04}.sql").write_text("".join(rows_of(path)), "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]))
