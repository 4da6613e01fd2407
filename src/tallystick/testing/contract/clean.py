"""Clean: whatever happens underneath, only StoreUnavailable comes out of a store."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from tallystick.domain.aggregate import EMPTY, fold, started
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Receipt
from tallystick.domain.ledger import Book
from tallystick.domain.slot import Slot
from tallystick.ports import Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import count, find, next_of, value
from tallystick.testing.factories import (
    JANUARY,
    NOON,
    aggregate_key,
    dead_letter,
    entries,
    event,
    override,
    place,
    publication,
    recording,
    settled,
    tenant,
)

SLOT = Slot(place=place())
PUBLICATION = publication(SLOT)
COUNTED = recording(event()).contributions[0]
ENTRIES = entries(replace(started(COUNTED), tally=fold(EMPTY, COUNTED, seen=0), position=1), Book())

WRITES: Mapping[str, Callable[[Store], object]] = MappingProxyType(
    {
        "record": lambda s: s.events.record([recording(event())], NOON),
        "append": lambda s: s.ledger.append([ENTRIES]),
        "clear_due of aggregates": lambda s: s.ledger.clear_due([(aggregate_key(), 1, 0)]),
        "intend": lambda s: s.outbox.intend([PUBLICATION]),
        "advance": lambda s: s.outbox.advance([(PUBLICATION, settled(PUBLICATION))]),
        "clear_due of slots": lambda s: s.outbox.clear_due([SLOT]),
        "adjust": lambda s: s.outbox.adjust(SLOT, SLOT),
        "save": lambda s: s.catalog.save(tenant(), override()),
        "switch": lambda s: s.catalog.switch("pause", "on", override()),
        "keep": lambda s: s.dead_letters.keep([dead_letter()]),
        "take": lambda s: s.dead_letters.take("letter", "recorded", NOON),
        "renew_incarnation": lambda s: s.renew_incarnation("another"),
    }
)
READS: Mapping[str, Callable[[Store], object]] = MappingProxyType(
    {
        "event": lambda s: s.events.event("acme", "e1"),
        "events": lambda s: s.events.events(),
        "is_voided": lambda s: s.events.is_voided("acme", "e1"),
        "aggregates": lambda s: s.events.aggregates(),
        "changes": lambda s: s.events.changes(aggregate_key()),
        "aggregates_due": lambda s: s.ledger.aggregates_due(NOON),
        "book": lambda s: s.ledger.book(aggregate_key(), [JANUARY]),
        "holdings": lambda s: s.ledger.holdings(aggregate_key(), JANUARY),
        "entries": lambda s: s.ledger.entries(),
        "head": lambda s: s.ledger.head("acme", "requests"),
        "slots_due": lambda s: s.outbox.slots_due(),
        "slots": lambda s: s.outbox.slots(),
        "publications": lambda s: s.outbox.publications(),
        "revision": lambda s: s.catalog.revision(),
        "account": lambda s: s.catalog.account("acme"),
        "accounts": lambda s: s.catalog.accounts(),
        "meters": lambda s: s.catalog.meters(),
        "switches": lambda s: s.catalog.switches(),
        "overrides": lambda s: s.catalog.overrides(),
        "letters": lambda s: s.dead_letters.list(),
        "backlog": lambda s: s.backlog(NOON),
    }
)
CALLS = MappingProxyType({**WRITES, **READS})
each_call = pytest.mark.parametrize("call", CALLS)


class CleanContract(StoreHooks):
    """Closed, damaged, and asked for what is not there."""

    @each_call
    def test_a_closed_store_is_unavailable(self, store: Store, call: str) -> None:
        count(store)
        store.close()

        with pytest.raises(StoreUnavailable):
            CALLS[call](store)

    @each_call
    def test_a_damaged_store_is_unavailable(self, store: Store, call: str) -> None:
        count(store)
        self.damage(store)

        with pytest.raises(StoreUnavailable):
            CALLS[call](store)

    @each_call
    def test_an_empty_store_answers_with_values(self, store: Store, call: str) -> None:
        CALLS[call](store)

    def test_a_store_may_be_closed_twice(self, store: Store) -> None:
        store.close()
        store.close()

        with pytest.raises(StoreUnavailable):
            count(store)

    def test_closing_one_leaves_the_other_open(self, store: Store) -> None:
        with self.second(store) as other:
            count(other, "e1", 5)

        assert value(store) == 5
        assert count(store, "e1", 5).receipt is Receipt.DUPLICATE

    def test_what_one_wrote_the_other_sees(self, store: Store) -> None:
        with self.second(store) as other:
            count(store, "e1", 5)
            assert count(other, "e1", 5).receipt is Receipt.DUPLICATE
            count(other, "e2", 2)
            new = next_of(store)
            other.ledger.append([new])

        assert value(store) == 7
        assert find(store).sealed
        assert store.ledger.entries().elements == new

    def test_what_was_read_is_the_readers_own(self, store: Store) -> None:
        """A value read before a write still says what it said."""
        count(store, "e1", 5)
        before = find(store)
        book = store.ledger.book(aggregate_key(), [JANUARY])

        count(store, "e2", 2)
        store.ledger.append([next_of(store)])

        assert before.value == 5
        assert book.last is None
