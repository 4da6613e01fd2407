"""Processes that report into DynamoDB and are killed in the middle of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tallystick.domain.aggregate import refold
from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing.contract.steps import every
from tallystick.testing.factories import NOON, aggregate_key, event, recording
from tests.aws.conftest import client_of
from tests.aws.test_contract import opened

ROUNDS = 5
WRITERS = 2
BATCH = 7
LINES_PER_LIFE = 6

pytestmark = pytest.mark.aws

RECORD_ALL = """
import sys
from tests.aws.test_contract import opened
from tallystick.testing.factories import NOON, event, recording

endpoint, table, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = opened(endpoint, table, "child")
for number in range(first, 10**9, 7):
    batch = [recording(event(f"e{n}")) for n in range(number, number + 7)]
    store.events.record(batch, NOON)
    print(number, flush=True)
"""


@pytest.fixture
def table(endpoint: str) -> Iterator[str]:
    name = f"killed-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    yield name
    client_of(endpoint).delete_table(TableName=name)


def writer(endpoint: str, table: str, first: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORD_ALL, endpoint, table, str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_what_was_acked_survives_kills_and_counts_once(endpoint: str, table: str):
    """Two writers report the same events, so that each finishes what the other left half-way."""
    store = opened(endpoint, table, "here")
    acked: set[str] = set()
    first = 0
    for _ in range(ROUNDS):
        writers = [writer(endpoint, table, first) for _ in range(WRITERS)]
        seen = []
        for running in writers:
            seen += [int(running.stdout.readline()) for _ in range(LINES_PER_LIFE)]
        for running in writers:
            os.kill(running.pid, signal.SIGKILL)
            with running:  # not communicate, which forgets what a line read had brought along
                rest = running.stdout.read()
            seen += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        acked |= {f"e{n}" for number in seen for n in range(number, number + BATCH)}
        first = max(seen)  # the last acked batch once more, and what may be half-way

        stored = [found.key for found in every(store.events.events)]
        (aggregate,) = store.events.aggregates().elements
        changes = store.events.changes(aggregate_key(), limit=1_000_000)
        assert acked <= set(stored)
        assert len(stored) == len(set(stored)) == aggregate.position == len(changes)
        assert refold(change.contribution for change in changes) == aggregate.tally
    again = store.events.record([recording(event(key)) for key in sorted(acked)], NOON)
    assert {recorded.receipt for recorded in again} == {"duplicate"}
    store.close()
