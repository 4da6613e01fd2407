"""What DynamoDB does on a bad day: it throttles, loses answers, and refuses for good."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Receipt
from tallystick.domain.instant import HOUR
from tallystick.domain.window import Window
from tallystick.ports import Appended
from tallystick.stores.dynamodb import DynamoStore
from tallystick.stores.dynamodb.layout import joined
from tallystick.stores.dynamodb.table import BATCH_GET_MAX
from tallystick.testing.contract.steps import (
    content,
    count,
    find,
    next_of,
    report,
    seal,
    seen,
    value,
)
from tallystick.testing.factories import (
    ELEVEN,
    TEN,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    override,
    place,
)
from tests.aws.conftest import client_of, store_through

pytestmark = pytest.mark.aws


class Unsteady:
    """A client whose calls go wrong as it is told: `before` they are sent, or `after` their
    effect."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: Counter[str] = Counter()
        self.before: Callable[[str], Exception | None] = lambda _: None
        self.after: Callable[[str], Exception | None] = lambda _: None
        self.page = 0
        """How many items a page of a query holds, where that is set; DynamoDB's end at 1 MB."""

    def __getattr__(self, name: str) -> Any:
        def call(**asked: object) -> Any:
            self.asked[name] += 1
            if name == "query" and self.page:
                asked["Limit"] = self.page
            if error := self.before(name):
                raise error
            answer = getattr(self._client, name)(**asked)
            if error := self.after(name):
                raise error
            return answer

        return call


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as ordered"}}, "any call")


def throttled(times: int) -> Callable[[str], Exception | None]:
    """So many calls are turned away, then all pass."""
    left = iter(range(times))
    return lambda _: refusal("ThrottlingException") if next(left, None) is not None else None


@pytest.fixture
def client(endpoint: str) -> Unsteady:
    return Unsteady(client_of(endpoint))


@pytest.fixture
def store(client: Unsteady, endpoint: str) -> Iterator[DynamoStore]:
    made = store_through(client_of(endpoint), client)
    yield made
    made.close()


def test_what_is_throttled_is_tried_again(store: DynamoStore, client: Unsteady):
    client.before = throttled(7)

    assert count(store, "e1", 5).receipt is Receipt.RECORDED
    assert value(store) == 5


def test_what_is_throttled_for_ever_is_unavailable_and_counts_later(
    store: DynamoStore, client: Unsteady
):
    client.before = lambda _: refusal("ProvisionedThroughputExceededException")
    with pytest.raises(StoreUnavailable, match="busy"):
        count(store, "e1", 5)

    client.before = lambda _: None
    assert count(store, "e1", 5).receipt is Receipt.RECORDED
    assert value(store) == 5


def test_a_lost_answer_counts_once(store: DynamoStore, client: Unsteady):
    lost = ReadTimeoutError(endpoint_url="somewhere")
    client.after = lambda name: lost if name == "transact_write_items" else None
    with pytest.raises(StoreUnavailable, match="reached"):
        count(store, "e1", 5)

    client.after = lambda _: None
    assert count(store, "e1", 5).receipt is Receipt.DUPLICATE
    assert value(store) == 5
    assert [event.key for event in store.events.events().elements] == ["e1"]


def test_a_lost_answer_to_an_entry_is_known_as_already_there(store: DynamoStore, client: Unsteady):
    count(store, "e1", 5)
    new = next_of(store)
    lost = ReadTimeoutError(endpoint_url="somewhere")
    client.after = lambda name: lost if name == "transact_write_items" else None
    with pytest.raises(StoreUnavailable):
        store.ledger.append([new])

    client.after = lambda _: None
    assert store.ledger.append([new]) == (Appended.ALREADY,)
    assert store.ledger.entries().elements == new


def test_a_call_that_dies_between_its_log_and_its_events_leaves_no_event(
    store: DynamoStore, client: Unsteady
):
    client.before = lambda name: (
        ReadTimeoutError(endpoint_url="x") if name == "transact_write_items" else None
    )
    with pytest.raises(StoreUnavailable):
        count(store, "e1", 5)

    client.before = lambda _: None
    assert store.events.events().elements == ()
    count(store, "e1", 5)
    assert [found.key for found in store.events.events().elements] == ["e1"]


def test_a_mapping_whose_marks_were_not_set_sets_them_later(store: DynamoStore, client: Unsteady):
    count(store, "e1", 5)
    seal(store)
    store.ledger.clear_due([seen(find(store))])
    told = iter(range(1))
    # The catalog's own write passes; the process dies before the first Aggregate is marked.
    client.before = lambda name: (
        ReadTimeoutError(endpoint_url="x")
        if name == "transact_write_items" and next(told, None) is None
        else None
    )
    with pytest.raises(StoreUnavailable):
        store.catalog.save(mapping(), override())

    client.before = lambda _: None
    due = store.ledger.aggregates_due(TEN * 2).elements
    assert [aggregate.key for aggregate in due] == [aggregate_key()]
    assert find(store).marks >= 2


def test_an_append_keeps_the_mark_that_a_mapping_sets_before_its_write(
    store: DynamoStore, client: Unsteady
):
    count(store, "e1", 5)
    read, new = find(store), next_of(store)

    def mapped(name: str) -> None:
        if name == "transact_write_items":
            client.before = lambda _: None
            store.catalog.save(mapping(), override())

    client.before = mapped
    assert store.ledger.append([new]) == (Appended.APPENDED,)
    assert find(store).marks == read.marks + 2

    store.ledger.clear_due([seen(replace(read, marks=read.marks + 1))])
    assert find(store).due


def test_pages_are_followed_to_the_end(store: DynamoStore, client: Unsteady):
    tenants = [f"t{number}" for number in range(9)]
    report(store, *(event("e1", tenant=name) for name in tenants))
    for number in range(9):
        report(store, event(f"more {number}", tenant="t0"))
    before = content(store)

    client.page = 2

    assert content(store) == before
    assert len(before["events"]) == 18
    assert len(store.events.changes(aggregate_key("t0"))) == 10


def test_who_is_sealed_while_an_event_is_under_way_gets_it_late(
    store: DynamoStore, client: Unsteady
):
    count(store, "e1", 5)
    sealed: list[object] = []

    def seal_first(name: str) -> None:
        if name == "transact_write_items" and not sealed:
            sealed.append(name)
            seal(store)

    client.before = seal_first

    (late,) = report(store, event("e2"), now=ELEVEN)

    assert sealed
    assert late.receipt is Receipt.LATE


def test_a_new_event_costs_no_read_of_its_own(store: DynamoStore, client: Unsteady):
    count(store, "first")
    client.asked.clear()

    report(store, *(event(f"e{number}") for number in range(50)))

    assert client.asked["get_item"] == 0
    assert client.asked["batch_get_item"] == 1
    assert client.asked["transact_write_items"] == 1


def test_known_events_are_named_all_at_once(store: DynamoStore, client: Unsteady):
    told = [event(f"e{number}") for number in range(60)]
    report(store, *told)
    client.asked.clear()

    receipts = Counter(each.receipt for each in report(store, *told, event("new")))

    assert receipts == {Receipt.DUPLICATE: 60, Receipt.RECORDED: 1}
    assert client.asked["transact_write_items"] == 2


def test_a_transaction_is_of_one_tenant_and_answers_keep_the_batchs_order(
    store: DynamoStore, client: Unsteady
):
    told = [event(f"e{number % 4}", tenant=f"t{number % 3}") for number in range(24)]
    client.asked.clear()

    receipts = [each.receipt for each in report(store, *told)]

    assert receipts == [Receipt.RECORDED] * 12 + [Receipt.DUPLICATE] * 12
    assert client.asked["transact_write_items"] == 3
    assert {value(store, aggregate_key(f"t{number}")) for number in range(3)} == {4}


def test_who_asks_for_a_destinations_slots_of_a_day_reads_no_others(
    store: DynamoStore, client: Unsteady
):
    hours = range(6)
    for name in ("acme", "beta", "cora"):
        report(store, *(event(f"e{n}", tenant=name, occurred_at=TEN - n * HOUR) for n in hours))
    for aggregate in store.events.aggregates().elements:
        key = aggregate.key
        into = place(destination=f"cus_{key.tenant}", at=key.window.start)
        seal(store, key, into=into)
    asked = {"route": into.slot.route, "destination": "cus_beta"}
    whole = store.outbox.slots(**asked).elements
    client.asked.clear()
    client.page = 2

    found = store.outbox.slots(**asked, starting=Window(TEN - 2 * HOUR, TEN)).elements

    assert len(whole) == len(hours)
    assert [due.slot for due in found] == [due.slot for due in whole[-3:-1]]
    # The destination's one series, and two pages of two of its slots.
    assert client.asked["query"] == 1 + 2


def test_a_cursor_beyond_the_window_that_is_asked_for_is_an_empty_page(store: DynamoStore):
    count(store, "e1")
    seal(store)
    count(store, "e2")
    later = store.outbox.slots().elements[0].slot.key
    beyond = json.dumps([joined(later.route, later.account, later.destination, later.counter), "9"])

    found = store.outbox.slots(starting=Window(TEN, ELEVEN), cursor=beyond)

    assert found.elements == ()


def test_letters_that_wait_for_a_tenant_are_found_among_many_without_reading_the_others(
    store: DynamoStore, client: Unsteady
):
    others = [dead_letter(f"o{n}", waits_for=f"tenant:t{n % 3}") for n in range(BATCH_GET_MAX + 10)]
    wanted = [dead_letter(f"w{number}", waits_for="tenant:acme") for number in range(3)]
    store.dead_letters.keep([*others[:50], *wanted, *others[50:]])
    client.asked.clear()

    found = store.dead_letters.list(waits_for="tenant:acme").elements

    assert list(found) == wanted
    assert client.asked == {"query": 1, "batch_get_item": 1}
