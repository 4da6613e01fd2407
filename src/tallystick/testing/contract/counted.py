"""Counted: an event changes its Aggregates, a void takes it out again, in whatever order."""

import itertools
from decimal import Decimal

import pytest

from tallystick.domain.event import Event, Receipt
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE, Aggregation, Span, group_of
from tallystick.domain.quantity import ZERO
from tallystick.ports import Change, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    aggregates,
    count,
    due_keys,
    find,
    report,
    seal,
    sealed,
    value,
)
from tallystick.testing.factories import (
    ELEVEN,
    JANUARY,
    NEXT_HOUR,
    NOON,
    TEN,
    THE_HOUR,
    aggregate_key,
    at,
    event,
    meter,
    recording,
)

DISTINCT = meter("members", Aggregation.UNIQUE_COUNT, value_path="user")
BY_MODEL = meter(dimensions=("model",))
EXTREMES = (
    meter("peak", Aggregation.MAX),
    meter("floor", Aggregation.MIN),
    meter("level", Aggregation.LATEST),
)


def by(user: str, key: str) -> Event:
    return event(key, properties={"user": user})


def of_model(model: str, key: str) -> Event:
    return event(key, properties={"model": model})


class CountedContract(StoreHooks):
    """What `record` makes true, and what can be read of it."""

    def test_a_new_event_is_recorded_and_names_what_it_changed(self, store: Store) -> None:
        (recorded,) = report(store, event("e1", 5))

        assert recorded.receipt is Receipt.RECORDED
        assert recorded.aggregates == (aggregate_key(),)
        assert recorded.refused is None

    def test_an_event_reads_back_as_it_was_stored(self, store: Store) -> None:
        told = event("e1", "2.5", properties={"user": "ü", "size": Decimal("1.50")})

        report(store, told)

        assert store.events.event("acme", "e1") == told
        assert store.events.event("acme", "e2") is None
        assert store.events.events("acme").elements == (told,)

    def test_each_event_folds_raises_the_position_and_marks_due(self, store: Store) -> None:
        count(store, "e1", 5)
        count(store, "e2", "0.5")

        aggregate = find(store)
        assert aggregate.value == Decimal("5.5")
        assert (aggregate.tally.count, aggregate.position) == (2, 2)
        assert (aggregate.sealed, aggregate.due) == (False, True)

    def test_an_aggregate_keeps_what_its_first_contribution_says(self, store: Store) -> None:
        monthly = meter("monthly", Aggregation.AVERAGE, span=Span.PERIOD, version=7)

        report(store, event("e1", 1), event("e2", 2), meters=(monthly,))

        aggregate = find(store, aggregate_key(meter="monthly", window=JANUARY))
        assert (aggregate.aggregation, aggregate.span) == (Aggregation.AVERAGE, Span.PERIOD)
        assert (aggregate.period, aggregate.meter_version) == (JANUARY, 7)
        assert aggregate.value == Decimal("1.5")

    def test_an_event_that_no_meter_counts_is_recorded_all_the_same(self, store: Store) -> None:
        (recorded,) = report(store, event("e1", code="unmetered"))

        assert recorded.receipt is Receipt.RECORDED
        assert recorded.aggregates == ()
        assert aggregates(store) == []

    def test_an_event_counts_in_each_of_its_meters(self, store: Store) -> None:
        (recorded,) = report(store, event("e1", 7), meters=EXTREMES)

        assert {key.meter for key in recorded.aggregates} == {"peak", "floor", "level"}
        assert [aggregate.value for aggregate in aggregates(store)] == [7, 7, 7]

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_any_order_of_events_gives_the_same_extremes(
        self, store: Store, order: tuple[int, ...]
    ) -> None:
        told = [event(f"e{i}", q, occurred_at=TEN + i) for i, q in enumerate((4, 9, 4))]

        report(store, *(told[i] for i in order), meters=EXTREMES)

        tallies = {a.key.meter: a.tally for a in aggregates(store)}
        assert {name: tally.extreme for name, tally in tallies.items()} == {
            "peak": 9,
            "floor": 4,
            "level": 4,
        }
        assert tallies["floor"].latest_key == "e2"

    def test_what_is_sealed_and_over_takes_late_events(self, store: Store) -> None:
        sealed(store)

        (late,) = report(store, event("e2"), now=ELEVEN)

        assert late.receipt is Receipt.LATE
        assert find(store).due

    def test_before_its_end_or_unsealed_nothing_is_late(self, store: Store) -> None:
        unsealed = report(store, event("e1"), now=NOON + 1)[0]
        seal(store)
        not_over = report(store, event("e2"), now=ELEVEN - 1)[0]

        assert unsealed.receipt is Receipt.RECORDED
        assert not_over.receipt is Receipt.RECORDED

    def test_a_void_of_what_is_sealed_is_late_too(self, store: Store) -> None:
        sealed(store)

        (late,) = report(store, event("v1", voids="e1"))

        assert late.receipt is Receipt.LATE
        assert late.aggregates == (aggregate_key(),)

    def test_a_void_takes_out_what_was_counted(self, store: Store) -> None:
        count(store, "e1", 5)
        count(store, "e2", 3)
        store.ledger.clear_due([(aggregate_key(), 2, 0)])

        (voided,) = report(store, event("v1", voids="e1"))

        aggregate = find(store)
        assert aggregate.value == 3
        assert (aggregate.tally.count, aggregate.position, aggregate.due) == (1, 3, True)
        assert voided.receipt is Receipt.RECORDED
        assert voided.aggregates == (aggregate_key(),)
        assert store.events.is_voided("acme", "e1")
        assert not store.events.is_voided("acme", "e2")

    def test_a_void_that_comes_first_waits_and_wins(self, store: Store) -> None:
        waiting = report(store, event("v1", voids="e1"))[0]
        assert store.events.is_voided("acme", "e1")

        voided = count(store, "e1", 5)

        assert (waiting.aggregates, voided.aggregates) == ((), ())
        assert voided.receipt is Receipt.RECORDED
        assert store.events.event("acme", "e1") is not None
        assert aggregates(store) == []

    def test_a_waiting_void_opens_no_window_that_was_empty(self, store: Store) -> None:
        report(store, event("v1", voids="e1"))
        count(store, "e2", 2)

        count(store, "e1", 5)

        assert value(store) == 2
        assert find(store).position == 1

    @pytest.mark.parametrize("order", list(itertools.permutations(("e1", "v1", "v2"))))
    def test_two_voids_take_out_once_in_every_order(
        self, store: Store, order: tuple[str, ...]
    ) -> None:
        count(store, "e2", 3)
        told = {"e1": event("e1", 5)} | {v: event(v, voids="e1") for v in ("v1", "v2")}

        for key in order:
            report(store, told[key])

        assert value(store) == 3
        assert find(store).tally.count == 1

    def test_in_one_batch_a_void_acts_as_if_alone(self, store: Store) -> None:
        report(store, event("e1", 5), event("v1", voids="e1"), event("e2", 3))

        assert value(store) == 3

    def test_a_voided_key_stays_taken(self, store: Store) -> None:
        count(store, "e1", 5)
        report(store, event("v1", voids="e1"))

        assert count(store, "e1", 5).receipt is Receipt.DUPLICATE
        assert count(store, "e1", 6).receipt is Receipt.CONFLICT
        assert value(store) == 0

    def test_the_void_of_a_void_brings_nothing_back(self, store: Store) -> None:
        count(store, "e1", 5)
        report(store, event("v1", voids="e1"))

        report(store, event("v2", voids="v1"))

        assert value(store) == 0

    def test_a_void_acts_in_the_windows_that_were_stored(self, store: Store) -> None:
        report(store, event("e1", 5), event("e2", 1), meters=(meter(), *EXTREMES))

        (voided,) = report(store, event("v1", voids="e1", occurred_at=at("2026-02-03T00:00:00Z")))

        assert {key.window for key in voided.aggregates} == {THE_HOUR}
        assert len(voided.aggregates) == 4

    def test_a_member_counts_until_its_last_event_is_voided(self, store: Store) -> None:
        key = aggregate_key(meter="members")
        told = (by("ada", "e1"), by("ada", "e2"), by("bob", "e3"), by("ada", "e1"))
        report(store, *told, meters=(DISTINCT,))
        assert value(store, key) == 2

        report(store, event("v1", voids="e1"))
        assert value(store, key) == 2
        report(store, event("v2", voids="e2"))
        assert value(store, key) == 1

        report(store, by("ada", "e4"), meters=(DISTINCT,))
        assert value(store, key) == 2

    def test_a_void_of_the_holder_folds_the_rest_again(self, store: Store) -> None:
        quantities = ((1, "e1"), (9, "e2"), (7, "e3"), (0, "e4"), (5, "e5"))
        told = (event(key, q, occurred_at=TEN + i) for i, (q, key) in enumerate(quantities))
        report(store, *told, meters=EXTREMES)

        report(store, *(event(f"v{i}", voids=f"e{i}") for i in (2, 4, 5)))

        values = {a.key.meter: a.value for a in aggregates(store)}
        assert values == {"peak": 7, "floor": 1, "level": 7}
        assert {a.tally.count for a in aggregates(store)} == {2}

    def test_a_fold_of_nothing_is_zero_again(self, store: Store) -> None:
        report(store, event("e1", 9), meters=EXTREMES)

        report(store, event("v1", voids="e1"))

        assert {(a.value, a.tally.extreme) for a in aggregates(store)} == {(ZERO, None)}
        assert count(store, "e1", 9).receipt is Receipt.DUPLICATE

    def test_what_a_holder_left_can_be_taken_out_in_turn(self, store: Store) -> None:
        told = (event(f"e{i}", i) for i in (1, 2, 3))
        report(store, *told, meters=EXTREMES)

        report(store, event("v3", voids="e3"))
        report(store, event("v2", voids="e2"))

        assert {a.value for a in aggregates(store)} == {1}

    def test_changes_tell_what_came_and_what_went(self, store: Store) -> None:
        first, second = recording(event("e1", 5)), recording(event("e2", 3))
        store.events.record([first, second, recording(event("v1", voids="e1"))], NOON)

        assert store.events.changes(aggregate_key()) == (
            Change(1, first.contributions[0]),
            Change(2, second.contributions[0]),
            Change(3, first.contributions[0], removed=True, by="v1"),
        )

    def test_changes_are_read_from_after_upto_and_limited(self, store: Store) -> None:
        report(store, *(event(f"e{i}", i) for i in range(1, 8)))

        def positions(**bounds: int) -> list[int]:
            return [c.position for c in store.events.changes(aggregate_key(), **bounds)]

        assert positions(after=2, upto=5) == [3, 4, 5]
        assert positions(after=2, limit=2) == [3, 4]
        assert positions(after=5) == [6, 7]
        assert positions(after=7) == []
        assert positions(upto=99) == [1, 2, 3, 4, 5, 6, 7]
        assert store.events.changes(aggregate_key("nobody")) == ()

    def test_a_duplicate_and_a_conflict_are_no_change(self, store: Store) -> None:
        count(store, "e1", 5)

        report(store, event("e1", 5), event("e1", 6))

        assert len(store.events.changes(aggregate_key())) == 1

    def test_a_dimension_set_counts_beside_the_whole(self, store: Store) -> None:
        told = (of_model("a", "e1"), of_model("b", "e2"), of_model("a", "e3"))
        report(store, *told, meters=(BY_MODEL,))

        assert {a.key.group: a.value for a in aggregates(store)} == {
            WHOLE: 3,
            group_of({"model": "a"}): 2,
            group_of({"model": "b"}): 1,
        }

    def test_a_dimension_set_too_many_counts_under_other(self, store: Store) -> None:
        told = (of_model(f"m{i}", f"e{i}") for i in range(GROUPS_MAX))
        report(store, *told, meters=(BY_MODEL,))

        beyond = report(store, of_model("new", "x1"), of_model("m3", "x2"), meters=(BY_MODEL,))

        other, known = aggregate_key(group=OTHER), aggregate_key(group=group_of({"model": "m3"}))
        assert [set(r.aggregates) for r in beyond] == [
            {aggregate_key(), other},
            {aggregate_key(), known},
        ]
        assert value(store) == GROUPS_MAX + 2
        assert value(store, other) == 1
        self._other_is_left_again(store)

    def _other_is_left_again(self, store: Store) -> None:
        """A void takes out of OTHER what counts there; who else fills a window has its own room."""
        other = aggregate_key(group=OTHER)
        report(store, event("v1", voids="x1"))
        assert value(store) == GROUPS_MAX + 1
        assert value(store, other) == 0
        assert {c.contribution.key for c in store.events.changes(other)} == {other}

        new = {"model": "new"}
        later = event("x3", properties=new, occurred_at=ELEVEN)
        theirs = event("x3", properties=new, tenant="beta")
        another = meter("another", dimensions=("model",))
        elsewhere = (
            *report(store, later, theirs, meters=(BY_MODEL,)),
            *report(store, event("x4", properties=new), meters=(another,)),
        )
        groups = [{key.group for key in recorded.aggregates} for recorded in elsewhere]
        assert groups == [{WHOLE, group_of({"model": "new"})}] * 3

    def test_aggregates_are_found_by_tenant_meter_and_window(self, store: Store) -> None:
        report(store, event("e1"), event("e2", occurred_at=ELEVEN), event("e1", tenant="beta"))
        report(store, event("e3"), meters=EXTREMES)

        def found(**wanted: object) -> int:
            return len(store.events.aggregates(**wanted).elements)  # type: ignore[arg-type]

        assert found() == 6
        assert found(tenant="beta") == 1
        assert found(meter="requests") == 3
        assert found(tenant="acme", meter="requests", window=THE_HOUR) == 1
        assert found(meter="requests", window=JANUARY) == 3

    def test_events_are_found_by_when_they_occurred(self, store: Store) -> None:
        told = [event(f"e{i}", occurred_at=t) for i, t in enumerate((TEN, ELEVEN - 1, ELEVEN))]
        report(store, *told)

        assert store.events.events(window=THE_HOUR).elements == tuple(told[:2])
        assert store.events.events("acme", window=NEXT_HOUR).elements == (told[2],)
        assert store.events.events("beta", window=THE_HOUR).elements == ()

    def test_what_is_due_waits_for_the_end_of_its_first_hour(self, store: Store) -> None:
        monthly = meter("monthly", span=Span.PERIOD)
        told = event("e1", occurred_at=at("2026-01-01T05:00:00Z")), event("e2")
        report(store, *told, meters=(meter(), monthly))

        after_one_hour = {key.meter for key in due_keys(store, at("2026-01-01T01:00:00Z"))}
        assert after_one_hour == {"monthly"}
        assert due_keys(store, at("2026-01-01T00:59:59Z")) == []
        assert aggregate_key() not in due_keys(store, ELEVEN - 1)
        assert aggregate_key() in due_keys(store, ELEVEN)
