"""Atomic: a write stands whole or not at all, and each element of a batch is one of its own."""

from dataclasses import replace
from decimal import Decimal

from tallystick.domain.dead_letter import Reason
from tallystick.domain.event import Receipt
from tallystick.domain.ledger import chained
from tallystick.domain.meter import GROUPS_MAX, OTHER, Aggregation
from tallystick.ports import Appended, Recording, Store
from tallystick.testing.contract.accounted import ONWARD, carry
from tallystick.testing.contract.exact import LARGEST_TOTAL, of_value
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    content,
    count,
    find,
    intend,
    next_of,
    publish,
    report,
    seal,
    sealed,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    ELEVEN,
    NEXT_HOUR,
    NOON,
    aggregate_key,
    event,
    meter,
    place,
    publication,
    recording,
)

DISTINCT = meter("members", Aggregation.UNIQUE_COUNT, value_path="user")


class AtomicContract(StoreHooks):
    """What was refused left nothing; what was done left everything."""

    def test_an_event_and_all_its_aggregates_are_one_write(self, store: Store) -> None:
        meters = (meter(), meter("peak", Aggregation.MAX), meter("calls", Aggregation.COUNT))

        (recorded,) = report(store, event("e1", 5), meters=meters)

        assert len(recorded.aggregates) == 3
        assert [find(store, key).position for key in recorded.aggregates] == [1, 1, 1]
        assert len(store.ledger.aggregates_due(NOON).elements) == 3

    def test_a_refused_event_leaves_nothing_in_any_meter(self, store: Store) -> None:
        store.events.record([of_value("e1", LARGEST_TOTAL)], NOON)
        before = content(store)
        by_model = meter("by model", dimensions=("model",))
        told = event("e2", 1, properties={"model": "new", "user": "ada"})

        (refused,) = report(store, told, meters=(by_model, DISTINCT, meter()))

        assert refused.refused is Reason.OVERFLOW
        assert content(store) == before

    def test_a_refused_event_leaves_no_member_behind(self, store: Store) -> None:
        store.events.record([of_value("e1", LARGEST_TOTAL)], NOON)
        ada = {"user": "ada"}
        report(store, event("e2", 1, properties=ada), meters=(DISTINCT, meter()))

        report(store, event("e3", 1, properties=ada), meters=(DISTINCT,))
        assert value(store, aggregate_key(meter="members")) == 1

        report(store, event("v3", voids="e3"))
        assert value(store, aggregate_key(meter="members")) == 0

    def test_a_refused_event_takes_no_dimension_sets_room(self, store: Store) -> None:
        store.events.record([of_value("e1", LARGEST_TOTAL)], NOON)
        by_model = meter("by model", dimensions=("model",))
        told = [event(f"m{i}", properties={"model": f"m{i}"}) for i in range(GROUPS_MAX + 1)]

        (refused,) = report(store, told[0], meters=(by_model, meter()))
        recorded = report(store, *told[1:], meters=(by_model,))

        assert refused.refused is Reason.OVERFLOW
        assert OTHER not in {key.group for each in recorded for key in each.aggregates}

    def test_a_conflict_leaves_only_its_letter(self, store: Store) -> None:
        count(store, "e1", 5)
        before = content(store)

        count(store, "e1", 6)

        after = content(store)
        assert [len(after.pop(name)) for name in ("letters", "open letters")] == [1, 1]
        assert after == {name: before[name] for name in after}

    def test_a_conflicting_void_voids_nothing(self, store: Store) -> None:
        report(store, event("e1", 5), event("e2", 3), event("v1", voids="e1"))

        (conflict,) = report(store, event("v1", voids="e2"))

        assert conflict.receipt is Receipt.CONFLICT
        assert value(store) == 3
        assert not store.events.is_voided("acme", "e2")

    def test_bad_events_fail_no_neighbour(self, store: Store) -> None:
        store.events.record([of_value("e1", LARGEST_TOTAL)], NOON)
        other = meter("other")
        batch: list[Recording] = [
            recording(event("e2", 1), other),
            recording(event("e3", 1)),
            recording(event("e2", 9), other),
            recording(event("e4", 2), other),
            recording(event("e4", 2), other),
        ]

        recorded = store.events.record(batch, NOON)

        assert [r.refused for r in recorded] == [None, Reason.OVERFLOW, None, None, None]
        assert [r.receipt for r in recorded if not r.refused] == [
            Receipt.RECORDED,
            Receipt.CONFLICT,
            Receipt.RECORDED,
            Receipt.DUPLICATE,
        ]
        assert value(store, aggregate_key(meter="other")) == 3

    def test_stale_entries_leave_nothing(self, store: Store) -> None:
        report(store, event("e1", 5), event("e2", 2, occurred_at=ELEVEN))
        stale = next_of(store, aggregate_key(window=NEXT_HOUR), into=place(destination="cus_new"))
        seal(store)
        before = content(store)

        assert store.ledger.append([stale]) == (Appended.STALE,)

        assert content(store) == before

    def test_a_stale_pair_leaves_neither_half(self, store: Store) -> None:
        out, into = carry(store)
        report(store, event("e2", 2, occurred_at=ELEVEN))
        seal(store, aggregate_key(window=NEXT_HOUR))
        before = content(store)

        assert store.ledger.append([(out, into)]) == (Appended.STALE,)

        assert content(store) == before

    def test_a_pair_that_stands_in_part_only_is_stale(self, store: Store) -> None:
        """Two chains that part after their first Entry: the pair is not the one that stands."""
        out, into = carry(store)
        store.ledger.append([(out, into)])
        other = chained(replace(into, sealed_at=NOON))
        before = content(store)

        assert store.ledger.append([(out, other)]) == (Appended.STALE,)

        assert content(store) == before

    def test_an_entry_its_slot_its_mark_and_its_head_are_one_write(self, store: Store) -> None:
        count(store, "e1", 5)
        (entry,) = next_of(store)

        store.ledger.append([(entry,)])

        assert store.ledger.entries().elements == (entry,)
        assert store.ledger.head("acme", "requests").hash == entry.hash
        assert slot_of(store).total == 5
        assert [d.slot.key for d in store.outbox.slots_due().elements] == [place().slot]
        assert find(store).sealed

    def test_the_slots_of_a_pair_are_raised_with_it(self, store: Store) -> None:
        store.ledger.append([carry(store)])

        assert [d.slot.key for d in store.outbox.slots_due().elements] == [ONWARD.slot]

    def test_a_refused_intent_leaves_nothing(self, store: Store) -> None:
        sealed(store)
        intend(store)
        before = content(store)

        other = publication(slot_of(store), incarnation="elsewhere")

        assert store.outbox.intend([other]) == (False,)
        assert content(store) == before

    def test_a_batch_may_depend_on_its_own_beginning(self, store: Store) -> None:
        count(store, "e1", 5)
        (first,) = next_of(store)
        count(store, "e2", 2)
        after = replace(first, line=2, revision=2, position=2, previous_hash=first.hash)
        ten = Decimal(10)
        summed = replace(after, total=ten, released_total=ten, billed=ten, allocated=ten)
        second = chained(summed)

        assert store.ledger.append([(first,), (second,)]) == (Appended.APPENDED,) * 2
        assert slot_of(store).version == 2

    def test_a_publication_and_its_slot_end_in_one_write(self, store: Store) -> None:
        sealed(store)

        current = publish(store)

        assert store.outbox.publications(unsettled=True).elements == ()
        assert slot_of(store).unsettled is None
        assert slot_of(store).confirmed == current.total
