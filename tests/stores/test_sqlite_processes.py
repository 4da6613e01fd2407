"""Several processes on one file, and processes that die in the middle of their work."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tallystick.domain.aggregate import refold
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording

ROUNDS = 6
BATCH = 7
LINES_PER_LIFE = 40
OPENERS = 4
ROUNDS_OF_OPENING = 40

RECORD_ALL = """
import sys
from pathlib import Path
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording

store = SqliteStore.open(Path(sys.argv[1]), incarnation="child")
first, last, size = map(int, sys.argv[2:])
sys.stdin.readline()
for number in range(first, last, size):
    batch = [recording(event(f"e{n}")) for n in range(number, number + size)]
    receipts = [recorded.receipt for recorded in store.events.record(batch, NOON)]
    print(number, *receipts, flush=True)
"""


def child(path: Path, first: int, last: int, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORD_ALL, str(path), str(first), str(last), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def assert_counted_once(store: SqliteStore, acked: set[str]) -> None:
    """Every acked event is there, and the Aggregate is the fold of what is there, each once."""
    stored = [e.key for e in store.events.events(limit=1_000_000).elements]
    (aggregate,) = store.events.aggregates().elements
    changes = store.events.changes(aggregate.key, limit=1_000_000)

    assert acked <= set(stored)
    assert len(stored) == len(set(stored)) == aggregate.position == len(changes)
    assert sorted(change.contribution.event_key for change in changes) == sorted(stored)
    assert refold(change.contribution for change in changes) == aggregate.tally
    assert store.integrity_check() == ()


def test_two_processes_that_record_the_same_events_count_each_once(tmp_path: Path):
    path = tmp_path / "tally.db"
    children = [child(path, 0, 400, 20) for _ in range(2)]
    for running in children:
        running.stdin.write("\n")
        running.stdin.flush()
    answers = [running.communicate(timeout=300)[0] for running in children]

    assert [running.returncode for running in children] == [0, 0]
    receipts = " ".join(answers).split()
    assert receipts.count("recorded") == 400
    assert receipts.count("duplicate") == 400
    store = SqliteStore.open(path, incarnation="here")
    assert_counted_once(store, {f"e{n}" for n in range(400)})
    store.close()


def test_programs_that_make_the_same_new_file_at_once_take_turns(tmp_path: Path):
    def opened(path: Path, start: threading.Barrier) -> None:
        start.wait()
        SqliteStore.open(path, incarnation="here").close()

    with ThreadPoolExecutor(OPENERS) as pool:
        for number in range(ROUNDS_OF_OPENING):
            start = threading.Barrier(OPENERS)
            path = tmp_path / f"tally-{number}.db"
            openings = [pool.submit(opened, path, start) for _ in range(OPENERS)]
            assert [opening.exception() for opening in openings] == [None] * OPENERS


@pytest.mark.kill
def test_what_was_acked_survives_kills_at_any_moment(tmp_path: Path):
    path = tmp_path / "tally.db"
    acked: set[str] = set()
    first = 0
    for _ in range(ROUNDS):
        running = child(path, first, 10**9, BATCH)
        running.stdin.write("\n")
        running.stdin.flush()
        for _ in range(LINES_PER_LIFE):
            number = int(running.stdout.readline().split()[0])
            acked |= {f"e{n}" for n in range(number, number + BATCH)}
        os.kill(running.pid, signal.SIGKILL)
        with running:  # not communicate, which forgets what a line read had brought along
            rest = running.stdout.read()
        for line in rest.splitlines(keepends=True):
            if line.endswith("\n"):
                number = int(line.split()[0])
                acked |= {f"e{n}" for n in range(number, number + BATCH)}
        first = number  # the last acked batch once more, and what may be half-way

        store = SqliteStore.open(path, incarnation="here")
        assert_counted_once(store, acked)
        again = store.events.record([recording(event(key)) for key in sorted(acked)], NOON)
        assert {recorded.receipt for recorded in again} == {"duplicate"}
        store.close()


def test_a_process_that_dies_before_its_commit_leaves_nothing(tmp_path: Path):
    path = tmp_path / "tally.db"
    store = SqliteStore.open(path, incarnation="here")
    store.events.record([recording(event("e1"))], NOON)
    dying = subprocess.run(
        [sys.executable, "-c", DIE_HALF_WAY, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=300,
    )

    assert dying.returncode == 9
    assert_counted_once(store, {"e1"})
    assert store.events.event("acme", "e2") is None
    store.events.record([recording(event("e2"))], NOON)
    assert_counted_once(store, {"e1", "e2"})
    store.close()


DIE_HALF_WAY = """
import os, sys
from pathlib import Path
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording

store = SqliteStore.open(Path(sys.argv[1]), incarnation="child")

def part(db):
    store.events._recorder.record(db, [recording(event("e2"))], NOON, store._writer.begun)
    os._exit(9)

store._writer.write(part)
"""
