"""A meter says which events count, where, and with which value."""

from decimal import Decimal

import pytest

from tallystick.domain.errors import InvalidReport, InvalidSetting
from tallystick.domain.instant import EARLIEST, HOUR, parse_instant
from tallystick.domain.meter import (
    GROUP_LENGTH_MAX,
    OTHER,
    WHOLE,
    Aggregation,
    Filter,
    Meter,
    Operator,
    Span,
    first_sealed_at,
    in_force,
    measured,
    value_at,
)
from tallystick.domain.window import Window
from tallystick.testing.factories import FEBRUARY, JANUARY, event, meter, tenant

at = parse_instant
SENT = event(
    quantity="2.5",
    properties={
        "model": "big",
        "n": Decimal("5.0"),
        "long": Decimal("0.1234567890123456"),
        "ok": True,
        "none": None,
        "text": "7",
        "deep": {"a": {"b": 3}},
        "list": [1],
        "quantity": 9,
    },
)


@pytest.mark.parametrize(
    ("path", "operator", "operands", "expected"),
    [
        ("model", Operator.EQUAL, ("big",), True),
        ("model", Operator.EQUAL, ("small",), False),
        ("n", Operator.EQUAL, ("5",), True),
        ("ok", Operator.EQUAL, ("true",), True),
        ("absent", Operator.EQUAL, ("x",), False),
        ("none", Operator.EQUAL, ("null",), False),
        ("model", Operator.NOT_EQUAL, ("small",), True),
        ("absent", Operator.NOT_EQUAL, ("x",), True),
        ("model", Operator.IN, ("small", "big"), True),
        ("absent", Operator.IN, ("x",), False),
        ("model", Operator.NOT_IN, ("small", "big"), False),
        ("absent", Operator.NOT_IN, ("x",), True),
        ("model", Operator.EXISTS, (), True),
        ("none", Operator.EXISTS, (), False),
        ("n", Operator.GREATER, ("4.9",), True),
        ("n", Operator.GREATER, ("5",), False),
        ("n", Operator.GREATER_EQUAL, ("5.000",), True),
        ("n", Operator.LESS, ("5",), False),
        ("n", Operator.LESS_EQUAL, ("5",), True),
        ("text", Operator.GREATER, ("6",), True),
        ("long", Operator.GREATER, ("0.12345678901234559",), True),
        ("model", Operator.LESS, ("5",), False),
        ("ok", Operator.LESS, ("5",), False),
        ("absent", Operator.LESS, ("5",), False),
        ("deep.a.b", Operator.EQUAL, ("3",), True),
        ("quantity", Operator.EQUAL, ("2.5",), True),
    ],
)
def test_a_filter_matches_what_it_says(path, operator, operands, expected):
    assert Filter(path, operator, operands).matches(SENT) is expected


@pytest.mark.parametrize("operands", [(), ("big",), ("1", "2"), ("NaN",)])
def test_a_comparison_needs_one_number(operands):
    with pytest.raises(InvalidSetting, match="one number"):
        Filter("n", Operator.GREATER, operands)


def test_a_meter_counts_what_has_its_code_and_passes_all_filters():
    big = Filter("model", Operator.EQUAL, ("big",))
    many = Filter("n", Operator.GREATER, ("100",))

    assert Meter(id="m", code="requests", filters=(big,)).matches(SENT)
    assert not Meter(id="m", code="requests", filters=(big, many)).matches(SENT)
    assert not Meter(id="m", code="other", filters=(big,)).matches(SENT)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("quantity", Decimal("2.5")),
        ("properties.quantity", 9),
        ("$.quantity", Decimal("2.5")),
        ("$.deep.a.b", 3),
        ("properties.deep.a.b", 3),
        ("deep.a.b.c", None),
        ("model.length", None),
        ("none", None),
        ("", None),
    ],
)
def test_a_path_finds_a_value_or_nothing(path, expected):
    assert value_at(SENT, path) == expected


def test_groups_are_the_whole_and_the_dimension_set():
    assert meter().groups(SENT) == (WHOLE,)
    assert meter(dimensions=("model", "absent")).groups(SENT) == (
        WHOLE,
        '{"absent":null,"model":"big"}',
    )


def test_no_dimension_set_is_called_other():
    sent = event(properties={"other": True})

    assert meter(dimensions=("other",)).groups(sent)[1] != OTHER


@pytest.mark.parametrize(
    ("aggregation", "path", "expected"),
    [
        (Aggregation.SUM, "n", (Decimal(5), "")),
        (Aggregation.COUNT, "absent", (Decimal(1), "")),
        (Aggregation.MAX, "text", (Decimal(7), "")),
        (Aggregation.UNIQUE_COUNT, "model", (Decimal(1), "big")),
        (Aggregation.UNIQUE_COUNT, "n", (Decimal(1), "5")),
        (Aggregation.UNIQUE_COUNT, "ok", (Decimal(1), "true")),
    ],
)
def test_an_event_is_measured(aggregation, path, expected):
    assert measured(meter("m", aggregation, value_path=path), SENT) == expected


@pytest.mark.parametrize(
    ("aggregation", "path", "pointer", "code"),
    [
        (Aggregation.SUM, "$.deep.x", "/deep/x", "missing_value"),
        (Aggregation.SUM, "model", "/model", "invalid_value"),
        (Aggregation.SUM, "ok", "/ok", "invalid_value"),
        (Aggregation.SUM, "long", "/long", "invalid_value"),
        (Aggregation.AVERAGE, "none", "/none", "missing_value"),
        (Aggregation.UNIQUE_COUNT, "list", "/list", "invalid_value"),
        (Aggregation.UNIQUE_COUNT, "deep", "/deep", "invalid_value"),
    ],
)
def test_what_cannot_be_measured_names_the_path(aggregation, path, pointer, code):
    with pytest.raises(InvalidReport) as refused:
        measured(meter("m", aggregation, value_path=path), SENT)

    (error,) = refused.value.errors
    assert (error.pointer, error.code) == (pointer, code)
    assert "'m'" in error.detail
    assert pointer in error.detail


def test_a_sum_takes_negatives_only_where_its_meter_says_so():
    falling = event(quantity="-0.000001")

    assert measured(meter(), falling) == (Decimal("-0.000001"), "")
    assert measured(Meter(id="m", code="c", aggregation=Aggregation.MIN), falling)[0] < 0
    with pytest.raises(InvalidReport, match=r"is -0\.000001, and the meter takes no negatives"):
        measured(Meter(id="m", code="c"), falling)


@pytest.mark.parametrize("member", ["", "x" * 256])
def test_a_member_has_1_to_255_characters(member):
    with pytest.raises(InvalidReport, match="1 to 255 characters"):
        measured(
            meter("m", Aggregation.UNIQUE_COUNT, value_path="user"),
            event(properties={"user": member}),
        )


def test_a_version_is_in_force_for_periods_that_start_when_it_is_effective():
    old = meter(version=1, effective_from=at("2026-01-10T00:00:00Z"))
    new = meter(version=2, effective_from=at("2026-02-01T00:00:00Z"))
    late = meter(version=3, effective_from=at("2026-02-01T00:00:01Z"))

    assert in_force((old, new, late), JANUARY) is old
    assert in_force((old, new, late), FEBRUARY) is new
    assert in_force((meter(effective_from=EARLIEST), new), JANUARY).version == 1


@pytest.mark.parametrize(
    ("span", "window", "expected"),
    [
        (Span.HOUR, ("10:17:23", "11:00:00"), "11:00:00"),
        (Span.DAY, ("10:00:00", "20:00:00"), "11:00:00"),
        (Span.DAY, ("10:30:00", "20:00:00"), "12:00:00"),
        (Span.PERIOD, ("10:17:23", "10:40:00"), "10:40:00"),
    ],
)
def test_a_window_is_first_sealed_after_an_hour_or_its_first_full_hour(span, window, expected):
    start, end, sealed = (at(f"2026-01-31T{clock}Z") for clock in (*window, expected))

    assert first_sealed_at(span, Window(start, end)) == sealed


def test_windows_are_as_long_as_the_span():
    billed = tenant(zone="Europe/Berlin")
    instant = at("2026-01-31T10:15:00Z")

    spans = [str(meter(span=span).window_at(billed, instant)) for span in Span]
    assert spans == [
        "2026-01-31T10:00:00Z/2026-01-31T11:00:00Z",
        "2026-01-30T23:00:00Z/2026-01-31T23:00:00Z",
        "2026-01-01T00:00:00Z/2026-02-01T00:00:00Z",
    ]
    assert HOUR == 3_600_000_000


@pytest.mark.parametrize("many", [{"dimensions": ("d",) * 9}, {"filters": (None,) * 33}])
def test_a_meter_has_limits(many):
    with pytest.raises(InvalidSetting, match="8 dimensions and 32 filters"):
        Meter(id="m", code="c", **many)


def test_dimensions_with_values_that_are_too_long_are_refused():
    by_region = meter(dimensions=("region",))
    fits = event(properties={"region": "e" * (GROUP_LENGTH_MAX - len('{"region":""}'))})

    assert len(by_region.groups(fits)[1]) == GROUP_LENGTH_MAX
    with pytest.raises(InvalidReport, match="dimensions region and their values have 1037"):
        by_region.groups(event(properties={"region": "e" * GROUP_LENGTH_MAX}))
