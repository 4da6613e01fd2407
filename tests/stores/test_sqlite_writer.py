"""Group commit: many calls, one transaction, each its own outcome; and what no commit answers."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import apsw
import pytest

from tallystick.domain.errors import StoreLost, StoreUnavailable
from tallystick.domain.event import Receipt
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording

LOCK_WAIT = 300


class FailingFile(apsw.VFSFile):
    def __init__(self, vfs: "FailingVfs", name: str, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.vfs = vfs

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.vfs.is_failing:
            raise apsw.IOError("the disk is gone")
        super().xSync(flags)


class FailingVfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("failing", "")
        self.is_failing = False

    def xOpen(self, name: str, flags: list[int]) -> FailingFile:  # noqa: N802
        return FailingFile(self, name, flags)


@pytest.fixture
def vfs() -> Iterator[FailingVfs]:
    failing = FailingVfs()
    yield failing
    failing.unregister()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    yield opened
    opened.close()


class Held:
    """Another transaction under way, so that calls have to wait and are folded together."""

    def __init__(self, store: SqliteStore) -> None:
        self._begun, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=store._writer.write, args=(self._part,))
        self._writer = store._writer

    def _part(self, db: apsw.Connection) -> None:
        self._begun.set()
        assert self._ended.wait(LOCK_WAIT)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._begun.wait(LOCK_WAIT)
        return self

    def until_waiting(self, calls: int) -> None:
        while len(self._writer._waiting) < calls:
            self._ended.wait(0.001)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def in_threads(held: Held, *calls) -> list[object]:
    """What each call returned or raised, all waiting for the same transaction."""
    outcomes: list[object] = [None] * len(calls)

    def keep(place, call):
        try:
            outcomes[place] = call()
        except (StoreUnavailable, ZeroDivisionError, KeyboardInterrupt) as error:
            outcomes[place] = error

    threads = [threading.Thread(target=keep, args=pair) for pair in enumerate(calls)]
    for waiting, thread in enumerate(threads, start=1):
        thread.start()
        held.until_waiting(waiting)
    held.__exit__()
    for thread in threads:
        thread.join()
    return outcomes


def recorder(store: SqliteStore, key: str):
    return lambda: store.events.record([recording(event(key))], NOON)[0].receipt


def test_calls_that_wait_share_one_commit(store: SqliteStore):
    with Held(store) as held:
        before = store.commits
        outcomes = in_threads(held, *(recorder(store, f"e{n}") for n in range(20)))

    assert outcomes == [Receipt.RECORDED] * 20
    assert store.commits - before == 2  # the one that was under way, and one for all the others
    (aggregate,) = store.events.aggregates().elements
    assert (aggregate.position, aggregate.value) == (20, 20)


def test_the_same_event_from_many_threads_counts_once(store: SqliteStore):
    with Held(store) as held:
        outcomes = in_threads(held, *(recorder(store, "e1") for _ in range(8)))

    assert sorted(outcomes) == [Receipt.DUPLICATE] * 7 + [Receipt.RECORDED]
    assert store.events.aggregates().elements[0].value == 1


def test_what_one_call_raises_leaves_its_neighbours_alone(store: SqliteStore):
    def broken() -> None:
        def part(db: apsw.Connection) -> None:
            db.execute("INSERT INTO event_tenant (name) VALUES ('half')")
            raise ZeroDivisionError

        store._writer.write(part)

    with Held(store) as held:
        outcomes = in_threads(held, recorder(store, "e1"), broken, recorder(store, "e2"))

    assert isinstance(outcomes[1], ZeroDivisionError)
    assert outcomes[::2] == [Receipt.RECORDED, Receipt.RECORDED]
    with store._readers.snapshot() as db:
        names = db.execute("SELECT name FROM event_tenant").fetchall()
    assert ("half",) not in names
    assert store.events.aggregates().elements[0].value == 2


def test_an_error_of_a_call_alone_undoes_it(store: SqliteStore):
    def part(db: apsw.Connection) -> None:
        db.execute("INSERT INTO switch (name, state) VALUES ('half', '1')")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store._writer.write(part)

    assert store.catalog.switches() == {}
    assert recorder(store, "e1")() is Receipt.RECORDED


def test_an_interrupted_leader_lets_the_others_go_on(store: SqliteStore):
    def part(db: apsw.Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._writer.write(part)

    assert recorder(store, "e1")() is Receipt.RECORDED


def test_who_shares_a_transaction_with_an_interrupted_leader_is_told_to_try_again(
    store: SqliteStore,
):
    def interrupted() -> None:
        def part(db: apsw.Connection) -> None:
            raise KeyboardInterrupt

        store._writer.write(part)

    with Held(store) as held:
        outcomes = in_threads(held, recorder(store, "e1"), interrupted, recorder(store, "e2"))

    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert [type(outcome) for outcome in outcomes[1:]] == [StoreUnavailable] * 2
    assert "try again" in str(outcomes[2])
    assert store.events.events().elements == ()
    assert recorder(store, "e1")() is Receipt.RECORDED


def test_a_transaction_that_is_lost_half_way_says_so_to_every_call(store: SqliteStore):
    def lost() -> None:
        def part(db: apsw.Connection) -> None:
            db.execute("ROLLBACK")
            raise apsw.FullError("the disk is full")

        store._writer.write(part)

    with Held(store) as held:
        outcomes = in_threads(held, recorder(store, "e1"), lost, recorder(store, "e2"))

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert "Nothing was written" in str(outcomes[0])
    assert store.events.aggregates().elements == ()
    assert recorder(store, "e1")() is Receipt.RECORDED


def test_a_failed_commit_is_unknown_to_every_call_and_ends_all_work(
    tmp_path: Path, vfs: FailingVfs
):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here", vfs="failing")
    assert recorder(store, "e1")() is Receipt.RECORDED

    with Held(store) as held:
        vfs.is_failing = True
        outcomes = in_threads(held, recorder(store, "e2"), recorder(store, "e3"))
    vfs.is_failing = False

    assert [type(outcome) for outcome in outcomes] == [StoreLost] * 2
    with pytest.raises(StoreLost, match="opened again"):
        recorder(store, "e4")()
    with pytest.raises(StoreLost, match="opened again"):
        store.events.event("acme", "e1")
    store.close()


def test_after_a_failed_commit_a_fresh_store_tells_what_happened(tmp_path: Path, vfs: FailingVfs):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here", vfs="failing")
    recorder(store, "e1")()
    vfs.is_failing = True
    with pytest.raises(StoreUnavailable, match="is not known"):
        recorder(store, "e2")()
    vfs.is_failing = False
    store.close()

    again = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    assert recorder(again, "e1")() is Receipt.DUPLICATE
    assert recorder(again, "e2")() in (Receipt.RECORDED, Receipt.DUPLICATE)
    assert again.events.aggregates().elements[0].value == 2
    again.close()


def test_a_full_disk_writes_nothing_and_the_store_goes_on(store: SqliteStore):
    recorder(store, "e1")()
    store._writer._db.execute("PRAGMA max_page_count = 1")

    with pytest.raises(StoreUnavailable, match="free some space"):
        store.events.record([recording(event(f"e{n}")) for n in range(2, 4000)], NOON)
    store._writer._db.execute("PRAGMA max_page_count = 1000000")

    assert store.events.aggregates().elements[0].value == 1
    assert recorder(store, "e2")() is Receipt.RECORDED


def test_another_programs_write_makes_us_wait_and_then_say_so(tmp_path: Path):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here", busy_timeout_ms=50)
    other = apsw.Connection(str(tmp_path / "tally.db"))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable, match="busy"):
        recorder(store, "e1")()
    other.execute("ROLLBACK")

    assert recorder(store, "e1")() is Receipt.RECORDED
    other.close()
    store.close()


def test_a_reader_sees_no_half_of_a_write_and_does_not_wait_for_it(store: SqliteStore):
    recorder(store, "e1")()
    seen = []

    def part(db: apsw.Connection) -> None:
        db.execute("UPDATE aggregate SET position = 99")
        seen.extend(store.events.aggregates().elements)

    store._writer.write(part)

    assert [aggregate.position for aggregate in seen] == [1]
    assert store.events.aggregates().elements[0].position == 99


def test_all_that_one_reading_sees_is_of_one_moment(store: SqliteStore):
    recorder(store, "e1")()
    count = "SELECT sum(count) FROM segment"

    with store._readers.snapshot() as db:
        before = db.execute(count).fetchall()
        recorder(store, "e2")()
        after = db.execute(count).fetchall()

    assert before == after == [(1,)]
    assert len(store.events.events().elements) == 2
