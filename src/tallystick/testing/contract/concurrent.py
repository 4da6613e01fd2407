"""Concurrent: of sixteen threads that do the same at once, one does it, and nothing is lost."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

import pytest

from tallystick.domain.event import Receipt
from tallystick.domain.publication import State
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    due_keys,
    due_slots,
    find,
    intend,
    next_of,
    publish,
    report,
    seal,
    sealed,
    seen,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    NOON,
    aggregate_key,
    dead_letter,
    event,
    override,
    place,
    publication,
    settled,
    tenant,
)

T = TypeVar("T")
THREADS = 16
ROUNDS = 12
HURRY = 1e-6
"""Seconds until the interpreter turns to another thread: far less than a write takes."""

each_handle = pytest.mark.parametrize("own_handles", [False, True], ids=["shared", "own"])


def at_once(stores: list[Store], act: Callable[[Store, int], T]) -> list[T]:
    """Each store's act in a thread of its own, all let go at the same moment."""
    barrier = threading.Barrier(len(stores))

    def one(place: int) -> T:
        barrier.wait(timeout=30)
        return act(stores[place], place)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(HURRY)
    try:
        with ThreadPoolExecutor(len(stores)) as pool:
            return list(pool.map(one, range(len(stores))))
    finally:
        sys.setswitchinterval(usual)


class ConcurrentContract(StoreHooks):
    """Races on one storage, through one handle or through one handle each."""

    def race(
        self,
        store: Store,
        act: Callable[[Store, int], T],
        *,
        own_handles: bool = False,
        threads: int = THREADS,
    ) -> list[T]:
        with ExitStack() as open_handles:
            stores = [store] * threads
            if own_handles:
                stores = [open_handles.enter_context(self.second(store)) for _ in range(threads)]
            return at_once(stores, act)

    @each_handle
    def test_one_of_many_reports_of_an_event_counts(
        self, store: Store, *, own_handles: bool
    ) -> None:
        receipts = self.race(
            store, lambda mine, _: count(mine, "e1", 5).receipt, own_handles=own_handles
        )

        assert Counter(receipts) == {Receipt.RECORDED: 1, Receipt.DUPLICATE: THREADS - 1}
        assert value(store) == 5
        assert find(store).position == 1

    @each_handle
    def test_one_of_many_contents_of_a_key_wins(self, store: Store, *, own_handles: bool) -> None:
        receipts = self.race(
            store, lambda mine, i: count(mine, "e1", i + 1).receipt, own_handles=own_handles
        )

        assert Counter(receipts) == {Receipt.RECORDED: 1, Receipt.CONFLICT: THREADS - 1}
        assert value(store) == receipts.index(Receipt.RECORDED) + 1
        assert len(store.dead_letters.list().elements) == THREADS - 1

    @each_handle
    def test_nothing_is_lost_where_all_count_into_one(
        self, store: Store, *, own_handles: bool
    ) -> None:
        def act(mine: Store, i: int) -> None:
            for n in range(5):
                report(mine, event(f"{i}/{n}", 1), event(f"common {n}", 1))

        self.race(store, act, own_handles=own_handles)

        expected = THREADS * 5 + 5
        assert value(store) == expected
        changes = store.events.changes(aggregate_key())
        assert [c.position for c in changes] == list(range(1, expected + 1))
        assert len({c.contribution.event_key for c in changes}) == expected

    def test_an_event_and_its_void_leave_nothing_whoever_is_first(self, store: Store) -> None:
        def act(mine: Store, i: int) -> None:
            for n in range(ROUNDS):
                report(mine, event(f"v{i}/{n}", voids=f"e{n}") if i % 2 else event(f"e{n}", 5))

        self.race(store, act, threads=4)

        assert {str(a.value) for a in store.events.aggregates().elements} <= {"0"}
        assert {a.tally.count for a in store.events.aggregates().elements} <= {0}

    @each_handle
    def test_the_same_entries_are_appended_once(self, store: Store, *, own_handles: bool) -> None:
        count(store, "e1", 5)
        entries = next_of(store)

        answers = self.race(
            store, lambda mine, _: mine.ledger.append([entries])[0], own_handles=own_handles
        )

        assert Counter(answers) == {Appended.APPENDED: 1, Appended.ALREADY: THREADS - 1}
        assert slot_of(store).total == 5
        assert slot_of(store).version == 1

    @each_handle
    def test_one_of_many_next_lines_is_appended(self, store: Store, *, own_handles: bool) -> None:
        count(store, "e1", 5)
        rivals = [next_of(store, now=NOON + i) for i in range(THREADS)]

        answers = self.race(
            store, lambda mine, i: mine.ledger.append([rivals[i]])[0], own_handles=own_handles
        )

        assert Counter(answers) == {Appended.APPENDED: 1, Appended.STALE: THREADS - 1}
        assert store.ledger.entries().elements == rivals[answers.index(Appended.APPENDED)]
        assert slot_of(store).total == 5

    @each_handle
    def test_one_of_many_intents_takes_the_slot(self, store: Store, *, own_handles: bool) -> None:
        sealed(store)
        rivals = [publication(slot_of(store), incarnation=str(i)) for i in range(THREADS)]

        answers = self.race(
            store, lambda mine, i: mine.outbox.intend([rivals[i]])[0], own_handles=own_handles
        )

        assert Counter(answers) == {True: 1, False: THREADS - 1}
        winner = rivals[answers.index(True)]
        assert store.outbox.publications().elements == (winner,)
        assert slot_of(store).unsettled == winner.identifier

    @each_handle
    def test_one_of_many_advances_is_made(self, store: Store, *, own_handles: bool) -> None:
        sealed(store)
        intended = intend(store)
        ends = [
            settled(intended, (State.CONFIRMED, State.SUPERSEDED)[i % 2], now=NOON + i)
            for i in range(THREADS)
        ]

        answers = self.race(
            store,
            lambda mine, i: mine.outbox.advance([(intended, ends[i])])[0],
            own_handles=own_handles,
        )

        assert Counter(answers) == {True: 1, False: THREADS - 1}
        assert store.outbox.publications().elements == (ends[answers.index(True)],)
        assert slot_of(store).earlier == (intended.total,)

    def test_one_of_many_takes_a_letter(self, store: Store) -> None:
        letter = dead_letter("one")
        store.dead_letters.keep([letter])

        answers = self.race(
            store, lambda mine, i: mine.dead_letters.take(letter.id, f"by {i}", NOON)
        )

        assert Counter(answers) == {True: 1, False: THREADS - 1}
        (taken,) = store.dead_letters.list(open_only=False).elements
        assert taken.replayed_as == f"by {answers.index(True)}"

    def test_every_setting_and_audit_line_is_kept(self, store: Store) -> None:
        before = store.catalog.revision()

        self.race(store, lambda mine, i: mine.catalog.save(tenant(f"t{i}"), override(f"line {i}")))

        assert len(store.catalog.accounts().elements) == THREADS
        lines = {line.why for line in store.catalog.overrides().elements}
        assert lines == {f"line {i}" for i in range(THREADS)}
        assert store.catalog.revision() >= before + THREADS

    def test_a_mark_is_not_taken_from_under_a_late_event(self, store: Store) -> None:
        for n in range(ROUNDS):
            count(store, f"e{n}")
            position = find(store).position

            def act(mine: Store, i: int, n: int = n, position: int = position) -> None:
                if i:
                    count(mine, f"late {n}")
                else:
                    mine.ledger.clear_due([(aggregate_key(), position, 0)])

            self.race(store, act, threads=2)

            assert due_keys(store) == [aggregate_key()]

    def test_a_slots_mark_is_not_taken_from_under_an_entry(self, store: Store) -> None:
        sealed(store)
        publish(store)
        for n in range(ROUNDS):
            count(store, f"late {n}")
            read, late = slot_of(store), next_of(store)

            def act(mine: Store, i: int, read=read, late=late) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
                if i:
                    mine.ledger.append([late])
                else:
                    mine.outbox.clear_due([read])

            self.race(store, act, threads=2)

            assert due_slots(store) == [place().slot]
            publish(store)

    def test_an_intent_sees_the_ledger_before_or_after_an_entry(self, store: Store) -> None:
        sealed(store)
        for n in range(ROUNDS):
            count(store, f"late {n}")
            read, late = publication(slot_of(store)), next_of(store)

            def act(mine: Store, i: int, read=read, late=late) -> bool:  # type: ignore[no-untyped-def]  # noqa: ANN001
                if i:
                    return mine.ledger.append([late])[0] is Appended.APPENDED
                return mine.outbox.intend([read])[0]

            intended, appended = self.race(store, act, threads=2)

            assert appended
            slot = slot_of(store)
            assert slot.total == n + 6
            assert (slot.unsettled == read.identifier) is intended
            if intended:
                store.outbox.advance([(read, settled(read))])
            publish(store)

    def test_a_sealing_store_and_a_counting_one_end_with_the_same_total(self, store: Store) -> None:
        count(store, "e0", 1)

        def act(mine: Store, i: int) -> None:
            for n in range(ROUNDS):
                if i:
                    count(mine, f"e{i}/{n}", 1)
                else:
                    for aggregate in mine.ledger.aggregates_due(NOON).elements:
                        new = next_of(mine, aggregate.key)
                        outcomes = mine.ledger.append([new] if new else [])
                        own = outcomes.count(Appended.APPENDED)
                        read = replace(aggregate, marks=aggregate.marks + own)
                        mine.ledger.clear_due([seen(read)])

        self.race(store, act, threads=4)

        if due_keys(store) and next_of(store):
            seal(store)
        assert value(store) == 1 + 3 * ROUNDS
        assert slot_of(store).total == value(store)
        assert replace(find(store), due=False).sealed
