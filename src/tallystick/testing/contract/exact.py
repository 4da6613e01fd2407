"""Exact: a quantity comes back as the very number it was, however large or small."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.dead_letter import Reason
from tallystick.domain.event import Receipt
from tallystick.domain.ledger import Allocation, Entry, chained
from tallystick.domain.meter import Aggregation
from tallystick.domain.tampering import first_broken
from tallystick.ports import Appended, Recorded, Recording, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    aggregates,
    count,
    find,
    next_of,
    publish,
    report,
    seal,
    sealed,
    slot_of,
    value,
)
from tallystick.testing.factories import (
    NOON,
    aggregate_key,
    event,
    meter,
    place,
    recording,
    settled,
)

LARGEST = "999999999999999.999999999999"
SMALLEST = "0.000000000001"
LARGEST_TOTAL = Decimal("9" * 26 + "." + "9" * 12)
"""38 digits: what an Aggregate can hold at most with 12 places."""

LOWEST_TOTAL = LARGEST_TOTAL.copy_negate()
"""Negated as it is: a unary minus would round to 28 digits."""


def of_value(key: str, value: Decimal, aggregation: Aggregation = Aggregation.SUM) -> Recording:
    """An event that contributes more than one event can measure, to be near the limit at once."""
    told = recording(event(key), meter(aggregation=aggregation))
    return replace(told, contributions=tuple(replace(c, value=value) for c in told.contributions))


def put(store: Store, *told: Recording) -> tuple[Recorded, ...]:
    return store.events.record(told, NOON)


def everything(store: Store) -> tuple[object, ...]:
    return (
        store.events.events().elements,
        aggregates(store),
        store.events.changes(aggregate_key()),
        store.dead_letters.list(open_only=False).elements,
    )


class ExactContract(StoreHooks):
    """Quantities at the ends of what can be counted."""

    @pytest.mark.parametrize("quantity", [LARGEST, "-" + LARGEST, SMALLEST, "0", "0.1", "1e14"])
    def test_a_quantity_comes_back_the_same(self, store: Store, quantity: str) -> None:
        told = event("e1", quantity)
        report(store, told)

        found = store.events.event("acme", "e1")

        assert found is not None
        assert type(found.quantity) is Decimal
        assert str(found.quantity) == str(told.quantity)
        assert str(value(store)) == str(told.quantity)

    def test_what_floats_would_lose_is_kept(self, store: Store) -> None:
        report(store, event("e1", LARGEST), *(event(f"s{i}", SMALLEST) for i in range(3)))

        assert value(store) == Decimal("1000000000000000.000000000002")

    def test_tenths_add_up(self, store: Store) -> None:
        report(store, *(event(f"e{i}", "0.1") for i in range(10)))

        assert str(value(store)) == "1"

    def test_an_average_keeps_its_sum_and_count(self, store: Store) -> None:
        average = meter(aggregation=Aggregation.AVERAGE)
        report(store, *(event(f"e{i}", q) for i, q in enumerate((1, 1, 2))), meters=(average,))

        assert (find(store).tally.total, find(store).tally.count) == (Decimal(4), 3)
        assert value(store) == Decimal("1.333333333333")

    @pytest.mark.parametrize("total", [LARGEST_TOTAL, LOWEST_TOTAL], ids=["highest", "lowest"])
    def test_a_total_has_38_digits(self, store: Store, total: Decimal) -> None:
        put(store, of_value("e1", total))

        assert str(value(store)) == str(total)
        assert store.events.changes(aggregate_key())[0].contribution.value == total

    def test_an_overflow_is_refused_and_leaves_no_trace(self, store: Store) -> None:
        put(store, of_value("e1", LARGEST_TOTAL))
        before = everything(store)

        (refused,) = put(store, of_value("e2", Decimal(1)))

        assert refused.refused is Reason.OVERFLOW
        assert refused.aggregates == ()
        assert everything(store) == before
        assert store.events.event("acme", "e2") is None

    def test_what_was_refused_is_new_when_it_comes_again(self, store: Store) -> None:
        put(store, of_value("e1", LARGEST_TOTAL))
        put(store, of_value("e2", Decimal(1)))
        report(store, event("v1", voids="e1"))

        (again,) = put(store, of_value("e2", Decimal(1)))

        assert (again.receipt, again.refused) == (Receipt.RECORDED, None)
        assert value(store) == 1

    def test_an_overflow_in_one_meter_refuses_the_whole_event(self, store: Store) -> None:
        put(store, of_value("e1", LARGEST_TOTAL))
        told = recording(event("e2"), meter("another"), meter())
        before = everything(store)

        (refused,) = put(store, told)

        assert refused.refused is Reason.OVERFLOW
        assert everything(store) == before

    def test_a_void_that_would_overflow_is_refused(self, store: Store) -> None:
        deep, high = of_value("e1", LOWEST_TOTAL), of_value("e2", LARGEST_TOTAL)
        put(store, deep, high, of_value("e3", Decimal(1)))
        before = everything(store)

        (refused,) = report(store, event("v1", voids="e1"))

        assert refused.refused is Reason.OVERFLOW
        assert everything(store) == before
        assert not store.events.is_voided("acme", "e1")

    def test_one_overflow_leaves_its_neighbours_alone(self, store: Store) -> None:
        told = [of_value("e1", LARGEST_TOTAL), of_value("e2", LARGEST_TOTAL)]

        recorded = put(store, *told, recording(event("e3", -1)), recording(event("e4", 1)))

        assert [r.refused for r in recorded] == [None, Reason.OVERFLOW, None, None]
        assert value(store) == LARGEST_TOTAL

    def test_a_maximum_does_not_overflow(self, store: Store) -> None:
        told = [of_value(f"e{i}", LARGEST_TOTAL, Aggregation.MAX) for i in range(3)]

        recorded = put(store, *told)

        assert {r.refused for r in recorded} == {None}
        assert value(store) == LARGEST_TOTAL

    def test_the_ledger_keeps_38_digits(self, store: Store) -> None:
        put(store, of_value("e1", LARGEST_TOTAL))
        (entry,) = seal(store)
        publish(store)

        assert store.ledger.entries().elements == (entry,)
        assert first_broken([entry], store.ledger.head("acme", "requests")) is None
        assert slot_of(store).total == LARGEST_TOTAL
        assert slot_of(store).confirmed == LARGEST_TOTAL
        assert slot_of(store).earlier == (LARGEST_TOTAL,)
        assert store.outbox.publications().elements[0].value == LARGEST_TOTAL
        assert store.ledger.holdings(aggregate_key(), entry.period)[0].quantity == LARGEST_TOTAL

    def test_a_trailing_zero_changes_no_hash(self, store: Store) -> None:
        """An Entry is hashed by value, so that a number may be stored in any exact form."""
        count(store, "e1", 5)
        (entry,) = next_of(store)
        (allocation,) = entry.allocations

        padded = chained(
            replace(
                entry,
                delta=Decimal("5.00"),
                allocations=(Allocation(allocation.place, Decimal("5.0")),),
            )
        )

        assert store.ledger.append([(padded,)]) == (Appended.APPENDED,)
        assert self._only_entry(store) == padded
        assert first_broken([self._only_entry(store)]) is None

    def test_an_instant_keeps_its_microsecond(self, store: Store) -> None:
        told = event("e1", occurred_at=NOON - 1, received_at=NOON + 1)

        report(store, told)

        assert store.events.event("acme", "e1") == told

    def test_a_settled_slot_compares_by_value(self, store: Store) -> None:
        sealed(store, "2.50")
        current = publish(store)
        padded = replace(slot_of(store), confirmed=Decimal("2.500"))

        assert store.outbox.adjust(padded, replace(padded, earlier=(*padded.earlier, Decimal(1))))
        assert settled(current).total == slot_of(store).confirmed

    def _only_entry(self, store: Store) -> Entry:
        (entry,) = store.ledger.entries(slot=place().slot).elements
        return entry
