"""Accounted: what `append` makes true of chains, balances and slots, and how it reads back."""

from decimal import Decimal
from functools import partial

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.ledger import (
    Allocation,
    Balance,
    Book,
    Entry,
    Head,
    Holding,
    carried_undelivered,
)
from tallystick.domain.meter import WHOLE, Closed, group_of
from tallystick.domain.quantity import ZERO
from tallystick.domain.slot import Slot
from tallystick.domain.tampering import first_broken
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    due_slots,
    every,
    find,
    report,
    seal,
    sealed,
    slot_of,
)
from tallystick.testing.factories import (
    ABSOLUTE,
    ELEVEN,
    FEBRUARY,
    JANUARY,
    NEXT_HOUR,
    TEN,
    aggregate_key,
    at,
    entries,
    event,
    meter,
    place,
)

NEXT = aggregate_key(window=NEXT_HOUR)
CARRIED_AT = at("2026-02-02T00:00:00Z")
ONWARD = place(at=CARRIED_AT, period=FEBRUARY)


def carry(store: Store) -> tuple[Entry, ...]:
    """The linked pair that takes a closed January's quantity to February."""
    carrying = meter(closed=Closed.CARRY)
    report(store, event("e1", 5), meters=(carrying,))
    book = store.ledger.book(aggregate_key(), [JANUARY, FEBRUARY])
    return entries(find(store), book, place(), onward=ONWARD, now=CARRIED_AT)


def held(store: Store, key: AggregateKey) -> list[tuple[int, str, str]]:
    """(start, quantity, own) of each Holding in January."""
    holdings = store.ledger.holdings(key, JANUARY)
    return [(h.place.slot.start, str(h.quantity), str(h.own)) for h in holdings]


class AccountedContract(StoreHooks):
    """Chains, books, holdings and slots."""

    def test_an_empty_ledger_begins_at_genesis(self, store: Store) -> None:
        book = store.ledger.book(aggregate_key(), [JANUARY])

        assert (book.head, book.last, book.balance(JANUARY)) == (Head(), None, Balance())
        assert store.ledger.head("acme", "requests") == Head()
        assert store.ledger.entries().elements == ()
        assert store.ledger.holdings(aggregate_key(), JANUARY) == ()

    def test_an_entry_reads_back_as_it_was_appended(self, store: Store) -> None:
        entry = sealed(store, "2.5")

        assert store.ledger.entries().elements == (entry,)
        assert store.ledger.book(aggregate_key(), []).last == entry
        assert store.ledger.head("acme", "requests") == Head(1, entry.hash)

    def test_a_held_entry_touches_no_slot(self, store: Store) -> None:
        count(store, "e1", 5)

        (entry,) = seal(store, now=CARRIED_AT)

        assert entry.held
        assert store.outbox.slots().elements == ()
        assert find(store).sealed
        assert store.ledger.book(aggregate_key(), [JANUARY]).balance(JANUARY) == Balance()

    def test_a_chain_is_one_over_all_keys_of_a_meter(self, store: Store) -> None:
        report(store, event("e1", 1), event("e2", 2, occurred_at=ELEVEN))
        (first,), (second,) = seal(store), seal(store, NEXT)

        chain = every(partial(store.ledger.entries, tenant="acme"))

        assert chain == [first, second]
        assert first_broken(chain, store.ledger.head("acme", "requests")) is None
        book = store.ledger.book(aggregate_key(), [JANUARY])
        assert (book.head, book.last) == (Head(2, second.hash), first)
        assert book.balance(JANUARY) == Balance(Decimal(3), Decimal(3))

    def test_a_balance_is_that_of_the_series_in_the_period(self, store: Store) -> None:
        by_model = meter(dimensions=("model",))
        group = group_of({"model": "a"})
        report(store, event("e1", 5, properties={"model": "a"}), meters=(by_model,))
        seal(store)
        seal(store, aggregate_key(group=group), into=place(counter="a"))
        report(store, event("e2", 1, properties={"model": "b"}), meters=(by_model,))
        seal(store)

        def balances(group: str) -> list[Balance]:
            book = store.ledger.book(aggregate_key(group=group), [JANUARY, FEBRUARY])
            return [book.balance(JANUARY), book.balance(FEBRUARY)]

        assert balances(WHOLE) == [Balance(Decimal(6), Decimal(6)), Balance()]
        assert balances(group) == [Balance(Decimal(5), Decimal(5)), Balance()]
        assert balances("unseen") == [Balance(), Balance()]

    def test_a_book_holds_only_its_meter(self, store: Store) -> None:
        report(store, event("e1", 5), meters=(meter(), meter("other")))
        seal(store)

        assert store.ledger.book(aggregate_key(meter="other"), [JANUARY]) == Book(
            balances={JANUARY: Balance()}
        )

    def test_the_first_allocation_makes_the_slot(self, store: Store) -> None:
        sealed(store, 5)

        assert slot_of(store) == Slot(place=place(), total=Decimal(5), version=1)
        assert due_slots(store) == [place().slot]

    def test_each_entry_raises_its_slot(self, store: Store) -> None:
        sealed(store, 5)
        report(store, event("e2", 3, occurred_at=ELEVEN), event("v1", voids="e1"))
        seal(store, NEXT, into=place(at=ELEVEN))

        seal(store)

        assert slot_of(store).total == 0
        assert slot_of(store).version == 2
        assert slot_of(store, place(at=ELEVEN).slot).total == 3

    def test_tenants_may_share_a_slot(self, store: Store) -> None:
        report(store, event("e1", 5), event("e1", 2, tenant="beta"), event("e1", 1, tenant="ada"))

        shared = [seal(store, aggregate_key(name))[0] for name in ("beta", "acme", "ada")]

        assert slot_of(store).total == 8
        assert slot_of(store).version == 3
        of_slot = every(partial(store.ledger.entries, slot=place().slot))
        assert of_slot == shared

    def test_entries_are_found_by_tenant_meter_and_slot(self, store: Store) -> None:
        told = event("e1", 1), event("e2", 2, occurred_at=ELEVEN), event("e1", tenant="beta")
        report(store, *told, meters=(meter(), meter("other")))
        ours, later = seal(store)[0], seal(store, NEXT, into=place(at=ELEVEN))[0]
        other = seal(store, aggregate_key(meter="other"), into=place(counter="other"))[0]
        theirs = seal(store, aggregate_key("beta"), into=place(destination="cus_beta"))[0]

        assert store.ledger.entries().elements == (other, ours, later, theirs)
        assert store.ledger.entries(tenant="acme").elements == (other, ours, later)
        assert store.ledger.entries(tenant="acme", meter="requests").elements == (ours, later)
        assert store.ledger.entries(slot=place(at=ELEVEN).slot).elements == (later,)
        assert store.ledger.entries(tenant="beta", slot=place().slot).elements == ()

    def test_holdings_tell_the_series_from_the_key(self, store: Store) -> None:
        report(store, event("e1", 5), event("e2", 3, occurred_at=ELEVEN))
        seal(store)
        seal(store, NEXT)

        assert held(store, aggregate_key()) == [(place().slot.start, "8", "5")]
        assert held(store, NEXT) == [(place().slot.start, "8", "3")]

    def test_holdings_come_newest_slot_first(self, store: Store) -> None:
        hours = [at(f"2026-01-31T{hour:02}:00:00Z") for hour in (9, 11, 10)]
        for i, hour in enumerate(hours):
            report(store, event(f"e{i}", i + 1))
            seal(store, into=place(at=hour))

        starts = [start for start, _, _ in held(store, aggregate_key())]
        assert starts == sorted(hours, reverse=True)
        assert {quantity == own for _, quantity, own in held(store, aggregate_key())} == {True}

    def test_a_slot_that_was_lowered_to_nothing_is_no_holding(self, store: Store) -> None:
        sealed(store, 5)
        report(store, event("e2", 3, occurred_at=ELEVEN), event("v1", voids="e1"))
        seal(store, NEXT, into=place(at=ELEVEN))
        seal(store)

        assert store.ledger.holdings(aggregate_key(), JANUARY) == (
            Holding(place(at=ELEVEN), Decimal(3), ZERO),
        )
        assert slot_of(store).total == 0

    def test_another_series_and_another_period_hold_nothing(self, store: Store) -> None:
        sealed(store, 5)

        assert held(store, aggregate_key("beta")) == []
        assert held(store, aggregate_key(meter="other")) == []
        assert held(store, aggregate_key(group=group_of({"model": "a"}))) == []
        assert store.ledger.holdings(aggregate_key(), FEBRUARY) == ()

    def test_a_carry_stands_as_a_pair(self, store: Store) -> None:
        out, into = carry(store)
        read = find(store)

        assert store.ledger.append([(out, into)]) == (Appended.APPENDED,)

        assert find(store).marks == read.marks + 1
        assert store.ledger.entries().elements == (out, into)
        book = store.ledger.book(aggregate_key(), [JANUARY, FEBRUARY])
        assert (book.head, book.last) == (Head(2, into.hash), into)
        assert book.balance(JANUARY) == Balance()
        assert book.balance(FEBRUARY) == Balance(Decimal(5), Decimal(5))
        assert slot_of(store, ONWARD.slot).total == 5

    def test_a_pair_within_one_period_moves_to_a_later_slot_and_changes_no_sum(
        self, store: Store
    ) -> None:
        first, later = sealed(store, 5), place(at=ELEVEN)
        book = store.ledger.book(aggregate_key(), [JANUARY])
        rest = Allocation(place(), Decimal(2))
        out, into = carried_undelivered(
            find(store), book, rest, onward=later, route=ABSOLUTE, holdings=(), now=CARRIED_AT
        )

        assert store.ledger.append([(out, into)]) == (Appended.APPENDED,)

        assert store.ledger.entries().elements == (first, out, into)
        assert store.ledger.book(aggregate_key(), [JANUARY]).balance(JANUARY) == Balance(
            Decimal(5), Decimal(5)
        )
        assert held(store, aggregate_key()) == [(ELEVEN, "2", "2"), (TEN, "3", "3")]
        changed = [slot_of(store, one.slot) for one in (place(), later)]
        assert [(str(slot.total), slot.version) for slot in changed] == [("3", 2), ("2", 1)]

    def test_a_carried_quantity_is_held_where_it_went(self, store: Store) -> None:
        store.ledger.append([carry(store)])

        assert store.ledger.holdings(aggregate_key(), JANUARY) == ()
        assert store.ledger.holdings(aggregate_key(), FEBRUARY) == (
            Holding(ONWARD, Decimal(5), Decimal(5)),
        )

    def test_a_pair_that_stands_is_there_already_whole_or_in_part(self, store: Store) -> None:
        out, into = carry(store)
        store.ledger.append([(out, into)])

        again = store.ledger.append([(out, into), (out,), (into,)])

        assert again == (Appended.ALREADY,) * 3
        assert len(store.ledger.entries().elements) == 2
        assert slot_of(store, ONWARD.slot).version == 1

    def test_a_credit_is_settled_from_what_comes_next(self, store: Store) -> None:
        """A fall that open slots cannot take is a balance below what is allocated."""
        sealed(store, 5)
        report(store, event("v1", voids="e1"))
        (fall,) = entries(find(store), store.ledger.book(aggregate_key(), [JANUARY]), place())
        assert fall.allocations == ()

        store.ledger.append([(fall,)])

        book = store.ledger.book(aggregate_key(), [JANUARY])
        assert book.balance(JANUARY) == Balance(ZERO, Decimal(5))
        assert slot_of(store).version == 1
