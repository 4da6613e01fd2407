"""The ledger follows the Aggregates, its slots hold what it bills, and its chain shows any change.

A book-keeper in this file applies the Entries to balances, slots and holdings, as a store does.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain import ledger
from tallystick.domain.aggregate import Tally, started
from tallystick.domain.ledger import (
    GENESIS,
    Balance,
    Book,
    Head,
    Holding,
    chained,
    is_lowering,
    next_entries,
    rest_of,
)
from tallystick.domain.mapping import CLOSED, NO_MAPPING, Held
from tallystick.domain.meter import WHOLE, Aggregation, Closed
from tallystick.domain.quantity import rounded_whole
from tallystick.domain.slot import Mode, Reads, Route
from tallystick.domain.tampering import first_broken
from tallystick.domain.window import Window
from tallystick.testing.factories import (
    ABSOLUTE,
    FEBRUARY,
    JANUARY,
    NOON,
    aggregate_key,
    contributions,
    event,
    meter,
    place,
    tenant,
)

HOUR = 3_600_000_000
WHOLES = Route(
    name="whole", mode=Mode.ABSOLUTE, hourly=False, whole_numbers=True, reads=Reads.PERIOD
)
ROUTES = {"fractions": ABSOLUTE, "whole numbers": WHOLES}


def aggregate(value, *, window=0, group=WHOLE, period=JANUARY, closed=Closed.HOLD, position=1):
    """An Aggregate of the period's n-th hour that holds `value`."""
    start = period.start + window * HOUR
    (first,) = contributions(event(occurred_at=start), tenant(), (meter(closed=closed),))
    key = aggregate_key(group=group, window=Window(start, start + HOUR))
    fresh = replace(started(first), key=key, period=period, aggregation=Aggregation.SUM)
    return replace(fresh, tally=Tally(count=1, total=Decimal(value)), position=position)


@dataclass
class Keeper:
    """What a store keeps: the chain, each key's last Entry, balances, and who has what where."""

    lines: list = field(default_factory=list)
    last: dict = field(default_factory=dict)
    balances: dict = field(default_factory=lambda: defaultdict(dict))
    owned: dict = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))

    def head(self):
        return Head(self.lines[-1].line, self.lines[-1].hash) if self.lines else Head()

    def book(self, key):
        series = (key.tenant, key.meter, key.group)
        return Book(self.head(), self.last.get(key), dict(self.balances[series]))

    def holdings(self, key, period):
        slots, own = defaultdict(Decimal), defaultdict(Decimal)
        for (owner, within), held in self.owned.items():
            if within == period and owner.group == key.group:
                for at, quantity in held.items():
                    slots[at] += quantity
                    own[at] += quantity if owner == key else 0
        newest = sorted(slots, key=lambda at: at.slot, reverse=True)
        return tuple(Holding(at, slots[at], own[at]) for at in newest if slots[at])

    def step(self, changed, put, route, *, onward=None, now=NOON):
        book = self.book(changed.key)
        is_open = not isinstance(put, Held) and not put.is_closed(now)
        period = changed.period if is_open or onward is None else onward.period
        needed = is_lowering(changed, book) or period != changed.period
        held = self.holdings(changed.key, period) if needed else ()
        entries = next_entries(changed, book, put, route, onward=onward, holdings=held, now=now)
        self.keep(entries)
        while rest := self.rest(changed, route, now):
            self.keep(rest)
            entries += rest
        return entries

    def rest(self, changed, route, now):
        """What follows a full Entry."""
        book = self.book(changed.key)
        held = self.holdings(changed.key, book.last.period) if book.last else ()
        return rest_of(changed, book, route, holdings=held, now=now)

    def keep(self, entries):
        for entry in entries:
            self.lines.append(entry)
            self.last[entry.key] = entry
            series = (entry.key.tenant, entry.key.meter, entry.key.group)
            self.balances[series][entry.period] = Balance(entry.billed, entry.allocated)
            for allocation in entry.allocations:
                self.owned[entry.key, entry.period][allocation.place] += allocation.quantity

    def slots(self, group, period):
        found = defaultdict(Decimal)
        for (owner, within), held in self.owned.items():
            if (owner.group, within) == (group, period):
                for at, quantity in held.items():
                    found[at] += quantity
        return found


VALUES = st.integers(-80, 80).map(lambda tenths: Decimal(tenths) / 10)
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([WHOLE, '{"a":"b"}']), VALUES, st.booleans()),
    max_size=14,
)


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@given(STEPS)
def test_open_slots_hold_together_exactly_what_the_period_bills(route, steps):
    keeper, values = Keeper(), {}
    for position, (window, group, value, is_mapped) in enumerate(steps, start=1):
        changed = aggregate(value, window=window, group=group, position=position)
        put = place(route, at=changed.key.window.start) if is_mapped else Held(NO_MAPPING)
        keeper.step(changed, put, route)
        values[changed.key] = value
        _check_books(keeper, values, route)

    assert first_broken(keeper.lines, keeper.head()) is None


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@given(STEPS, st.integers(1, 2))
def test_so_they_do_however_few_slots_an_entry_changes(route, steps, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "ALLOCATIONS_MAX", most)
        test_open_slots_hold_together_exactly_what_the_period_bills.hypothesis.inner_test(
            route, steps
        )


def _check_books(keeper, values, route):
    for key, value in values.items():
        mine = [line for line in keeper.lines if line.key == key]
        assert sum(line.delta for line in mine) == value
        assert not mine or mine[-1].total == value
        assert [line.revision for line in mine] == list(range(1, len(mine) + 1))
    for group in {key.group for key in values}:
        slots = keeper.slots(group, JANUARY)
        billed = sum(
            (line.released for line in keeper.lines if line.key.group == group), Decimal(0)
        )
        goal = max(billed, Decimal(0))
        assert min(slots.values(), default=0) >= 0
        assert sum(slots.values()) == (rounded_whole(goal) if route.whole_numbers else goal)


@given(STEPS)
def test_the_same_step_again_says_nothing_more(steps):
    keeper = Keeper()
    for position, (window, group, value, is_mapped) in enumerate(steps, start=1):
        changed = aggregate(value, window=window, group=group, position=position)
        put = place(at=changed.key.window.start) if is_mapped else Held(NO_MAPPING)
        keeper.step(changed, put, ABSOLUTE)

        assert keeper.step(changed, put, ABSOLUTE) == ()


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), VALUES, st.sampled_from([0, 0, 40, 70]), st.sampled_from(Closed)
        ),
        max_size=14,
    )
)
def test_a_closed_period_takes_no_more_and_a_carry_moves_without_loss(route, steps):
    keeper, values, now = Keeper(), {}, NOON
    for position, (window, value, days, closed) in enumerate(steps, start=1):
        now = max(now, NOON + days * 24 * HOUR)
        changed = aggregate(value, window=window, closed=closed, position=position)
        put = place(route, at=changed.key.window.start)
        period = JANUARY if now < JANUARY.end else Window(now - 10 * HOUR, now + 20 * 24 * HOUR)
        onward = place(route, at=now, period=period) if now >= JANUARY.end else None
        before = dict(keeper.slots(WHOLE, JANUARY))
        entries = keeper.step(changed, put, route, onward=onward, now=now)
        values[changed.key] = value

        if put.is_closed(now):
            assert dict(keeper.slots(WHOLE, JANUARY)) == before
        assert sum(entry.moved for entry in entries) == 0
        _check_conserved(keeper, values)
    assert first_broken(keeper.lines, keeper.head()) is None


def _check_conserved(keeper, values):
    """Each key's released quantity is billed in some period, and nothing else is."""
    for key, value in values.items():
        mine = [line for line in keeper.lines if line.key == key]
        assert sum(line.delta for line in mine) == value
        assert not mine or mine[-1].released_total == sum(line.released for line in mine)
    billed = sum(b.billed for b in keeper.balances["acme", "requests", WHOLE].values())
    assert billed == sum(line.released for line in keeper.lines)
    for line in keeper.lines:
        slots = keeper.slots(WHOLE, line.period)
        assert min(slots.values(), default=0) >= 0
        balance = keeper.balances["acme", "requests", WHOLE][line.period]
        assert sum(slots.values()) == balance.allocated
        if line.linked_line is not None:
            other = keeper.lines[line.linked_line - 1]
            assert (other.linked_line, other.moved) == (line.line, -line.moved)


@given(st.lists(VALUES.map(abs), min_size=1, max_size=12))
def test_whole_parts_add_up_to_the_rounded_total_of_the_period(values):
    keeper = Keeper()
    for window, value in enumerate(values):
        changed = aggregate(value, window=window)
        keeper.step(changed, place(WHOLES, at=changed.key.window.start), WHOLES)
    parts = [part.quantity for line in keeper.lines for part in line.allocations]

    assert all(part == part.to_integral_value() for part in parts)
    assert sum(parts) == rounded_whole(sum(values))


def test_all_38_digits_of_a_fall_reach_the_slot():
    keeper, high = Keeper(), Decimal("12345678901234567890123456.789012345678")
    keeper.step(aggregate(high), place(at=JANUARY.start), ABSOLUTE)
    (fall,) = keeper.step(aggregate(0, position=2), place(at=JANUARY.start), ABSOLUTE)

    assert fall.delta.as_tuple().digits == high.as_tuple().digits
    assert fall.allocations[0].quantity == high.copy_negate()


def test_a_fall_lowers_the_keys_own_slots_first_and_then_the_newest():
    keeper = Keeper()
    for window, value in enumerate((5, 3, 4)):
        changed = aggregate(value, window=window)
        keeper.step(changed, place(at=changed.key.window.start), ABSOLUTE)

    (fall,) = keeper.step(aggregate(-3, window=0, position=2), place(at=JANUARY.start), ABSOLUTE)
    lowered = [(part.place.slot.start - JANUARY.start, part.quantity) for part in fall.allocations]

    assert lowered == [(0, -5), (2 * HOUR, -3)]


def test_what_cannot_be_lowered_is_a_credit_against_the_next_growth():
    keeper = Keeper()
    first = place(at=JANUARY.start)
    keeper.step(aggregate(5), replace(first, closes_at=NOON + 1), ABSOLUTE)
    held = keeper.step(
        aggregate(2, window=0, position=2), place(at=JANUARY.start), ABSOLUTE, now=NOON + 1
    )
    grown = aggregate(4, window=1)
    (growth,) = keeper.step(grown, place(at=grown.key.window.start), ABSOLUTE, now=NOON + 1)

    assert held[0].allocations == ()
    assert [part.quantity for part in growth.allocations] == [1]


def test_held_usage_says_why_and_is_released_whole():
    keeper = Keeper()
    (held,) = keeper.step(aggregate(5), Held(NO_MAPPING), None)
    (released,) = keeper.step(aggregate(5), place(at=JANUARY.start), ABSOLUTE)

    assert (held.kind, held.held, held.allocations) == ("seal", NO_MAPPING, ())
    assert (released.kind, released.delta, released.released) == ("release", 0, 5)
    assert sum(keeper.slots(WHOLE, JANUARY).values()) == 5


def test_usage_for_a_closed_slot_is_held_or_carried_as_the_meter_says():
    late, put, onward = (
        JANUARY.end + 5 * HOUR,
        place(at=JANUARY.start),
        place(at=FEBRUARY.start, period=FEBRUARY),
    )
    (held,) = Keeper().step(aggregate(5), put, ABSOLUTE, onward=onward, now=late)
    out, into = Keeper().step(
        aggregate(5, closed=Closed.CARRY), put, ABSOLUTE, onward=onward, now=late
    )

    assert (held.held, held.released) == (CLOSED, 0)
    assert (out.moved, out.period, out.allocations, out.billed) == (-5, JANUARY, (), 0)
    assert (into.moved, into.period, into.billed, into.delta) == (5, FEBRUARY, 5, 0)
    assert [part.place for part in into.allocations] == [onward]


# ── The chain ───────────────────────────────────────────────────────────────────────────────────


def chain():
    keeper = Keeper()
    for window, value in enumerate((5, 3, 4, 1)):
        changed = aggregate(value, window=window)
        keeper.step(changed, place(at=changed.key.window.start), ABSOLUTE)
    return keeper.lines, keeper.head()


def _changed(lines):
    return [lines[0], replace(lines[1], delta=Decimal(4)), *lines[2:]]


def _rehashed(lines):
    return [lines[0], chained(replace(lines[1], delta=Decimal(4))), *lines[2:]]


def _without_second(lines):
    return [lines[0], *lines[2:]]


def _swapped(lines):
    return [lines[0], lines[2], lines[1], lines[3]]


def _renumbered(lines):
    return [lines[0], *(chained(replace(line, line=line.line - 1)) for line in lines[2:])]


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_changed, "line 2 was changed"),
        (_rehashed, "line 3 does not follow the line before it"),
        (_without_second, "line 2 is missing"),
        (_swapped, "line 2 is missing"),
        (_renumbered, "line 2 does not follow the line before it"),
        (lambda lines: lines[:-1], "the chain ends at line 3, and its head says line 4"),
        (lambda _: [], "the chain ends at line 0, and its head says line 4"),
        (lambda lines: lines[1:], "line 1 is missing"),
    ],
)
def test_every_kind_of_tampering_is_found(tamper, found):
    lines, head = chain()

    assert first_broken(lines, head) is None
    assert first_broken(tamper(lines), head) == found


def test_each_field_of_a_line_is_under_its_hash():
    lines, _ = chain()
    other = lines[0]
    changed = {
        "key": aggregate_key("other"), "period": FEBRUARY, "line": 9, "revision": 9,
        "delta": Decimal(9), "total": Decimal(9), "released": Decimal(9),
        "released_total": Decimal(9), "moved": Decimal(9), "billed": Decimal(9),
        "allocated": Decimal(9), "allocations": (), "position": 9, "held": "x",
        "linked_line": 9, "sealed_at": 9, "previous_hash": "x",
    }  # fmt: skip

    assert set(changed) == set(other.__dataclass_fields__) - {"hash"}
    for name, value in changed.items():
        assert chained(replace(other, **{name: value})).hash != other.hash, name


def test_an_empty_chain_is_whole_and_the_first_line_follows_genesis():
    lines, _ = chain()

    assert first_broken([], Head()) is None
    assert lines[0].previous_hash == GENESIS
