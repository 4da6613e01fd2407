"""An RFC 3339 text and an instant are two forms of one thing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.instant import (
    EARLIEST,
    HOUR,
    LATEST,
    floor_hour,
    format_instant,
    parse_instant,
    parse_instants,
    to_datetime,
    to_instant,
)

INSTANTS = st.integers(EARLIEST, LATEST)


@given(INSTANTS)
def test_an_instant_reads_back_equal_from_its_text(instant):
    assert parse_instant(format_instant(instant)) == instant
    assert to_instant(to_datetime(instant)) == instant


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 (its zone is drawn)
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_a_text_in_any_offset_names_the_instant_that_the_calendar_says(moment, minutes):
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert parse_instant(local.isoformat()) == to_instant(local)


TEXTS = st.one_of(
    INSTANTS.map(format_instant),
    st.sampled_from(
        (
            "2026-01-31t10:00:00z",
            "2026-01-31T10:00:00.123456789Z",
            "2026-01-31T10:00:60Z",
            "2026-01-31T24:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-01-31T10:00:00Z 2026-01-31T10:00:00Z",
            "2026-01-31T10:00:00Z ",
            "9999-12-31T23:59:59.9Z",
            "2026-01-31T10:00:0\u0661Z",
            "",
        )
    ),
)


def instants_of(read, texts):
    """What is read, or that it is refused."""
    try:
        return read(texts)
    except ValueError as error:
        return str(error)


@given(st.lists(TEXTS, max_size=5))
def test_many_texts_are_read_as_each_is(texts):
    one_by_one = instants_of(lambda each: list(map(parse_instant, each)), texts)

    assert instants_of(parse_instants, texts) == one_by_one


@given(INSTANTS)
def test_every_instant_lies_in_the_hour_it_is_floored_to(instant):
    assert floor_hour(instant) % HOUR == 0
    assert floor_hour(instant) <= instant < floor_hour(instant) + HOUR


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("2026-01-31t10:00:00z", "2026-01-31T10:00:00Z"),
        ("2026-01-31 10:00:00Z", "2026-01-31T10:00:00Z"),
        ("2026-01-31T10:00:00+05:45", "2026-01-31T04:15:00Z"),
        ("2026-01-31T23:30:00-00:30", "2026-02-01T00:00:00Z"),
        ("2026-01-31T10:00:00-00:00", "2026-01-31T10:00:00Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("2026-01-31T10:00:00.5Z", "2026-01-31T10:00:00.500000Z"),
        ("2026-01-31T10:00:00.123456789Z", "2026-01-31T10:00:00.123456Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_offsets_and_fractions_are_read(text, expected):
    assert format_instant(parse_instant(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T10:00:00",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:60Z",
        "2026-01-31T10:60:00Z",
        "2026-01-31T10:00:00.1234567890Z",
        "2026-01-31T10:00:00.Z",
        "2026-01-31T10:00:00+05:99",
        "2026-01-31T10:00:00+24:00",
        "2026-01-31T10:00:00+0500",
        "2026-1-31T10:00:00Z",
        "2026-01-31",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "2026-01-31T10:00:00.٣Z",
        "2026-01-31T10:00:00Z\n",
        "",
        "now" * 40,
    ],
)
def test_what_names_no_instant_is_refused(text):
    with pytest.raises(ValueError, match=r"no such time|not an RFC 3339"):
        parse_instant(text)


def test_a_naive_datetime_is_refused():
    with pytest.raises(ValueError, match="without an offset"):
        to_instant(datetime(2026, 1, 31))  # noqa: DTZ001 (what is refused)

    assert to_instant(datetime(1970, 1, 1, tzinfo=UTC)) == 0
