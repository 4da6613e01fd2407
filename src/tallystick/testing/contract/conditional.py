"""Conditional: a write that was decided on what is no longer so changes nothing."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tallystick.domain.ledger import Entry, chained
from tallystick.domain.publication import State
from tallystick.domain.slot import Slot
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    due,
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
    settle,
    slot_of,
    stepped,
)
from tallystick.testing.factories import (
    ELEVEN,
    NEXT_HOUR,
    aggregate_key,
    event,
    mapping,
    meter,
    override,
    place,
    publication,
    settled,
    tenant,
)

OFFENCES: Mapping[str, dict[str, Any]] = {
    "a line too far": {"line": 4},
    "a line that is taken": {"line": 2},
    "another line before": {"previous_hash": "f" * 64},
    "a revision too far": {"revision": 4},
    "a revision that is taken": {"revision": 2},
    "an older position": {"position": 1},
    "the same position with a change": {"position": 2},
}


def cleared(store: Store) -> None:
    """Take the mark of the usual slot as it is now."""
    store.outbox.clear_due([slot_of(store)])


class ConditionalContract(StoreHooks):
    """Every clause of every condition, one broken at a time."""

    def _third(self, store: Store) -> Entry:
        """The third Entry of a key, ready to be appended, at position 3."""
        sealed(store)
        for key in ("e2", "e3"):
            count(store, key, 2)
            if key == "e2":
                seal(store)
        (third,) = next_of(store)
        return third

    @pytest.mark.parametrize("offence", OFFENCES)
    def test_append_refuses(self, store: Store, offence: str) -> None:
        third = self._third(store)
        before = slot_of(store), store.ledger.head("acme", "requests"), find(store)

        wrong = chained(replace(third, **OFFENCES[offence]))

        assert store.ledger.append([(wrong,)]) == (Appended.STALE,)
        assert (slot_of(store), store.ledger.head("acme", "requests"), find(store)) == before
        assert len(store.ledger.entries().elements) == 2
        assert store.ledger.append([(third,)]) == (Appended.APPENDED,)

    def test_append_takes_a_release_at_the_same_position_and_none_at_an_older(
        self, store: Store
    ) -> None:
        third = self._third(store)
        same = chained(replace(third, delta=Decimal(0), total=Decimal(7), position=2))
        older = chained(replace(same, position=1))

        assert store.ledger.append([(older,)]) == (Appended.STALE,)
        assert store.ledger.append([(same,)]) == (Appended.APPENDED,)

    def test_append_demands_the_first_revision_first(self, store: Store) -> None:
        count(store)
        (entry,) = next_of(store)

        second = chained(replace(entry, revision=2))

        assert store.ledger.append([(second,)]) == (Appended.STALE,)
        assert store.ledger.append([(entry,)]) == (Appended.APPENDED,)

    def test_a_pair_stands_on_its_first_entry(self, store: Store) -> None:
        third = self._third(store)
        off = chained(replace(third, line=9))
        partner = chained(replace(third, line=10, revision=4, previous_hash=off.hash))

        assert store.ledger.append([(off, partner)]) == (Appended.STALE,)
        assert len(store.ledger.entries().elements) == 2

    def test_one_stale_element_leaves_its_neighbours_alone(self, store: Store) -> None:
        report(store, event("e1"), event("e2", occurred_at=ELEVEN))
        report(store, event("e1", tenant="beta"))
        ours, later = next_of(store), next_of(store, aggregate_key(window=NEXT_HOUR))
        theirs = next_of(store, aggregate_key("beta"), into=place(destination="cus_beta"))

        appended = store.ledger.append([ours, later, theirs])

        assert appended == (Appended.APPENDED, Appended.STALE, Appended.APPENDED)

    def test_append_marks_the_aggregate_due_again(self, store: Store) -> None:
        count(store)
        store.ledger.clear_due([(aggregate_key(), 1, 0)])
        assert due_keys(store) == []

        seal(store)

        assert find(store).sealed
        assert due_keys(store) == [aggregate_key()]

    def test_a_mark_is_taken_at_the_position_that_was_read(self, store: Store) -> None:
        sealed(store)

        store.ledger.clear_due([seen(find(store))])

        assert not find(store).due
        assert find(store).sealed
        assert due_keys(store) == []

    def test_a_change_between_reading_and_clearing_keeps_the_mark(self, store: Store) -> None:
        sealed(store)
        read = find(store)
        count(store, "e2")

        for position in (read.position, read.position + 2):
            store.ledger.clear_due([seen(replace(read, position=position))])
            assert due_keys(store) == [aggregate_key()]

    def test_an_append_between_reading_and_clearing_keeps_the_mark(self, store: Store) -> None:
        """Whoever found nothing to say takes no mark of one that slept over an older total."""
        count(store)
        read = find(store)

        seal(store)
        store.ledger.clear_due([seen(read)])
        assert due_keys(store) == [aggregate_key()]

        store.ledger.clear_due([seen(replace(read, marks=read.marks + 1))])
        assert due_keys(store) == []

    def test_a_later_event_marks_a_cleared_aggregate(self, store: Store) -> None:
        sealed(store)
        store.ledger.clear_due([seen(find(store))])

        count(store, "e2")

        assert due_keys(store) == [aggregate_key()]

    def test_a_mapping_marks_its_tenants_and_meters_aggregates(self, store: Store) -> None:
        told = event("e1"), event("e2", occurred_at=ELEVEN)
        report(store, *told, meters=(meter(), meter("other")))
        report(store, event("e1", tenant="beta"))
        store.ledger.clear_due([(key, 1, 0) for key in due_keys(store)])

        store.catalog.save(mapping(), override())

        assert due_keys(store) == [aggregate_key(), aggregate_key(window=NEXT_HOUR)]

    def test_a_tenant_and_a_meter_mark_nothing(self, store: Store) -> None:
        count(store)
        store.ledger.clear_due([(aggregate_key(), 1, 0)])

        store.catalog.save(tenant(), override())
        store.catalog.save(meter(), override())

        assert due_keys(store) == []

    def test_intend_takes_the_slot(self, store: Store) -> None:
        sealed(store)
        new = publication(slot_of(store))

        assert store.outbox.intend([new]) == (True,)

        found = due(store)
        assert found.current == new
        assert (found.slot.revision, found.slot.unsettled) == (1, new.identifier)
        assert due_slots(store) == [new.slot]

    @pytest.mark.parametrize("change", [{"slot_revision": 2}, {"slot_version": 0}])
    def test_intend_refuses_what_was_read_too_early(
        self, store: Store, change: dict[str, int]
    ) -> None:
        sealed(store)
        new = publication(slot_of(store))
        before = slot_of(store)

        assert store.outbox.intend([replace(new, **change)]) == (False,)  # type: ignore[arg-type]

        assert slot_of(store) == before
        assert store.outbox.publications().elements == ()

    def test_intend_refuses_a_total_that_grew_meanwhile(self, store: Store) -> None:
        sealed(store)
        new = publication(slot_of(store))
        count(store, "e2")
        seal(store)

        assert store.outbox.intend([new]) == (False,)
        assert store.outbox.intend([publication(slot_of(store))]) == (True,)

    def test_intend_refuses_while_something_is_unsettled(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)
        count(store, "e2")
        seal(store)

        assert store.outbox.intend([publication(slot_of(store))]) == (False,)
        assert due(store).current == intended

    def test_intend_refuses_a_slot_that_is_not_there(self, store: Store) -> None:
        stray = publication(Slot(place=place()))

        assert store.outbox.intend([stray]) == (False,)
        assert store.outbox.publications().elements == ()

    def test_advance_replaces_the_step_that_was_read(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)
        before = slot_of(store)

        assert store.outbox.advance([(intended, stepped(intended))]) == (True,)

        assert due(store).current == stepped(intended)
        assert slot_of(store) == before

    def test_advance_refuses_another_step(self, store: Store) -> None:
        sealed(store)
        intended = intend(store)
        ahead = stepped(intended)
        store.outbox.advance([(intended, ahead)])

        assert store.outbox.advance([(intended, settled(intended))]) == (False,)
        assert due(store).current == ahead
        assert store.outbox.advance([(ahead, settled(ahead))]) == (True,)

    def test_advance_refuses_a_publication_that_is_not_there(self, store: Store) -> None:
        sealed(store)
        stray = publication(slot_of(store))

        assert store.outbox.advance([(stray, stepped(stray))]) == (False,)
        assert store.outbox.publications().elements == ()

    def test_one_lost_race_leaves_its_neighbours_alone(self, store: Store) -> None:
        sealed(store)
        report(store, event("e1", 2, tenant="beta"))
        other = place(destination="cus_beta")
        seal(store, aggregate_key("beta"), into=other)
        mine, theirs = publication(slot_of(store)), publication(slot_of(store, other.slot))

        assert store.outbox.intend([mine, mine, theirs]) == (True, False, True)
        steps = [(p, stepped(p)) for p in (mine, mine, theirs)]
        assert store.outbox.advance(steps) == (True, False, True)

    def test_a_settled_slot_is_cleared(self, store: Store) -> None:
        sealed(store)
        publish(store)
        assert due_slots(store) == [place().slot]

        cleared(store)

        assert due_slots(store) == []

    def test_a_slot_that_holds_another_total_stays_due(self, store: Store) -> None:
        sealed(store)
        cleared(store)
        assert due_slots(store) == [place().slot]

        settle(store, intend(store), State.SUPERSEDED)
        cleared(store)
        assert due_slots(store) == [place().slot]

    def test_a_slot_with_something_unsettled_stays_due(self, store: Store) -> None:
        sealed(store)
        publish(store)
        store.outbox.intend([publication(slot_of(store))])

        cleared(store)

        assert due_slots(store) == [place().slot]

    def test_a_slot_that_the_ledger_changed_meanwhile_stays_due(self, store: Store) -> None:
        sealed(store)
        publish(store)
        read = slot_of(store)
        count(store, "e2")
        seal(store)
        report(store, event("v2", voids="e2"))
        seal(store)
        assert (slot_of(store).total, slot_of(store).version) == (read.total, read.version + 2)

        store.outbox.clear_due([read])

        assert due_slots(store) == [place().slot]

    def test_a_slot_that_was_published_meanwhile_stays_due(self, store: Store) -> None:
        sealed(store)
        publish(store)
        read = slot_of(store)
        publish(store)

        store.outbox.clear_due([read])

        assert due_slots(store) == [place().slot]

    def test_the_ledger_marks_a_cleared_slot(self, store: Store) -> None:
        sealed(store)
        publish(store)
        cleared(store)
        count(store, "e2")

        seal(store)

        assert due_slots(store) == [place().slot]

    def test_adjust_replaces_what_a_person_decides(self, store: Store) -> None:
        sealed(store)
        before = slot_of(store)
        after = replace(
            before,
            confirmed=before.total,
            earlier=(Decimal("2.5"), before.total),
            due=False,
        )

        assert store.outbox.adjust(before, after)

        assert slot_of(store) == after
        assert due_slots(store) == []

    def test_adjust_replaces_nothing_else(self, store: Store) -> None:
        sealed(store)
        before = slot_of(store)

        after = replace(before, total=Decimal(99), version=9, revision=9, unsettled="x")

        assert store.outbox.adjust(before, after)
        assert slot_of(store) == before

    def test_adjust_may_say_that_nothing_is_known(self, store: Store) -> None:
        sealed(store)
        before = slot_of(store)

        assert store.outbox.adjust(before, replace(before, confirmed=None))

        assert slot_of(store).confirmed is None
        assert not store.outbox.adjust(before, before)

    @pytest.mark.parametrize("change", ["version", "revision", "confirmed"])
    def test_adjust_refuses_what_was_read_too_early(self, store: Store, change: str) -> None:
        sealed(store)
        before = slot_of(store)
        if change == "version":
            count(store, "e2")
            seal(store)
        elif change == "revision":
            settle(store, intend(store), State.REJECTED)
        else:
            store.outbox.adjust(before, replace(before, confirmed=Decimal(1)))
        now = slot_of(store)

        assert not store.outbox.adjust(before, replace(before, due=False))
        assert slot_of(store) == now

    def test_adjust_refuses_while_something_is_unsettled(self, store: Store) -> None:
        sealed(store)
        intend(store)
        read = slot_of(store)

        assert not store.outbox.adjust(read, replace(read, due=False))
        assert slot_of(store) == read

    def test_adjust_refuses_a_slot_that_is_not_there(self, store: Store) -> None:
        absent = Slot(place=place())

        assert not store.outbox.adjust(absent, replace(absent, due=False))
        assert store.outbox.slots().elements == ()
