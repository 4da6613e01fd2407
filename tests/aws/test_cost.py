"""What an event costs: no more than the layout needs, and what docs/cost.md says."""

from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from bench import dynamodb_cost
from bench.units import Index, Metered
from tallystick.stores.dynamodb import DynamoStore
from tallystick.stores.dynamodb.changing import DIGEST_BYTES
from tallystick.stores.dynamodb.layout import DUE_AT, DUE_IN, DUE_INDEX, PARTITION, SORT
from tallystick.testing.contract.steps import publish, report, seal
from tallystick.testing.factories import event, meter
from tests.aws.conftest import client_of

pytestmark = pytest.mark.aws

PAGE = Path("docs/cost.md")
BESIDE = 224
"""More than an item that names events takes beside their digests: its keys, its names."""


@pytest.fixture
def client(endpoint: str) -> Metered:
    name = f"cost-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    index = Index(DUE_INDEX, (DUE_IN, DUE_AT))
    return Metered(client_of(endpoint), name, (PARTITION, SORT), index)


@pytest.fixture
def store(client: Metered) -> DynamoStore:
    return DynamoStore.open(
        client, client._table, incarnation="here", writer=uuid4().hex, chance=lambda: 0.5
    )


@pytest.mark.parametrize(
    ("number", "aggregates"), [(1, 1), (10, 1), (50, 1), (57, 1), (98, 1), (10, 4), (60, 4)]
)
def test_an_event_costs_two_units_and_its_share_of_what_it_is_counted_in(
    store: DynamoStore, client: Metered, number: int, aggregates: int
):
    """Two for the event; for each Aggregate two, and two for each KB that names its events; one for
    each KB of the tenant's log."""
    meters = tuple(meter(f"m{n}") for n in range(aggregates))
    report(store, event("first"), meters=meters)
    client.taken()

    report(store, *(event(f"e{n}") for n in range(number)), meters=meters)

    units = client.taken()
    named = DIGEST_BYTES * number
    share = aggregates * (2 + 2 * kilobytes(named + BESIDE)) + kilobytes(named + BESIDE)
    assert units.requests["transact_write_items"] == 1
    assert units.writes <= 2 * number + share
    assert (units.index, units.reads) == (0, aggregates)


def kilobytes(size: int) -> int:
    return -(-size // 1_024)


def test_fifty_events_of_one_aggregate_cost_21_tenths_each_and_more_hardly_more(
    store: DynamoStore, client: Metered
):
    report(store, event("first"))

    each = {}
    for number in (50, 57, 98, 100, 196):
        client.taken()
        report(store, *(event(f"{number} {n}") for n in range(number)))
        each[number] = round(client.taken().writes / number, 2)

    assert max(each[50], each[98], each[100], each[196]) <= Decimal("2.10")
    assert each[57] <= Decimal("2.14")  # what names them is more than a KB now


def test_what_is_counted_is_what_dynamodb_says_where_it_says_it_right(
    store: DynamoStore, client: Metered
):
    """Its emulator tells too little of transactions, and of what a batch asks for in vain."""
    client.taken()
    report(store, *(event(f"e{n}") for n in range(90)))
    seal(store)
    publish(store)

    units = client.taken()

    kinds = ("put_item", "get_item", "query")
    assert {kind: units.counted[kind] for kind in kinds} == {k: units.told[k] for k in kinds}
    assert min(units.counted[kind] for kind in kinds) > 0


def test_the_page_says_what_an_event_costs(endpoint: str):
    page = PAGE.read_text("utf-8")

    for number in dynamodb_cost.SIZES:
        assert dynamodb_cost.line_of(dynamodb_cost.of_one_aggregate(endpoint, number)) in page
        assert dynamodb_cost.line_of(dynamodb_cost.of_the_reference(endpoint, number)) in page
