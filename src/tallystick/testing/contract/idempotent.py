"""Idempotent: whatever is done twice is done once."""

from dataclasses import replace

from tallystick.domain.event import Receipt
from tallystick.domain.publication import State
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    aggregates,
    count,
    find,
    intend,
    next_of,
    publish,
    report,
    seal,
    sealed,
    seen,
    settle,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    NOON,
    aggregate_key,
    dead_letter,
    event,
    mapping,
    meter,
    override,
    place,
    recording,
    settled,
    tenant,
)


class IdempotentContract(StoreHooks):
    """Each write of each port, repeated."""

    def test_the_same_event_again_is_a_duplicate(self, store: Store) -> None:
        count(store, "e1", 5)
        before = find(store)

        again = count(store, "e1", 5)

        assert again.receipt is Receipt.DUPLICATE
        assert again.aggregates == ()
        assert find(store) == before

    def test_a_duplicate_is_told_by_its_fingerprint_alone(self, store: Store) -> None:
        first = event("e1", 5, received_at=NOON)
        report(store, first)

        (again,) = report(store, replace(first, received_at=NOON + 7, quantity=first.quantity + 1))

        assert again.receipt is Receipt.DUPLICATE
        assert store.events.event("acme", "e1") == first
        assert value(store) == 5

    def test_a_duplicate_does_not_mark_due_again(self, store: Store) -> None:
        sealed(store)
        store.ledger.clear_due([seen(find(store))])

        count(store, "e1", 5)

        assert not find(store).due

    def test_a_duplicate_within_a_batch_comes_after_the_first(self, store: Store) -> None:
        told = (event("e1", 5), event("e1", 5), event("e1", 6), event("e2", 1))

        receipts = [recorded.receipt for recorded in report(store, *told)]

        assert receipts == [
            Receipt.RECORDED,
            Receipt.DUPLICATE,
            Receipt.CONFLICT,
            Receipt.RECORDED,
        ]
        assert value(store) == 6

    def test_a_whole_batch_again_changes_nothing(self, store: Store) -> None:
        told = [event(f"e{i}", i) for i in range(20)]
        report(store, *told)
        before = aggregates(store)

        again = report(store, *told)

        assert {recorded.receipt for recorded in again} == {Receipt.DUPLICATE}
        assert aggregates(store) == before

    def test_the_same_conflict_again_keeps_one_letter(self, store: Store) -> None:
        count(store, "e1", 5)

        receipts = [count(store, "e1", 6).receipt for _ in range(3)]

        assert receipts == [Receipt.CONFLICT] * 3
        assert len(store.dead_letters.list().elements) == 1

    def test_the_same_void_again_is_a_duplicate(self, store: Store) -> None:
        report(store, event("e1", 5), event("e2", 3), event("v1", voids="e1"))

        (again,) = report(store, event("v1", voids="e1"))

        assert again.receipt is Receipt.DUPLICATE
        assert value(store) == 3
        assert find(store).position == 3

    def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        assert store.events.record([], NOON) == ()
        assert store.ledger.append([]) == ()
        assert store.outbox.intend([]) == ()
        assert store.outbox.advance([]) == ()

    def test_the_same_entries_again_are_there_already(self, store: Store) -> None:
        entry = sealed(store)
        before = slot_of(store), store.ledger.head("acme", "requests"), find(store)

        assert store.ledger.append([(entry,)]) == (Appended.ALREADY,)

        assert (slot_of(store), store.ledger.head("acme", "requests"), find(store)) == before
        assert store.ledger.entries().elements == (entry,)

    def test_entries_are_there_already_however_far_the_chain_went_on(self, store: Store) -> None:
        first = sealed(store)
        count(store, "e2", 1)
        second = seal(store)
        slot = slot_of(store)

        assert store.ledger.append([(first,), second]) == (Appended.ALREADY,) * 2
        assert slot_of(store) == slot

    def test_in_one_batch_the_same_entries_are_appended_once(self, store: Store) -> None:
        entry = sealed(store)
        count(store, "e2", 1)
        twice = next_of(store)

        assert store.ledger.append([twice, twice]) == (Appended.APPENDED, Appended.ALREADY)
        assert len(store.ledger.entries().elements) == 2
        assert slot_of(store).total == entry.total + 1

    def test_the_same_intent_again_is_refused(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)
        before = slot_of(store)

        assert store.outbox.intend([intended]) == (False,)
        assert slot_of(store) == before

        settle(store, intended)
        assert store.outbox.intend([intended]) == (False,)
        assert store.outbox.publications().elements == (settled(intended),)

    def test_the_same_advance_again_is_refused(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)
        settle(store, intended, State.REJECTED)
        before = slot_of(store)

        assert store.outbox.advance([(intended, settled(intended))]) == (False,)
        assert slot_of(store) == before

    def test_clearing_a_mark_again_changes_nothing(self, store: Store) -> None:
        sealed(store)
        publish(store)

        for _ in range(2):
            store.ledger.clear_due([seen(find(store))])
            store.outbox.clear_due([slot_of(store)])

        assert not find(store).due
        assert not slot_of(store).due

    def test_what_is_not_there_has_no_mark_to_clear(self, store: Store) -> None:
        sealed(store)
        absent = replace(slot_of(store), place=place(destination="cus_absent"))

        store.ledger.clear_due([(aggregate_key("nobody"), 1, 0)])
        store.outbox.clear_due([absent])

        assert len(aggregates(store)) == 1
        assert len(store.outbox.slots().elements) == 1

    def test_the_same_setting_again_adds_only_to_the_audit(self, store: Store) -> None:
        for changed in (tenant(), meter(), mapping()):
            store.catalog.save(changed, override("first"))
            store.catalog.save(changed, override("again"))

        account = store.catalog.account("acme")
        assert account is not None
        assert (account.tenant, account.mappings) == (tenant(), (mapping(),))
        assert store.catalog.meters() == ((meter(),),)
        assert [o.why for o in store.catalog.overrides().elements] == ["first", "again"] * 3

    def test_a_known_letter_changes_nothing(self, store: Store) -> None:
        letter = dead_letter("one")
        store.dead_letters.keep([letter, letter])

        store.dead_letters.keep([replace(letter, tenant="beta")])

        assert store.dead_letters.list().elements == (letter,)

    def test_a_letter_is_taken_once(self, store: Store) -> None:
        letter = dead_letter("one")
        store.dead_letters.keep([letter])

        taken = [store.dead_letters.take(letter.id, f"try {i}", NOON + i) for i in (1, 2)]

        assert taken == [True, False]
        (kept,) = store.dead_letters.list(open_only=False).elements
        assert (kept.replayed_at, kept.replayed_as) == (NOON + 1, "try 1")

    def test_a_taken_letter_that_comes_again_stays_taken(self, store: Store) -> None:
        letter = dead_letter("one")
        store.dead_letters.keep([letter])
        store.dead_letters.take(letter.id, "recorded", NOON)

        store.dead_letters.keep([letter])

        assert store.dead_letters.list().elements == ()

    def test_a_conflict_that_was_replayed_stays_replayed(self, store: Store) -> None:
        count(store, "e1", 5)
        count(store, "e1", 6)
        (letter,) = store.dead_letters.list().elements
        store.dead_letters.take(letter.id, "settled by hand", NOON)

        store.events.record([recording(event("e1", 6))], NOON)

        assert store.dead_letters.list().elements == ()
