"""Sealing: the ledger follows every Aggregate that is due, and the slots follow the ledger."""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import pytest

from tallystick.domain.instant import HOUR
from tallystick.domain.ledger import ALLOCATIONS_MAX, Holding, allocate
from tallystick.domain.meter import Aggregation, Span
from tallystick.domain.slot import Mode, Route
from tallystick.stages.recounting import pages, recount
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tallystick.stages.tracing import trace
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import due_keys, report
from tallystick.testing.factories import (
    ABSOLUTE,
    ELEVEN,
    NOON,
    TEN,
    aggregate_key,
    event,
    mapping,
    meter,
    override,
    place,
    tenant,
)
from tallystick.testing.faulty import Crash, FaultyStore

PEAK = meter(aggregation=Aggregation.MAX, span=Span.PERIOD)
WHOLE_NUMBERS = Route(name="whole", mode=Mode.ABSOLUTE, hourly=True, whole_numbers=True)
ROUTES = {route.name: route for route in (ABSOLUTE, WHOLE_NUMBERS)}


def store_with(route: Route = ABSOLUTE, *tenants: str) -> MemoryStore:
    store = MemoryStore("here")
    for name in tenants or ("acme",):
        store.catalog.save(tenant(name), override())
        to = mapping(name, route=route, destination=f"cus_{name}")
        store.catalog.save(to, override())
    return store


def sealed(store: MemoryStore, now: int = NOON):
    return seal(store, ROUTES, now, limits=SealLimits())


def totals(store: MemoryStore) -> list[Decimal]:
    return [due.slot.total for due in store.outbox.slots().elements]


def test_one_pass_seals_every_page():
    names = [f"t{n}" for n in range(5)]
    store = store_with(ABSOLUTE, *names)
    for name in names:
        report(store, event("e1", tenant=name))
    store.ledger.aggregates_due = partial(store.ledger.aggregates_due, limit=2)

    assert sealed(store).entries == 5
    assert due_keys(store) == []


def test_a_listing_is_read_to_its_last_page():
    store = store_with()
    report(store, *(event(f"e{n}") for n in range(5)))

    found = list(pages(lambda cursor: store.events.events(cursor=cursor, limit=2)))

    assert [one.key for one in found] == [f"e{n}" for n in range(5)]


def test_nothing_is_sealed_before_its_hour_and_the_grace_are_over():
    store = store_with()
    report(store, event("e1"), now=TEN)

    assert sealed(store, ELEVEN + SealLimits().grace - 1).entries == 0
    assert sealed(store, ELEVEN + SealLimits().grace).entries == 1


def test_a_late_event_is_followed_by_a_correction():
    store = store_with()
    report(store, event("e1", 5))
    sealed(store)

    report(store, event("late", 2))
    sealed(store)

    first, second = store.ledger.entries().elements
    assert [(e.kind, e.delta, e.total) for e in (first, second)] == [
        ("seal", 5, 5),
        ("correction", 2, 7),
    ]
    assert totals(store) == [7]
    assert list(recount(store, NOON)) == []


def test_whole_numbers_add_up_to_the_rounded_period_and_not_to_rounded_hours():
    store = store_with(WHOLE_NUMBERS)
    for n in range(5):
        report(store, event(f"e{n}", "0.4", occurred_at=TEN - n * HOUR))
        sealed(store)

    assert sum(totals(store)) == 2
    assert set(totals(store)) <= {0, 1}


def test_a_fall_is_a_credit_where_the_slot_that_holds_it_is_closed():
    open_place = place(at=TEN)
    closed = replace(place(at=TEN - HOUR), closes_at=NOON)
    holdings = (
        Holding(open_place, Decimal(3), Decimal(0)),
        Holding(closed, Decimal(4), Decimal(4)),
    )

    lowered = allocate(
        billed=Decimal(1),
        allocated=Decimal(7),
        place=open_place,
        route=ABSOLUTE,
        holdings=holdings,
        now=NOON,
    )

    assert [(a.place, a.quantity) for a in lowered] == [(open_place, -3)]


@pytest.mark.parametrize("aggregation", [Aggregation.MAX, Aggregation.UNIQUE_COUNT])
def test_a_months_value_is_what_its_entries_add_up_to(aggregation):
    store = store_with()
    peak = meter(aggregation=aggregation, span=Span.PERIOD)
    for n, quantity in enumerate((4, 9, 9)):
        at = TEN - (3 - n) * HOUR
        report(store, event(f"e{n}", quantity, occurred_at=at), meters=(peak,), now=at)
        sealed(store, at + HOUR + SealLimits().grace)
    report(store, event("v", voids="e2"), meters=(peak,))
    sealed(store)

    expected = 9 if aggregation is Aggregation.MAX else 2
    assert sum(totals(store)) == expected
    key = replace(aggregate_key(), window=store.events.aggregates().elements[0].key.window)
    assert store.ledger.book(key, []).last.total == expected


# ── A fall through more slots than an Entry changes ─────────────────────────────────────────────


def risen(hours: int) -> MemoryStore:
    """A month's total that grew by one in each of so many hours, each told in its own slot."""
    store = store_with()
    for n in range(hours):
        at = TEN - (hours - n) * HOUR
        report(store, event(f"e{n}", n + 1, occurred_at=at), meters=(PEAK,), now=at)
        sealed(store, at + HOUR + SealLimits().grace)
    assert totals(store) == [1] * hours
    return store


def fallen(store: MemoryStore, hours: int) -> None:
    """The highest and all but the first are voided: the total is one again."""
    for n in range(1, hours):
        report(store, event(f"v{n}", voids=f"e{n}"), meters=(PEAK,))


def test_a_fall_through_many_slots_is_told_by_as_many_entries_as_it_takes():
    hours = 2 * ALLOCATIONS_MAX + 10
    store = risen(hours)
    fallen(store, hours)
    before = len(store.ledger.entries().elements)

    summary = sealed(store)

    added = store.ledger.entries().elements[before:]
    assert [len(entry.allocations) for entry in added] == [ALLOCATIONS_MAX, ALLOCATIONS_MAX, 9]
    assert [entry.kind for entry in added] == ["correction", "lowering", "lowering"]
    assert [entry.total for entry in added] == [1, 1, 1]
    assert sorted(totals(store)) == [0] * (hours - 1) + [1]
    assert (summary.entries, summary.looked_at, due_keys(store)) == (3, 1, [])
    assert list(recount(store, NOON)) == []
    assert sealed(store).entries == 0


@dataclass
class DiesBeforeItsSecondAppend:
    appends: int = 0

    def before(self, call: str) -> None:
        self.appends += call == "ledger.append"
        if self.appends > 1:
            raise Crash

    def after(self, call: str) -> None: ...


@pytest.mark.parametrize("grown", [1, 2])
def test_a_fall_that_a_crash_cut_is_told_to_its_end_by_the_next_pass(grown):
    hours = ALLOCATIONS_MAX + 10
    store = risen(hours)
    fallen(store, hours)

    with pytest.raises(Crash):
        sealed(FaultyStore(store, DiesBeforeItsSecondAppend()))
    assert sum(totals(store)) == 10

    if grown > 1:
        report(store, event("more", grown), meters=(PEAK,))
    sealed(store)

    kinds = [entry.kind for entry in store.ledger.entries().elements][hours:]
    assert kinds == ["correction", "lowering", "correction"][: grown + 1]
    assert sum(totals(store)) == grown
    assert list(recount(store, NOON)) == []


def test_what_is_behind_a_slot_that_was_lowered_at_last_is_the_whole_fall():
    hours = ALLOCATIONS_MAX + 2
    store = risen(hours)
    fallen(store, hours)
    sealed(store)
    last = store.ledger.entries().elements[-1]

    (line,) = [
        line
        for line in trace(store, str(last.allocations[0].place.slot)).lines
        if line.entry == last
    ]

    assert [change.by for change in line.changes] == [f"v{n}" for n in range(1, hours)]
