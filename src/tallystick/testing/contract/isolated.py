"""Isolated: one tenant never sees or touches another, however alike their names are."""

from decimal import Decimal

import pytest

from tallystick.domain.event import Receipt
from tallystick.domain.ledger import Head
from tallystick.ports import Account, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    aggregates,
    due_keys,
    find,
    report,
    seal,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    JANUARY,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    place,
    tenant,
)

ALIKE = ("acm", "acme2", "ACME", "acme%", "acm_", "acme/", "acmé", "acme ", "acme:e1", "acme|")
each_alike = pytest.mark.parametrize("other", ALIKE)


class IsolatedContract(StoreHooks):
    """Two tenants with the same keys, meters and customers."""

    @each_alike
    def test_the_same_key_of_two_tenants_is_two_events(self, store: Store, other: str) -> None:
        ours, theirs = event("e1", 5), event("e1", 7, tenant=other)

        receipts = {recorded.receipt for recorded in report(store, ours, theirs)}

        assert receipts == {Receipt.RECORDED}
        assert store.events.event("acme", "e1") == ours
        assert store.events.event(other, "e1") == theirs
        assert store.events.events("acme").elements == (ours,)
        assert store.events.events(other).elements == (theirs,)

    @pytest.mark.parametrize("key", ["E1", "e1 ", "é1", "e", "e11", "e%", "1:e1", "e1\x00"])
    def test_keys_that_look_alike_are_two_events(self, store: Store, key: str) -> None:
        receipts = {r.receipt for r in report(store, event("e1", 5), event(key, 7))}

        assert receipts == {Receipt.RECORDED}
        assert value(store) == 12
        assert store.events.event("acme", key) == event(key, 7)

    def test_names_are_not_joined_into_one(self, store: Store) -> None:
        report(store, event("b:c", tenant="a"), event("c", tenant="a:b"))
        report(store, event("c", tenant="a"), meters=(meter("requests:x"),))

        assert len(store.events.events().elements) == 3
        assert [a.key.tenant for a in aggregates(store)] == ["a", "a", "a:b"]

    @each_alike
    def test_aggregates_are_ones_own(self, store: Store, other: str) -> None:
        report(store, event("e1", 5), event("e1", 7, tenant=other))

        assert value(store) == 5
        assert value(store, aggregate_key(other)) == 7
        (ours,) = store.events.aggregates(tenant="acme").elements
        assert ours.key == aggregate_key()
        assert [c.contribution.value for c in store.events.changes(aggregate_key())] == [5]

    @each_alike
    def test_a_void_touches_only_its_own_tenant(self, store: Store, other: str) -> None:
        report(store, event("e1", 5), event("e1", 7, tenant=other))

        report(store, event("v1", tenant=other, voids="e1"))

        assert value(store) == 5
        assert value(store, aggregate_key(other)) == 0
        assert not store.events.is_voided("acme", "e1")

    def test_a_waiting_void_waits_for_its_own_tenant(self, store: Store) -> None:
        report(store, event("v1", tenant="beta", voids="e1"))

        report(store, event("e1", 5))

        assert value(store) == 5

    @each_alike
    def test_chains_and_books_are_ones_own(self, store: Store, other: str) -> None:
        report(store, event("e1", 5), event("e1", 7, tenant=other))
        (ours,) = seal(store)

        assert store.ledger.head(other, "requests") == Head()
        book = store.ledger.book(aggregate_key(other), [JANUARY])
        assert (book.last, book.balance(JANUARY).billed) == (None, Decimal(0))
        assert store.ledger.entries(tenant=other).elements == ()
        assert not find(store, aggregate_key(other)).sealed

        seal(store, aggregate_key(other))
        assert store.ledger.entries(tenant="acme").elements == (ours,)

    def test_what_shares_a_slot_is_held_apart(self, store: Store) -> None:
        report(store, event("e1", 5), event("e1", 7, tenant="beta"))
        seal(store)
        seal(store, aggregate_key("beta"))

        assert slot_of(store).total == 12
        for name, quantity in (("acme", 5), ("beta", 7)):
            (holding,) = store.ledger.holdings(aggregate_key(name), JANUARY)
            assert (holding.quantity, holding.own) == (Decimal(quantity), Decimal(quantity))

    @each_alike
    def test_customers_that_look_alike_have_their_own_slots(self, store: Store, other: str) -> None:
        report(store, event("e1", 5), event("e1", 7, tenant=other))
        elsewhere = place(destination=other)
        seal(store, into=place(destination="acme"))

        seal(store, aggregate_key(other), into=elsewhere)

        assert slot_of(store, place(destination="acme").slot).total == 5
        assert slot_of(store, elsewhere.slot).total == 7
        assert len(store.outbox.slots(destination="acme").elements) == 1
        assert len(store.ledger.entries(slot=elsewhere.slot).elements) == 1

    @each_alike
    def test_settings_are_ones_own(self, store: Store, other: str) -> None:
        report(store, event("e1"), event("e1", tenant=other))
        store.ledger.clear_due([(key, 1, 0) for key in due_keys(store)])
        for name in ("acme", other):
            store.catalog.save(tenant(name), override())

        store.catalog.save(mapping(other), override())

        assert store.catalog.account("acme") == Account(tenant())
        assert store.catalog.account(other) == Account(tenant(other), (mapping(other),))
        assert due_keys(store) == [aggregate_key(other)]

    @each_alike
    def test_letters_are_ones_own(self, store: Store, other: str) -> None:
        ours = dead_letter("1", tenant="acme", waits_for="code:acme")
        store.dead_letters.keep([ours, dead_letter("2", tenant=other, waits_for=f"code:{other}")])

        assert store.dead_letters.list(tenant="acme").elements == (ours,)
        assert store.dead_letters.list(waits_for="code:acme").elements == (ours,)
