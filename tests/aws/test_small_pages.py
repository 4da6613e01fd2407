"""Who asks for a few elements pays for a few: what a page of AWS's holds is read, and paid for."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tallystick.domain.instant import HOUR, LATEST
from tallystick.domain.slot import PARTITIONS
from tallystick.domain.window import Window
from tallystick.ports import Page, Store
from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing.contract.steps import every, intend, report, seal, settle
from tallystick.testing.factories import (
    TEN,
    aggregate_key,
    dead_letter,
    event,
    override,
    place,
    tenant,
)
from tests.aws.conftest import client_of, store_through

pytestmark = pytest.mark.aws

ELEMENTS = 30
ASKED = 2
LISTS_MAX = 4
"""So many partitions a page of them is read from: those that list the others among them."""

LISTINGS: dict[str, Callable[[Store], Callable[..., Page[Any]]]] = {
    "events": lambda store: store.events.events,
    "events of one": lambda store: partial(store.events.events, "acme"),
    "aggregates": lambda store: store.events.aggregates,
    "aggregates of one": lambda store: partial(store.events.aggregates, tenant="acme"),
    "aggregates due": lambda store: partial(store.ledger.aggregates_due, LATEST),
    "entries": lambda store: partial(store.ledger.entries, tenant="acme"),
    "entries of a slot": lambda store: partial(store.ledger.entries, slot=place().slot),
    "slots": lambda store: store.outbox.slots,
    "slots due": lambda store: store.outbox.slots_due,
    "publications": lambda store: store.outbox.publications,
    "accounts": lambda store: store.catalog.accounts,
    "overrides": lambda store: store.catalog.overrides,
    "letters": lambda store: store.dead_letters.list,
}


class Counting:
    """A client that counts what its queries read."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **asked: Any) -> Any:
        answer = self._client.query(**asked)
        self.read += answer["ScannedCount"]
        return answer


@pytest.fixture(scope="module")
def client(endpoint: str) -> Counting:
    return Counting(client_of(endpoint))


@pytest.fixture(scope="module")
def store(client: Counting, endpoint: str) -> Iterator[DynamoStore]:
    """Of each kind that is listed so many; nothing is written to it."""
    made = store_through(client_of(endpoint), client)
    for number in range(ELEMENTS):
        start = TEN - number * HOUR
        report(made, event(f"e{number}", occurred_at=start))
        seal(made, aggregate_key(window=Window(start, start + HOUR)), into=place(at=start))
        settle(made, intend(made, place(at=start).slot))
        report(made, event(f"later {number}"))
        seal(made)
        report(made, event(f"e{number}", tenant=f"tenant-{number}"))
        assert made.catalog.save(tenant(f"tenant-{number}"), override())
        made.dead_letters.keep([dead_letter(f"body {number}")])
    yield made
    made.close()


@pytest.mark.parametrize("name", LISTINGS)
def test_a_small_page_reads_few_items_and_the_next_goes_on_after_it(
    store: DynamoStore, client: Counting, name: str
):
    listing = LISTINGS[name](store)
    client.read = 0
    page = listing(limit=ASKED)
    read = client.read

    assert len(page.elements) == ASKED
    assert read <= (ASKED + 1) * (PARTITIONS if "due" in name else LISTS_MAX)
    assert every(partial(listing, limit=ASKED)) == every(listing)
    assert len(every(listing)) >= ELEMENTS


def test_what_is_filtered_out_is_passed_over_in_growing_pages(store: DynamoStore, client: Counting):
    asked: list[object] = []
    client.query = lambda **told: asked.append(told.get("Limit")) or client._client.query(**told)

    found = store.dead_letters.list(tenant="nobody", limit=1)

    assert found.elements == ()
    assert asked == [2, 4, 8, 16, 32]
