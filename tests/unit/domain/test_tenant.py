"""A tenant's windows partition time, whatever its zone does to its clocks."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import EARLIEST, HOUR, LATEST, parse_instant, to_datetime
from tallystick.domain.period import Interval, Unit
from tallystick.domain.tenant import (
    Tenant,
    Terms,
    check_name,
    check_zone,
    local_day,
    with_terms,
)

at = parse_instant
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Australia/Eucla",
    "Pacific/Chatham",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Cairo",
    "Asia/Gaza",
    "America/Havana",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/Toronto",
)
CHANGES = tuple(
    at(text)
    for text in (
        "2018-11-04T03:00:00Z",  # Sao Paulo: midnight does not exist
        "2018-02-18T02:00:00Z",  # Sao Paulo: the hour before midnight comes twice
        "2011-12-30T10:00:00Z",  # Apia: a whole day is skipped
        "1993-08-21T12:00:00Z",  # Kwajalein: the same
        "2026-03-28T22:00:00Z",  # Beirut: midnight does not exist
        "2026-04-23T22:00:00Z",  # Cairo: the same
        "2026-03-29T01:00:00Z",  # Troll: two hours at once; Europe
        "2026-10-25T01:00:00Z",
        "2006-10-29T02:31:00Z",  # St. John's: a minute after midnight, back into the day before
        "2026-04-04T15:00:00Z",  # Lord Howe: half an hour
        "1919-03-31T04:30:00Z",  # Toronto: from 23:30 to 00:30
    )
)
INSTANTS = st.one_of(
    st.integers(at("1890-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")),
    st.builds(
        lambda change, off: change + off,
        st.sampled_from(CHANGES),
        st.integers(-30 * HOUR, 30 * HOUR),
    ),
)
TENANTS = st.builds(
    lambda zone, anchor, interval: Tenant(
        id="acme", versions=(Terms(zone=zone, anchor=anchor, interval=interval),)
    ),
    st.sampled_from(ZONES),
    st.integers(at("2000-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z")),
    st.builds(Interval, st.sampled_from(Unit), st.integers(1, 3)),
)


@given(TENANTS, INSTANTS, st.floats(0, 1))
def test_every_instant_lies_in_exactly_the_hour_that_its_neighbours_are_in(tenant, instant, part):
    hour = tenant.hour_at(instant)
    other = hour.start + int((hour.end - hour.start - 1) * part)

    assert hour.contains(instant)
    assert tenant.hour_at(other) == hour
    assert tenant.hour_at(hour.start) == hour == tenant.hour_at(hour.end - 1)
    assert tenant.hour_at(hour.end).start == hour.end


@given(TENANTS, INSTANTS)
def test_no_window_straddles_a_utc_hour_a_local_day_or_a_bill(tenant, instant):
    hour, day, period = tenant.hour_at(instant), tenant.day_at(instant), tenant.period_at(instant)

    assert hour.start // HOUR == (hour.end - 1) // HOUR
    for inner, outer in ((hour, day), (day, period)):
        assert outer.start <= inner.start
        assert inner.end <= outer.end


@given(st.sampled_from(ZONES), INSTANTS, st.floats(0, 1))
def test_the_days_of_a_zone_partition_time(zone, instant, part):
    day = local_day(zone, instant)
    other = day.start + int((day.end - day.start - 1) * part)

    assert day.contains(instant)
    assert local_day(zone, other) == day
    assert local_day(zone, day.end).start == day.end


@given(st.sampled_from(ZONES), st.integers(at("1990-01-01T00:00:00Z"), at("2037-01-01T00:00:00Z")))
def test_a_day_holds_the_noon_of_one_date_only(zone, instant):
    day = local_day(zone, instant)
    noon = to_datetime(day.start).astimezone(ZoneInfo(zone)) + timedelta(hours=12)

    assert noon.date() == to_datetime((day.start + day.end) // 2).astimezone(ZoneInfo(zone)).date()


@pytest.mark.parametrize(
    ("zone", "instant", "expected"),
    [
        ("Asia/Kolkata", "2026-01-31T18:45:00Z", "2026-01-31T18:30:00Z/2026-01-31T19:00:00Z"),
        ("Asia/Kolkata", "2026-01-31T18:15:00Z", "2026-01-31T18:00:00Z/2026-01-31T18:30:00Z"),
        ("Asia/Kathmandu", "2026-01-31T18:15:00Z", "2026-01-31T18:15:00Z/2026-01-31T19:00:00Z"),
        ("Europe/Berlin", "2026-01-31T23:15:00Z", "2026-01-31T23:00:00Z/2026-02-01T00:00:00Z"),
    ],
)
def test_an_hour_is_cut_at_local_midnight(zone, instant, expected):
    tenant = Tenant(id="acme", versions=(Terms(zone=zone),))

    assert str(tenant.hour_at(at(instant))) == expected


@pytest.mark.parametrize(
    ("zone", "instant", "expected"),
    [
        ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z/2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z/2026-10-25T23:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z/2018-11-05T02:00:00Z"),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z/2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z/2011-12-31T10:00:00Z"),
        ("Antarctica/Troll", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00Z/2026-03-29T22:00:00Z"),
    ],
)
def test_days_are_as_long_as_their_clocks_make_them(zone, instant, expected):
    assert str(local_day(zone, at(instant))) == expected


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize(
    "instant", [EARLIEST, EARLIEST + 80 * HOUR, LATEST - 80 * HOUR, LATEST - 1]
)
def test_the_ends_of_the_calendar_have_hours_too(zone, instant):
    hour = Tenant(id="acme", versions=(Terms(zone=zone),)).hour_at(instant)

    assert hour.contains(instant)


# ── Terms ───────────────────────────────────────────────────────────────────────────────────────

FIRST = Tenant(id="acme", versions=(Terms(anchor=at("2026-01-15T10:17:23Z")),))
NEW = Terms(zone="Asia/Kolkata", anchor=at("2026-02-01T00:00:00Z"))
NOW = at("2026-02-20T12:00:00Z")
NEXT = at("2026-03-15T10:17:23Z")


def test_new_terms_take_effect_at_the_next_period_and_cut_the_one_they_start_in():
    changed = with_terms(FIRST, NEW, NOW)

    assert changed.terms_at(NEXT - 1).zone == "UTC"
    assert changed.terms_at(NEXT).zone == "Asia/Kolkata"
    assert changed.period_at(NOW) == FIRST.period_at(NOW)
    assert str(changed.period_at(NEXT)) == "2026-03-15T10:17:23Z/2026-04-01T00:00:00Z"


def test_terms_that_wait_are_replaced_by_newer_ones():
    twice = with_terms(with_terms(FIRST, NEW, NOW), Terms(zone="Europe/Berlin"), NOW + HOUR)

    assert [v.zone for v in twice.versions] == ["UTC", "Europe/Berlin"]
    assert twice.versions[1].effective_from == NEXT


def test_terms_changed_again_in_a_later_period_keep_what_was_in_force():
    once = with_terms(FIRST, NEW, NOW)
    twice = with_terms(once, Terms(zone="Europe/Berlin"), NEXT + HOUR)

    assert [v.zone for v in twice.versions] == ["UTC", "Asia/Kolkata", "Europe/Berlin"]
    assert twice.versions[2].effective_from == at("2026-04-01T00:00:00Z")


def test_the_same_terms_change_nothing_and_take_back_what_waited():
    same = FIRST.versions[0]

    assert with_terms(FIRST, same, NOW) == FIRST
    assert with_terms(with_terms(FIRST, NEW, NOW), same, NOW) == FIRST


@given(
    TENANTS, TENANTS, st.integers(at("2020-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z")), INSTANTS
)
def test_a_change_of_terms_never_changes_a_window_of_the_past_and_windows_still_partition(
    tenant, other, now, instant
):
    changed = with_terms(tenant, other.versions[0], now)
    hour = changed.hour_at(instant)

    if instant <= now:
        assert hour == tenant.hour_at(instant)
        assert changed.period_at(instant) == tenant.period_at(instant)
    assert changed.hour_at(hour.end).start == hour.end
    assert changed.period_at(changed.period_at(instant).end - 1) == changed.period_at(instant)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc", "Europe", "a\0b"])
def test_what_is_no_zone_is_refused_with_advice(zone):
    with pytest.raises(InvalidSetting, match="IANA zone"):
        check_zone(zone)


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a\nb", "a" * 256, "\ud800"])
def test_what_cannot_be_a_name_is_refused(name):
    with pytest.raises(InvalidSetting, match="printable characters"):
        check_name("tenant", name)


def test_names_may_be_of_any_script():
    assert check_name("tenant", "Ærø GmbH 東京") == "Ærø GmbH 東京"
    assert check_zone("Asia/Kathmandu") == "Asia/Kathmandu"
