"""Many writers of one Aggregate at once: exact, in turn, and hardly one refused.

What the turns rest on is tested step by step in tests/stores/test_dynamodb_turns.py.
"""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from bench import dynamodb_writers
from tallystick.domain.event import Receipt
from tallystick.stores.dynamodb import DynamoStore, turns
from tallystick.stores.dynamodb.event_rows import Line, line_of
from tallystick.stores.dynamodb.layout import aggregate_place
from tallystick.stores.dynamodb.table import Table
from tallystick.testing.contract.steps import every, find
from tallystick.testing.factories import NOON, aggregate_key, event, recording
from tests.aws.conftest import client_of

WRITERS = 8
BATCHES = 12
BATCH = 5

pytestmark = pytest.mark.aws


class Refusals:
    """A client that counts the transactions that were refused."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.number = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **asked: object) -> Any:
        try:
            return self._client.transact_write_items(**asked)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            self.number += any(r.get("Code") == "ConditionalCheckFailed" for r in reasons)
            raise


def test_eight_writers_of_one_aggregate_are_exact_and_outrun_each_other_once_at_most(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
):
    """Nobody is passed over and nobody takes itself to be alone, however slow the machine. So who
    was refused waits its turn from then on: each writer is refused once before that, and comes in
    the way of one turn at most."""
    monkeypatch.setattr(turns, "LOOKS_MAX", 600)  # minutes in which nobody writes
    monkeypatch.setattr(turns, "ALONE_MAX", 10**9)
    name = f"crowd-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    clients = [Refusals(client_of(endpoint)) for _ in range(WRITERS)]
    stores = [opened(client, name) for client in clients]
    for client in clients:
        client.number = 0  # a store that is opened asks whether it is the first

    with ThreadPoolExecutor(WRITERS) as pool:
        told = Counter[Receipt]()
        for receipts in pool.map(report_all, stores, range(WRITERS)):
            told += receipts

    number = WRITERS * BATCHES * BATCH
    aggregate = find(stores[0])
    assert told == {Receipt.RECORDED: number}
    assert (aggregate.value, aggregate.position) == (number, number)
    assert len({found.key for found in every(stores[0].events.events)}) == number
    assert len(stores[0].events.changes(aggregate_key(), limit=number + 1)) == number
    assert sum(client.number for client in clients) <= 2 * WRITERS
    assert line(endpoint, name).is_empty


def test_what_eight_writers_report_all_at_once_counts_once(endpoint: str):
    """The same events from all: one receipt says recorded, the others that they are known."""
    name = f"crowd-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    stores = [opened(client_of(endpoint), name) for _ in range(WRITERS)]

    with ThreadPoolExecutor(WRITERS) as pool:
        told = sum(pool.map(report_all, stores, [0] * WRITERS), Counter[Receipt]())

    number = BATCHES * BATCH
    assert told == {Receipt.RECORDED: number, Receipt.DUPLICATE: (WRITERS - 1) * number}
    assert find(stores[0]).value == number


def test_the_bench_of_writers_proves_its_total(endpoint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dynamodb_writers, "BATCHES", 6)

    run = dynamodb_writers.crowd(endpoint, 2, 0)

    assert (len(run.waits), run.asked["put_item"]) == (6, 6 + 2 * 2)  # logs, and directories
    assert dynamodb_writers.line_of(run).startswith("| 2 | ")


def opened(client: Any, name: str) -> DynamoStore:
    chance = random.SystemRandom().random
    return DynamoStore.open(client, name, incarnation="here", writer=uuid4().hex, chance=chance)


def report_all(store: DynamoStore, writer: int) -> Counter[Receipt]:
    told = Counter[Receipt]()
    for number in range(BATCHES):
        batch = [recording(event(f"{writer} {number} {n}")) for n in range(BATCH)]
        told.update(each.receipt for each in store.events.record(batch, NOON))
    return told


def line(endpoint: str, name: str) -> Line:
    """Who waits at the Aggregate."""
    table = Table(client_of(endpoint), name, turns.Pausing(lambda: 0.5))
    return line_of(table.get(aggregate_place(aggregate_key())))
