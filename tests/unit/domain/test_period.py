"""Billing periods follow their anchor, and partition time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.instant import DAY, EARLIEST, LATEST, format_instant, parse_instant
from tallystick.domain.period import Interval, Unit, boundary, parse_interval, period_containing

at = parse_instant
INTERVALS = st.builds(Interval, st.sampled_from(Unit), st.integers(1, 120))
ANCHORS = st.integers(at("1970-01-01T00:00:00Z"), at("2060-01-01T00:00:00Z"))
INSTANTS = st.integers(at("1900-01-01T00:00:00Z"), at("2200-01-01T00:00:00Z"))


@given(ANCHORS, INTERVALS, INSTANTS, st.floats(0, 1))
def test_periods_partition_time(anchor, interval, instant, part):
    period = period_containing(anchor, interval, instant)
    other = period.start + int((period.end - period.start - 1) * part)

    assert period.contains(instant)
    assert period_containing(anchor, interval, other) == period
    assert period_containing(anchor, interval, period.end).start == period.end
    assert period_containing(anchor, interval, period.start - 1).end == period.start


@given(ANCHORS, INTERVALS, st.integers(-300, 300))
def test_each_boundary_starts_the_period_that_holds_it(anchor, interval, steps):
    start = boundary(anchor, interval, steps)
    if EARLIEST < start < LATEST:
        assert period_containing(anchor, interval, start).start == start


@pytest.mark.parametrize(
    ("anchor", "interval", "expected"),
    [
        (
            "2026-01-31T10:17:23Z",
            "month",
            ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"],
        ),
        (
            "2024-01-30T10:17:23Z",
            "month",
            ["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30", "2024-05-30"],
        ),
        ("2023-01-29T10:17:23Z", "month", ["2023-01-29", "2023-02-28", "2023-03-29"]),
        (
            "2024-02-29T10:17:23Z",
            "year",
            ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        ("2025-11-30T10:17:23Z", "3 months", ["2025-11-30", "2026-02-28", "2026-05-30"]),
        ("2026-03-26T10:17:23Z", "week", ["2026-03-26", "2026-04-02", "2026-04-09"]),
        ("2026-02-28T10:17:23Z", "2 days", ["2026-02-28", "2026-03-02"]),
    ],
)
def test_each_boundary_is_computed_from_the_original_anchor(anchor, interval, expected):
    parsed = parse_interval(interval)
    found = [boundary(at(anchor), parsed, n) for n in range(len(expected))]

    assert [format_instant(b) for b in found] == [f"{day}T10:17:23Z" for day in expected]


def test_a_second_before_the_anchors_time_belongs_to_the_period_before():
    anchor = at("2026-01-31T10:17:23Z")

    before = period_containing(anchor, Interval(), at("2026-03-31T10:17:22Z"))
    after = period_containing(anchor, Interval(), at("2026-03-31T10:17:23Z"))

    assert str(before) == "2026-02-28T10:17:23Z/2026-03-31T10:17:23Z"
    assert str(after) == "2026-03-31T10:17:23Z/2026-04-30T10:17:23Z"


def test_time_before_the_anchor_has_periods_too():
    period = period_containing(at("2026-01-31T10:17:23Z"), Interval(), at("2025-03-01T00:00:00Z"))

    assert str(period) == "2025-02-28T10:17:23Z/2025-03-31T10:17:23Z"


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("instant", [EARLIEST, EARLIEST + DAY, LATEST - DAY, LATEST - 1])
def test_the_ends_of_the_calendar_have_periods(unit, instant):
    assert period_containing(at("2026-01-31T00:00:00Z"), Interval(unit), instant).contains(instant)


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST])
def test_what_lies_outside_the_calendar_is_refused_instead_of_searched_for_ever(instant):
    with pytest.raises(ValueError, match="no billing period"):
        period_containing(0, Interval(), instant)


@given(INTERVALS)
def test_an_interval_reads_back_equal_from_its_text(interval):
    assert parse_interval(str(interval)) == interval


@pytest.mark.parametrize("text", ["", "fortnight", "0 months", "121 days", "-1 month", "1.5 weeks"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ValueError, match="interval"):
        parse_interval(text)
