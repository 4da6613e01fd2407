"""Settled: what the end of a publication leaves in its slot, and how publications are found."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from tallystick.domain.instant import HOUR, LATEST, MINUTE
from tallystick.domain.publication import AT_ONCE, State, next_look
from tallystick.domain.quantity import ZERO
from tallystick.domain.slot import PARTITIONS, SlotKey, slot_partition
from tallystick.domain.window import Window
from tallystick.ports import Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    due,
    every,
    intend,
    publish,
    report,
    seal,
    sealed,
    settle,
    slot_of,
    stepped,
)
from tallystick.testing.factories import (
    DELTA,
    NEXT_HOUR,
    NOON,
    THE_HOUR,
    aggregate_key,
    event,
    place,
    settled,
)


class SettledContract(StoreHooks):
    """`advance` to an end, and the listings of the outbox."""

    def test_a_confirmed_publication_is_what_its_slot_holds(self, store: Store) -> None:
        sealed(store, 5)

        publish(store)

        found = due(store)
        assert found.current is None
        assert (found.slot.unsettled, found.slot.confirmed) == (None, Decimal(5))
        assert found.slot.earlier == (Decimal(5),)
        assert (found.slot.revision, found.slot.version, found.slot.due) == (1, 1, True)

    def test_a_rejected_one_leaves_what_was_confirmed(self, store: Store) -> None:
        sealed(store, 5)
        publish(store)
        count(store, "e2", 2)
        seal(store)

        settle(store, intend(store), State.REJECTED)

        slot = slot_of(store)
        assert (slot.confirmed, slot.unsettled) == (Decimal(5), None)
        assert slot.earlier == (Decimal(5), Decimal(7))

    def test_a_rejected_one_whose_absence_was_read_leaves_what_was_seen(self, store: Store) -> None:
        sealed(store, 5)
        intended = intend(store)
        seen = replace(settled(intended, State.REJECTED), absent=Decimal("4.5"), absent_at=NOON)

        assert store.outbox.advance([(intended, seen)]) == (True,)

        assert slot_of(store).confirmed == Decimal("4.5")
        assert store.outbox.publications().elements == (seen,)

    def test_a_superseded_one_leaves_nothing_known(self, store: Store) -> None:
        sealed(store, 5)

        settle(store, intend(store), State.SUPERSEDED)

        slot = slot_of(store)
        assert (slot.confirmed, slot.unsettled, slot.earlier) == (None, None, (Decimal(5),))
        assert slot.due

    def test_what_grew_meanwhile_is_not_confirmed_with_it(self, store: Store) -> None:
        sealed(store, 5)
        intended = intend(store)
        count(store, "e2", 2)
        seal(store)

        settle(store, intended)

        slot = slot_of(store)
        assert slot.total == 7
        assert slot.confirmed == 5
        assert (slot.version, slot.due) == (2, True)

    def test_a_settled_slot_takes_the_next_revision(self, store: Store) -> None:
        sealed(store, 5)
        first = publish(store)
        count(store, "e2", 2)
        seal(store)

        second = intend(store)

        assert second.slot_revision == 2
        assert second.before == 5
        assert store.outbox.publications().elements == (first, second)

    def test_a_publication_reads_back_in_every_field(self, store: Store) -> None:
        sealed(store, 5)
        intended = intend(store)
        full = replace(
            stepped(intended),
            state=State.ACCEPTED,
            deadline=NOON + 1,
            next_at=NOON + 2,
            last_attempt_at=NOON + 3,
            attempts=4,
            doubts=3,
            failures=2,
            resendable=False,
            accepted_at=NOON + 5,
            read_from=NOON + 6,
            absent=Decimal("-1.5"),
            absent_at=NOON + 7,
            answer="208: schon da 😀",
            step=9,
        )

        assert store.outbox.advance([(intended, full)]) == (True,)

        assert store.outbox.publications().elements == (full,)
        assert due(store).current == full

    def test_a_slot_under_way_is_due_again_when_there_is_something_to_do(
        self, store: Store
    ) -> None:
        sealed(store, 5)
        intended = intend(store)
        look = next_look(intended, slot_of(store))

        assert look > intended.intended_at
        assert slot_of(store).due_at == look
        assert self._due_at(store, look - 1) == []
        assert self._due_at(store, look) == [place().slot]
        assert self._due_at(store) == [place().slot]

    def test_each_step_says_anew_when_its_slot_is_due(self, store: Store) -> None:
        sealed(store, 5)
        first = intend(store)
        accepted = replace(
            stepped(first), state=State.ACCEPTED, accepted_at=NOON, read_from=NOON + 6 * HOUR
        )
        unseen = replace(accepted, absent=ZERO, absent_at=NOON, next_at=NOON + HOUR, step=2)

        for before, after, look in (
            (first, accepted, NOON + 6 * HOUR),
            (accepted, unseen, NOON + HOUR),
        ):
            assert store.outbox.advance([(before, after)]) == (True,)
            assert slot_of(store).due_at == look

        assert store.outbox.advance([(first, stepped(first))]) == (False,)
        assert slot_of(store).due_at == NOON + HOUR

    def test_what_is_settled_is_due_at_once(self, store: Store) -> None:
        for number, state in enumerate((State.CONFIRMED, State.SUPERSEDED, State.REJECTED)):
            count(store, f"e{number}")
            seal(store)
            settle(store, intend(store), state)

            assert slot_of(store).due_at == AT_ONCE

    def test_what_was_refused_waits_longer_each_time(self, store: Store) -> None:
        sealed(store, 5)

        looks = []
        for _ in range(3):
            sent = intend(store)
            after = replace(settled(sent, State.REJECTED), next_at=NOON + MINUTE)
            store.outbox.advance([(sent, after)])
            looks.append(slot_of(store).due_at - NOON)

        assert looks == [MINUTE, 2 * MINUTE, 4 * MINUTE]

    def test_a_slot_that_grew_is_due_at_once(self, store: Store) -> None:
        sealed(store, 5)
        intend(store)
        count(store, "e2", 2)

        seal(store)

        assert slot_of(store).due_at == AT_ONCE

    def test_slots_are_due_in_the_order_of_their_time(self, store: Store) -> None:
        report(store, event("e1"), event("e1", tenant="ada"), event("e1", tenant="beta"))
        for tenant in ("acme", "ada", "beta"):
            seal(store, aggregate_key(tenant), into=place(destination=f"cus_{tenant}"))
        ours, early, late = (place(destination=f"cus_{n}").slot for n in ("acme", "ada", "beta"))
        for slot, wait in ((ours, 2 * MINUTE), (late, MINUTE)):
            sent = intend(store, slot)
            after = replace(stepped(sent), deadline=NOON, next_at=NOON + wait)
            store.outbox.advance([(sent, after)])

        assert self._due_at(store) == [early, late, ours]
        assert self._due_at(store, NOON + MINUTE) == [early, late]
        one = store.outbox.slots_due(NOON + MINUTE, limit=1)
        two = store.outbox.slots_due(NOON + MINUTE, limit=1, cursor=one.cursor)
        assert [d.slot.key for page in (one, two) for d in page.elements] == [early, late]
        assert two.cursor == ""

    def test_what_is_due_is_listed_by_partition(self, store: Store) -> None:
        names = [f"t{number}" for number in range(20)]
        report(store, *(event("e1", tenant=name) for name in names))
        for name in names:
            seal(store, aggregate_key(name), into=place(destination=f"cus_{name}"))
        everything = self._due_at(store)

        shares = [
            every(partial(store.outbox.slots_due, partition=partition, limit=2))
            for partition in range(PARTITIONS)
        ]

        found = [[due.slot.key for due in share] for share in shares]
        assert len(everything) == len(names)
        assert found == [
            [key for key in everything if slot_partition(key) == partition]
            for partition in range(PARTITIONS)
        ]

    def test_a_partition_lists_only_what_is_due_by_now(self, store: Store) -> None:
        sealed(store)
        sent = intend(store)
        look, ours = slot_of(store).due_at, slot_partition(sent.slot)

        for now, number in ((look - 1, 0), (look, 1)):
            assert len(store.outbox.slots_due(now, partition=ours).elements) == number

    def _due_at(self, store: Store, now: int = LATEST) -> list[SlotKey]:
        return [each.slot.key for each in store.outbox.slots_due(now).elements]

    def test_slots_are_found_by_route_and_destination(self, store: Store) -> None:
        report(store, event("e1"), event("e1", tenant="beta"), event("e1", tenant="ada"))
        ours, theirs = place(), place(destination="cus_beta")
        other = place(DELTA, destination="cus_beta")
        seal(store, into=ours)
        seal(store, aggregate_key("beta"), into=theirs)
        seal(store, aggregate_key("ada"), into=other, route=DELTA)

        def found(route: str = "", destination: str = "") -> list[SlotKey]:
            listed = store.outbox.slots(route=route, destination=destination)
            return [each.slot.key for each in listed.elements]

        assert found() == [ours.slot, theirs.slot, other.slot]
        assert found(route="delta") == [other.slot]
        assert found(destination="cus_beta") == [theirs.slot, other.slot]
        assert found(route="absolute", destination="cus_beta") == [theirs.slot]

    def test_slots_are_found_by_the_window_that_they_start_in(self, store: Store) -> None:
        report(store, event("e1"), event("e1", tenant="beta"))
        ten, eleven = place(), place(at=NEXT_HOUR.start)
        seal(store, into=ten)
        seal(store, aggregate_key("beta"), into=eleven)

        for route, destination in (("", ""), (ten.slot.route, ten.slot.destination)):

            def found(window: Window, route: str = route, of: str = destination) -> list[SlotKey]:
                listed = store.outbox.slots(route=route, destination=of, starting=window)
                return [each.slot.key for each in listed.elements]

            assert found(THE_HOUR) == [ten.slot]
            assert found(NEXT_HOUR) == [eleven.slot]

    def test_publications_are_found_by_slot_identifier_and_state(self, store: Store) -> None:
        report(store, event("e1"), event("e1", tenant="beta"))
        theirs = place(destination="cus_beta").slot
        seal(store)
        seal(store, aggregate_key("beta"), into=place(destination="cus_beta"))
        first, open_one = publish(store), intend(store, theirs)
        count(store, "e2")
        seal(store)
        second = settle(store, intend(store), State.REJECTED)

        listed = store.outbox.publications
        assert listed().elements == (first, second, open_one)
        assert listed(slot=place().slot).elements == (first, second)
        assert listed(identifier=second.identifier).elements == (second,)
        assert listed(unsettled=True).elements == (open_one,)
        assert listed(slot=place().slot, unsettled=True).elements == ()
        assert listed(identifier="unheard of").elements == ()

    def test_what_is_due_comes_with_its_unsettled_publication(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)

        (found,) = store.outbox.slots_due().elements

        assert (found.slot, found.current) == (slot_of(store), intended)
