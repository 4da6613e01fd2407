"""The file as a whole: backups, checks, and listings that go through an index."""

import re
import threading
from pathlib import Path

import pytest

from tallystick.domain.errors import InvalidSetting, StoreUnavailable
from tallystick.stores.sqlite import (
    SqliteStore,
    appending,
    dead_letters,
    ledger,
    outbox_statements,
    segment_statements,
    statements,
)
from tallystick.testing.factories import NOON, event, recording


@pytest.fixture
def store(tmp_path: Path):
    opened = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    yield opened
    opened.close()


def record(store: SqliteStore, first: int, last: int) -> None:
    store.events.record([recording(event(f"e{n}")) for n in range(first, last)], NOON)


def test_a_backup_holds_what_was_acked_before_it(store: SqliteStore, tmp_path: Path):
    record(store, 0, 100)

    store.backup_to(tmp_path / "copy.db")

    copy = SqliteStore.open(tmp_path / "copy.db", incarnation="another")
    assert copy.events.aggregates().elements == store.events.aggregates().elements
    assert copy.incarnation == "here"
    assert copy.integrity_check() == ()
    copy.close()


def test_a_backup_during_writes_is_one_state_of_the_store(store: SqliteStore, tmp_path: Path):
    record(store, 0, 1)
    ended = threading.Event()

    def write() -> None:
        number = 1
        while not ended.is_set():
            record(store, number, number + 10)
            number += 10

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for copy in range(3):
            store.backup_to(tmp_path / f"copy{copy}.db")
    finally:
        ended.set()
        writing.join()

    for copy in range(3):
        backup = SqliteStore.open(tmp_path / f"copy{copy}.db", incarnation="another")
        (aggregate,) = backup.events.aggregates().elements
        events = backup.events.events(limit=100_000).elements
        assert aggregate.position == len(events)
        assert len(events) % 10 == 1
        backup.close()


def test_a_backup_never_overwrites(store: SqliteStore, tmp_path: Path):
    (tmp_path / "copy.db").write_text("precious")

    with pytest.raises(StoreUnavailable, match="exists"):
        store.backup_to(tmp_path / "copy.db")

    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_backup_into_a_folder_that_is_not_there_says_so(store: SqliteStore, tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="folder exists"):
        store.backup_to(tmp_path / "nowhere" / "copy.db")


def test_a_sound_file_has_nothing_wrong_and_a_changed_one_has(store: SqliteStore):
    record(store, 0, 10)
    assert store.integrity_check() == ()

    db = store._writer._db
    db.execute("PRAGMA foreign_keys = off")
    db.execute(
        "INSERT INTO allocation (slot_id, chain_id, line, timestamp, period_start, period_end, "
        "closes_at, quantity) VALUES (7, 7, 7, 0, 0, 1, 1, '1')"
    )

    assert any("allocation" in problem for problem in store.integrity_check())


def test_a_store_keeps_its_incarnation_until_it_is_renewed(tmp_path: Path):
    first = SqliteStore.open(tmp_path / "tally.db", incarnation="first")
    second = SqliteStore.open(tmp_path / "tally.db", incarnation="second")
    assert second.incarnation == "first"

    first.renew_incarnation("third")

    assert second.incarnation == "third"
    first.close()
    second.close()


def test_a_cursor_of_another_listing_is_refused(store: SqliteStore):
    for cursor in ("x", "[1, 2]", '{"a": 1}', '["a"]'):
        with pytest.raises(InvalidSetting, match="another listing"):
            store.events.events(cursor=cursor)


@pytest.mark.parametrize(
    "statement",
    [
        statements.SELECT_AGGREGATES_DUE,
        statements.SELECT_AGGREGATES_OF_TENANT,
        statements.SELECT_AGGREGATES_OF_METER,
        statements.SELECT_EVENTS_OF,
        statements.SELECT_CHANGES,
        segment_statements.SELECT_SEGMENT_AT,
        segment_statements.SELECT_PART_AT,
        segment_statements.SELECT_PARTS,
        segment_statements.SELECT_SEGMENTS_OF,
        segment_statements.SELECT_ROWS_NAMED,
        segment_statements.SELECT_ROW_NAMES,
        segment_statements.SELECT_SIGNPOST,
        segment_statements.SELECT_PAGE,
        segment_statements.SELECT_PAGES,
        statements.SELECT_LIVE,
        statements.COUNT_KEPT_APART,
        statements.CLEAR_AGGREGATE_DUE,
        appending.SELECT_LAST,
        appending.SELECT_HASH,
        ledger.SELECT_LAST_ENTRY,
        ledger.SELECT_BALANCE,
        ledger.SELECT_HOLDINGS,
        ledger.SELECT_ALLOCATIONS,
        ledger.SELECT_ENTRIES_OF_SLOT,
        outbox_statements.SELECT_SLOTS_DUE,
        outbox_statements.SELECT_SLOTS_OF_DESTINATION,
        outbox_statements.SELECT_PUBLICATIONS_UNSETTLED,
        outbox_statements.SELECT_PUBLICATIONS_OF_SLOT,
        outbox_statements.SELECT_PUBLICATION,
        dead_letters.SELECT_LETTERS_WAITING,
    ],
)
def test_a_statement_of_the_daily_work_scans_and_sorts_nothing(store: SqliteStore, statement: str):
    names = re.findall(r":(\w+)", statement)
    bounds = dict.fromkeys(names, "") if names else ("",) * statement.count("?")

    with store._readers.snapshot() as db:
        plan = [str(row[3]) for row in db.execute("EXPLAIN QUERY PLAN " + statement, bounds)]

    assert plan
    assert [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step] == []
