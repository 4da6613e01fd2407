"""Watched: the backlog says what is not done yet, and only that."""

from decimal import Decimal

from tallystick.domain.backlog import Backlog
from tallystick.domain.dead_letter import Reason
from tallystick.domain.publication import State
from tallystick.ports import Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    find,
    intend,
    publish,
    report,
    seal,
    sealed,
    seen,
    settle,
    slot_of,
    stepped,
)
from tallystick.testing.factories import ELEVEN, NOON, TEN, dead_letter, event


class WatchedContract(StoreHooks):
    """`backlog`, from the first event to what nobody can mend any more."""

    def test_nothing_waits_in_an_empty_store(self, store: Store) -> None:
        assert store.backlog(NOON) == Backlog()

    def test_a_window_is_unsealed_from_its_end_to_its_first_entry(self, store: Store) -> None:
        report(store, event("e1"), event("e2", occurred_at=NOON, tenant="other"))

        assert store.backlog(ELEVEN - 1) == Backlog(aggregates_due=2)
        assert store.backlog(NOON) == Backlog(aggregates_due=2, unsealed_since=ELEVEN)
        seal(store)
        assert store.backlog(NOON).unsealed_since is None

    def test_a_mark_that_was_taken_is_not_counted(self, store: Store) -> None:
        sealed(store)
        publish(store)
        store.ledger.clear_due([seen(find(store))])
        store.outbox.clear_due([slot_of(store)])

        assert store.backlog(NOON) == Backlog()

    def test_a_slot_waits_until_something_of_it_is_under_way(self, store: Store) -> None:
        sealed(store)

        found = store.backlog(NOON)
        assert (found.unpublished, found.unpublished_since) == (1, TEN)
        intend(store)
        found = store.backlog(NOON)
        assert (found.unpublished, found.unpublished_since) == (0, None)
        assert dict(found.unsettled) == {State.PENDING: 1}
        assert dict(found.unsettled_since) == {State.PENDING: NOON}

    def test_doubt_is_counted_until_it_is_settled(self, store: Store) -> None:
        sealed(store)
        pending = intend(store)
        doubtful = stepped(pending)
        assert store.outbox.advance([(pending, doubtful)]) == (True,)

        assert dict(store.backlog(NOON).unsettled) == {State.AMBIGUOUS: 1}
        settle(store, doubtful)
        found = store.backlog(NOON)
        assert (dict(found.unsettled), dict(found.unsettled_since)) == ({}, {})
        assert found.unpublished == 0

    def test_what_was_rejected_waits_again_and_what_grew_too(self, store: Store) -> None:
        sealed(store)
        settle(store, intend(store), State.REJECTED)
        assert store.backlog(NOON).unpublished == 1

        publish(store)
        assert store.backlog(NOON).unpublished == 0
        count(store, "e2", 2)
        seal(store)
        assert slot_of(store).total == Decimal(7)
        assert store.backlog(NOON).unpublished == 1

    def test_a_slot_that_closed_too_early_is_undelivered(self, store: Store) -> None:
        sealed(store)
        closes_at = slot_of(store).place.closes_at

        before, after = store.backlog(closes_at - 1), store.backlog(closes_at)

        assert (before.unpublished, before.undelivered) == (1, 0)
        assert (after.unpublished, after.undelivered) == (0, 1)
        assert after.unpublished_since is None

    def test_dead_letters_are_counted_by_reason_while_they_are_open(self, store: Store) -> None:
        letters = [dead_letter("one"), dead_letter("two")]
        store.dead_letters.keep(letters)
        report(store, event("e1", 1), event("e1", 2))

        found = dict(store.backlog(NOON).dead_letters)
        assert found == {Reason.UNKNOWN_TENANT: 2, Reason.CONFLICT: 1}
        assert store.dead_letters.take(letters[0].id, "recorded", NOON)
        assert dict(store.backlog(NOON).dead_letters)[Reason.UNKNOWN_TENANT] == 1
