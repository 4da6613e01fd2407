"""Folding is free of order, and a void leaves what the others make."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.aggregate import (
    AGGREGATES_MAX,
    EMPTY,
    Contribution,
    Tally,
    contributions,
    fold,
    refold,
    started,
    unfold,
    value_of,
)
from tallystick.domain.errors import InvalidReport
from tallystick.domain.meter import WHOLE, Aggregation, Closed, Span
from tallystick.domain.quantity import TotalOverflow
from tallystick.testing.factories import JANUARY, TEN, THE_HOUR, aggregate_key, event, meter, tenant

VALUES = st.integers(-3, 3).map(Decimal)


def contribution(aggregation, value, key, *, occurred_at=TEN, member=""):
    return Contribution(
        key=aggregate_key(),
        aggregation=aggregation,
        span=Span.HOUR,
        period=JANUARY,
        closed=Closed.HOLD,
        meter_version=1,
        value=value,
        member=member,
        occurred_at=occurred_at,
        event_key=key,
    )


@st.composite
def several(draw, least=0):
    """Contributions of distinct events to one Aggregate, with many ties."""
    aggregation = draw(st.sampled_from(Aggregation))
    drawn = draw(
        st.lists(
            st.tuples(VALUES, st.integers(0, 2), st.sampled_from("abc")), min_size=least, max_size=8
        )
    )
    is_unique = aggregation is Aggregation.UNIQUE_COUNT
    return [
        contribution(
            aggregation,
            Decimal(1) if is_unique or aggregation is Aggregation.COUNT else value,
            f"e{index}",
            occurred_at=TEN + later,
            member=member if is_unique else "",
        )
        for index, (value, later, member) in enumerate(drawn)
    ]


def expected(live):
    """The value by the plain meaning of each aggregation."""
    if not live:
        return Decimal(0)
    values = [c.value for c in live]
    newest = max(live, key=lambda c: (c.occurred_at, c.event_key))
    exact = sum(values, Decimal(0)) / len(values)
    return {
        Aggregation.SUM: sum(values),
        Aggregation.COUNT: len(live),
        Aggregation.MIN: min(values),
        Aggregation.MAX: max(values),
        Aggregation.LATEST: newest.value,
        Aggregation.UNIQUE_COUNT: len({c.member for c in live}),
        Aggregation.AVERAGE: exact.quantize(Decimal("1E-12")),
    }[live[0].aggregation]


@given(several(), st.randoms())
def test_any_order_of_folding_ends_in_the_same_tally(live, dice):
    shuffled = list(live)
    dice.shuffle(shuffled)

    assert refold(shuffled) == refold(live)


@given(several(least=1))
def test_the_value_is_what_the_aggregation_means(live):
    assert value_of(live[0].aggregation, refold(live)) == expected(live)


@given(several(least=1))
def test_taking_out_what_was_just_added_gives_back_the_tally(live):
    *rest, last = live
    before = refold(rest)
    seen = sum(c.member == last.member for c in rest)
    after = unfold(fold(before, last, seen=seen), last, left=seen)

    assert after in (before, None)


@given(several(), st.randoms())
def test_voids_in_any_order_end_in_the_fold_of_what_is_left(live, dice):
    steps = [(c, True) for c in live] + [(c, False) for c in live if dice.random() < 0.5]
    dice.shuffle(steps)
    voided = {c.event_key for c, added in steps if not added}
    counted: dict[str, Contribution] = {}
    gone: set[str] = set()
    tally: Tally = EMPTY
    for step, added in steps:
        if added and step.event_key not in gone:
            seen = sum(c.member == step.member for c in counted.values())
            tally = fold(tally, step, seen=seen)
            counted[step.event_key] = step
        elif not added:
            gone.add(step.event_key)
            if counted.pop(step.event_key, None) is not None:
                left = sum(c.member == step.member for c in counted.values())
                tally = unfold(tally, step, left=left) or refold(counted.values())

    assert tally == refold(c for c in live if c.event_key not in voided)


def test_an_overflow_raises_and_counts_nothing():
    full = Tally(count=1, total=Decimal("9" * 38))

    with pytest.raises(TotalOverflow):
        fold(full, contribution(Aggregation.SUM, Decimal(1), "e1"), seen=0)


def test_an_event_adds_to_the_whole_and_to_its_dimension_set():
    by_model = meter(dimensions=("model",))
    found = contributions(event(quantity="2.5", properties={"model": "big"}), tenant(), [by_model])

    assert [(c.key.group, c.value) for c in found] == [
        (WHOLE, Decimal("2.5")),
        ('{"model":"big"}', Decimal("2.5")),
    ]
    assert {c.key.window for c in found} == {THE_HOUR}
    assert {c.period for c in found} == {JANUARY}


def test_an_event_adds_to_every_meter_that_matches_and_to_no_other():
    meters = [meter("a"), meter("b", Aggregation.COUNT), meter("c", code="other")]

    found = contributions(event(quantity=7), tenant(), meters)

    assert [(c.key.meter, c.value) for c in found] == [("a", Decimal(7)), ("b", Decimal(1))]


def test_an_event_that_one_meter_cannot_measure_counts_in_none():
    meters = [meter("a"), meter("b", value_path="tokens")]

    with pytest.raises(InvalidReport, match="/tokens is missing"):
        contributions(event(), tenant(), meters)


@pytest.mark.parametrize("aggregation", Aggregation)
def test_an_aggregate_without_events_is_worth_nothing(aggregation):
    empty = started(contribution(aggregation, Decimal(5), "e1"))

    assert (empty.value, empty.position, empty.sealed) == (0, 0, False)


def test_an_event_counts_in_a_limited_number_of_aggregates():
    meters = [meter(f"m{number}", dimensions=("region",)) for number in range(AGGREGATES_MAX // 2)]

    assert len(contributions(event(), tenant(), meters)) == AGGREGATES_MAX
    with pytest.raises(InvalidReport, match="it would count in 29 aggregates, and 28") as refused:
        contributions(event(), tenant(), [*meters, meter()])
    assert [error.code for error in refused.value.errors] == ["too_many_aggregates"]
