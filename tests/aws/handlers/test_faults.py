"""The functions on a DynamoDB that has a bad day, and functions that are killed."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tallystick.domain.dead_letter import Reason
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.aws import ingest
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.stages.recounting import recount
from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing import factories
from tallystick.testing.contract.steps import every
from tests.aws.conftest import client_of
from tests.aws.handlers.calls import batch, envelope, failed, usage
from tests.aws.test_faults import Unsteady, refusal, throttled

pytestmark = pytest.mark.aws

LATER = factories.at("2026-09-02T00:00:00Z")
METERS_TOO_MANY = 60


@pytest.fixture
def store(table: str, call) -> DynamoStore:
    found = cold_start().store
    assert isinstance(found, DynamoStore)
    found.catalog.save(Tenant(id="acme"), factories.override())
    found.catalog.save(Meter(id="api_calls", code="api_calls"), factories.override())
    return found


@pytest.fixture
def client(store: DynamoStore, endpoint: str) -> Unsteady:
    """What the function's store asks, from now on."""
    unsteady = Unsteady(client_of(endpoint))
    store._table._client = unsteady
    return unsteady


def total(store: DynamoStore) -> object:
    return sum(aggregate.value for aggregate in every(store.events.aggregates))


def assert_exact(store: DynamoStore, keys: set[str]) -> None:
    """Each of these is counted once, in its events, its Aggregates and their changes."""
    stored = [event.key for event in every(store.events.events)]
    assert sorted(stored) == sorted(keys)
    assert total(store) == 5 * len(keys)
    assert list(recount(store, LATER)) == []


def numbered(first: int, count: int) -> dict[str, Any]:
    """A batch of messages for these events."""
    return batch(*(usage(EventID=f"k{number}") for number in range(first, first + count)))


def test_a_throttled_table_holds_a_batch_up_and_loses_nothing(store, client, call):
    client.before = throttled(7)

    assert failed(call(ingest.handler, numbered(0, 20))) == []

    assert_exact(store, {f"k{number}" for number in range(20)})


def test_a_table_that_is_throttled_for_long_sends_the_batch_back(store, client, call, monkeypatch):
    monkeypatch.setattr("tallystick.stores.dynamodb.table.TRIES_MAX", 3)
    client.before = lambda _: refusal("ThrottlingException")
    event = numbered(0, 20)

    assert failed(call(ingest.handler, event)) == [f"m{number}" for number in range(20)]

    client.before = lambda _: None
    assert failed(call(ingest.handler, event)) == []
    assert_exact(store, {f"k{number}" for number in range(20)})


def test_what_was_stored_though_the_answer_was_lost_counts_once(store, client, call):
    lost = ReadTimeoutError(endpoint_url="somewhere")
    client.after = lambda name: lost if name == "transact_write_items" else None
    event = numbered(0, 5)

    comes_again = failed(call(ingest.handler, event))

    client.after = lambda _: None
    left = [one for one in event["Records"] if one["messageId"] in comes_again]
    assert failed(call(ingest.handler, {"Records": left})) == []
    assert_exact(store, {f"k{number}" for number in range(5)})


def test_a_message_that_can_never_be_stored_is_kept_and_its_neighbours_are_counted(store, call):
    for number in range(METERS_TOO_MANY):
        store.catalog.save(Meter(id=f"m{number}", code="wide"), factories.override())
    poison = usage(EventID="poison", ProductCode="wide")
    bodies = [*(usage(EventID=f"k{number}") for number in range(4)), poison, usage(EventID="k4")]

    assert failed(call(ingest.handler, batch(*bodies))) == []

    assert_exact(store, {f"k{number}" for number in range(5)})
    assert [letter.reason for letter in store.dead_letters.list().elements] == [Reason.INVALID]


@pytest.mark.parametrize("filler", ["x", '"', "\u20ac", "\\"])
def test_a_detail_as_large_as_an_event_can_be_is_kept_whole(store, call, filler):
    comment = filler * (256 * 1024 // len(json.dumps(filler)[1:-1].encode()) - 1_000)
    body = json.dumps(envelope({"TenantID": "acme", "Quantity": 5, "Comment": comment}))

    assert failed(call(ingest.handler, batch(usage(EventID="k0"), body))) == []

    (letter,) = store.dead_letters.list().elements
    assert (letter.reason, letter.body) == (Reason.INVALID, body)
    assert_exact(store, {"k0"})


COUNT_ALL = """
import sys
from tallystick.entrypoints.aws import ingest
from tests.aws.handlers.calls import Context
from tests.aws.handlers.test_faults import numbered

for first in range(int(sys.argv[1]), 10**9, 10):
    ingest.handler(numbered(first, 10), Context())
    print(first, flush=True)
"""

ROUNDS = 3
BATCHES_PER_LIFE = 4
FUNCTIONS = 2


def function(first: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COUNT_ALL, str(first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_function_that_is_killed_in_mid_batch_loses_nothing_and_doubles_nothing(store, call):
    """Two functions are given the same batches, as a queue may; each dies somewhere in one."""
    first = 0
    for _ in range(ROUNDS):
        running = [function(first) for _ in range(FUNCTIONS)]
        done = []
        for one in running:
            done += [int(one.stdout.readline()) for _ in range(BATCHES_PER_LIFE)]
        for one in running:
            os.kill(one.pid, signal.SIGKILL)
            with one:  # not communicate, which forgets what a line read had brought along
                rest = one.stdout.read()
            done += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        first = max(done)
        stored = {event.key for event in every(store.events.events)}
        assert {f"k{number}" for number in range(first + 10)} <= stored
        assert_exact(store, stored)

    # What was under way comes again.
    assert failed(call(ingest.handler, numbered(first, 30))) == []
    assert_exact(store, {f"k{number}" for number in range(first + 30)})
