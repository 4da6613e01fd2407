"""Several items are not read at one instant: a transaction of somebody else may show in some of
them first. What is decided on such a reading must not be done."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.ledger import Entry
from tallystick.ports import Appended
from tallystick.stores.dynamodb import DynamoStore
from tallystick.stores.dynamodb.layout import (
    PARTITION,
    SORT,
    Place,
    balance_place,
    last_place,
    ledger_partition,
    line_place,
    placed_place,
    slot_place,
)
from tallystick.testing.contract.steps import count, next_of, report, seal, slot_of
from tallystick.testing.factories import ELEVEN, NEXT_HOUR, aggregate_key, event
from tests.aws.conftest import client_of, store_through

pytestmark = pytest.mark.aws


class Torn:
    """A client that does not find these items yet, in so many readings of several, and in so many
    listings."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.unseen: set[Place] = set()
        self.readings = 0
        self.listings = 0
        self.after_a_read: Callable[[], object] | None = None
        """What somebody else does after the next reading of the ledger's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, **asked: Any) -> Any:
        answer = self._client.get_item(**asked)
        self._meanwhile(asked["Key"])
        return answer

    def _meanwhile(self, key: dict[str, Any]) -> None:
        ledger = ledger_partition("acme", "requests")
        if self.after_a_read and key[PARTITION]["S"] == ledger:
            act, self.after_a_read = self.after_a_read, None
            act()

    def batch_get_item(self, **asked: Any) -> Any:
        answer = self._client.batch_get_item(**asked)
        for wanted in asked["RequestItems"].values():
            self._meanwhile(wanted["Keys"][0])
        if self.readings > 0:
            self.readings -= 1
            for table, items in answer["Responses"].items():
                answer["Responses"][table] = [one for one in items if not self._is_unseen(one)]
        return answer

    def query(self, **asked: Any) -> Any:
        answer = self._client.query(**asked)
        if self.listings > 0:
            self.listings -= 1
            answer["Items"] = [one for one in answer["Items"] if not self._is_unseen(one)]
        return answer

    def _is_unseen(self, item: dict[str, Any]) -> bool:
        return (item[PARTITION]["S"], item[SORT]["S"]) in self.unseen


@pytest.fixture
def client(endpoint: str) -> Torn:
    return Torn(client_of(endpoint))


@pytest.fixture
def store(client: Torn, endpoint: str) -> Iterator[DynamoStore]:
    made = store_through(client_of(endpoint), client)
    yield made
    made.close()


def test_entries_whose_line_was_read_before_their_head_are_known(store: DynamoStore, client: Torn):
    count(store, "e1", 5)
    entries = next_of(store)
    assert store.ledger.append([entries]) == (Appended.APPENDED,)

    (entry,) = entries
    client.unseen, client.readings = {line_place(entry.key.tenant, entry.key.meter, 1)}, 1

    assert store.ledger.append([entries]) == (Appended.ALREADY,)


def test_an_aggregate_is_not_sealed_twice_where_its_last_entry_shows_after_the_head(
    store: DynamoStore, client: Torn
):
    count(store, "e1", 5)
    (entry,) = entries = next_of(store)
    assert store.ledger.append([entries]) == (Appended.APPENDED,)

    client.unseen, client.readings = {last_place(entry.key)}, 2
    (again,) = rival = next_of(store)
    assert (again.line, again.revision, again.delta) == (2, 1, 5), "the same total once more"

    assert store.ledger.append([rival]) == (Appended.STALE,)
    assert store.ledger.entries().elements == entries
    assert slot_of(store).total == 5


def test_what_is_computed_from_sums_of_which_some_are_newer_is_refused(
    store: DynamoStore, client: Torn
):
    report(store, event("e1", 5), event("e2", 2, occurred_at=ELEVEN))
    later = aggregate_key(window=NEXT_HOUR)

    client.after_a_read = lambda: seal(store, later)
    torn = next_of(store)

    assert len(store.ledger.entries().elements) == 1, "another key of the series came between"
    assert store.ledger.append([torn]) == (Appended.STALE,)
    assert seal(store)[0].billed == 7


@pytest.mark.parametrize("readings", [1, 2], ids=["then", "and when it is appended"])
def test_what_is_computed_from_sums_that_are_older_than_their_head_is_refused(
    store: DynamoStore, client: Torn, readings: int
):
    report(store, event("e1", 5), event("e2", 2, occurred_at=ELEVEN))
    later = aggregate_key(window=NEXT_HOUR)
    (entry,) = seal(store)

    client.unseen, client.readings = {balance_place(entry.key, entry.period)}, readings
    torn = next_of(store, later)
    assert torn[0].billed == 2, "another key of the series was to be billed 5"

    assert store.ledger.append([torn]) == (Appended.STALE,)
    assert seal(store, later)[0].billed == 7


def placed(entry: Entry) -> Place:
    return placed_place(entry.key, entry.period, entry.line)


def slot(entry: Entry) -> Place:
    return slot_place(entry.allocations[0].place.slot)


@pytest.mark.parametrize("late", [placed, slot])
def test_what_the_slots_hold_is_read_until_it_comes_to_the_sums(
    store: DynamoStore, client: Torn, late: Callable[[Entry], Place]
):
    report(store, event("e1", 5), event("e2", 2, occurred_at=ELEVEN))
    seal(store)
    (entry,) = seal(store, aggregate_key(window=NEXT_HOUR))

    client.unseen, client.listings = {late(entry)}, 3
    client.readings = 3 if late is slot else 0
    found = store.ledger.holdings(entry.key, entry.period)

    assert [(holding.quantity, holding.own) for holding in found] == [(7, 2)]
    client.listings = client.readings = 1_000
    with pytest.raises(StoreUnavailable, match="other sums than lines"):
        store.ledger.holdings(entry.key, entry.period)


def test_a_line_that_is_not_shown_yet_is_waited_for_and_one_that_is_lost_is_said(
    store: DynamoStore, client: Torn
):
    count(store, "e1", 5)
    (entry,) = entries = next_of(store)
    assert store.ledger.append([entries]) == (Appended.APPENDED,)
    client.unseen = {line_place(entry.key.tenant, entry.key.meter, entry.line)}

    client.readings = 3
    assert store.ledger.book(entry.key, []).last == entry
    client.readings = 1_000
    with pytest.raises(StoreUnavailable, match="lacks a line"):
        store.ledger.book(entry.key, [])
