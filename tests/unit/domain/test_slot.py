"""Where a quantity goes: slots, their closing times, and the mappings that choose them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.instant import DAY, EARLIEST, HOUR, LATEST, SECOND, parse_instant
from tallystick.domain.mapping import (
    BEFORE_PUBLISH_FROM,
    BOUNDARY_HOUR,
    NO_MAPPING,
    Held,
    Mapping,
    mapping_for,
    placed,
)
from tallystick.domain.slot import (
    PARTITIONS,
    Mode,
    Reads,
    Route,
    Slot,
    SlotKey,
    last_full_hour,
    parse_slot_key,
    place_for,
    reading_group,
    slot_partition,
)
from tallystick.domain.tenant import Tenant, Terms
from tallystick.domain.window import Window

at = parse_instant
HOURLY = Route(name="hourly", mode=Mode.ABSOLUTE, hourly=True, reads=Reads.HOUR)
SECONDS = Route(name="seconds", mode=Mode.DELTA, hourly=False, reads=Reads.HOUR)
LEGACY = Route(name="legacy", mode=Mode.ABSOLUTE, hourly=False, closes_after=0, reads=Reads.PERIOD)
CUT = at("2026-01-31T10:17:23Z")
TENANT = Tenant(id="acme", versions=(Terms(anchor=CUT),))
BEFORE, AFTER = TENANT.period_at(CUT - 1), TENANT.period_at(CUT)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(EARLIEST, LATEST))
def test_a_slot_key_reads_back_equal_from_its_text(route, account, destination, counter, start):
    key = SlotKey(route, account, destination, counter, start)

    assert parse_slot_key(str(key)) == key


@given(st.tuples(TEXTS, TEXTS), st.tuples(TEXTS, TEXTS))
def test_two_slots_never_share_a_text(left, right):
    texts = [str(SlotKey("r", "a", *names, 0)) for names in (left, right)]

    assert (texts[0] == texts[1]) is (left == right)


@given(TEXTS, TEXTS, TEXTS, st.integers(EARLIEST, LATEST))
def test_what_is_read_back_together_is_in_one_partition(account, destination, counter, start):
    first = SlotKey("route", account, destination, counter, start)
    other = SlotKey("other", account, destination, "another", 0)

    assert slot_partition(first) == slot_partition(other)
    assert 0 <= slot_partition(first) < PARTITIONS


def test_a_slots_partition_is_the_same_for_ever():
    names = ["cus_acme", "cus_beta", "si_1", "é", "\ud800", ""]

    found = [slot_partition(SlotKey("r", "acct", name, "", 0)) for name in names]

    assert found == [3, 1, 7, 5, 7, 7]


def test_many_destinations_share_the_partitions_evenly():
    found = Counter(
        slot_partition(SlotKey("r", "", f"cus_{number:014d}", "c", 0)) for number in range(8_000)
    )

    assert len(found) == PARTITIONS
    assert all(800 < number < 1_200 for number in found.values())


@pytest.mark.parametrize("text", ["", "a/b/c", "a/b/c/d/never", "a/b/c/d/e/2026-01-31T10:00:00Z"])
def test_what_names_no_slot_is_refused(text):
    with pytest.raises(ValueError, match=r"a slot is|RFC 3339"):
        parse_slot_key(text)


def place(route, instant, period, boundary_hour="refuse"):
    return place_for(
        route, "default", "cus", "calls", at=instant, period=period, boundary_hour=boundary_hour
    )


def test_an_hourly_slot_is_the_utc_hour_and_closes_after_its_bill():
    found = place(HOURLY, at("2026-01-20T10:17:00Z"), BEFORE)

    assert found.slot.start == found.timestamp == at("2026-01-20T10:00:00Z")
    assert found.closes_at == BEFORE.end + HOUR
    assert not found.is_closed(found.closes_at - 1)
    assert found.is_closed(found.closes_at)


def test_a_slot_closes_when_its_timestamp_is_too_old_even_while_the_bill_is_open():
    year = Window(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))

    assert place(HOURLY, year.start, year).closes_at == year.start + 35 * DAY


def test_slots_by_the_second_are_held_apart_by_it_and_stay_in_their_period():
    period = Window(CUT + 500_000, CUT + 30 * DAY)

    assert place(SECONDS, at("2026-02-01T10:00:00.7Z"), period).slot.start % (60 * SECOND) == 0
    first = place(SECONDS, period.start, period)
    assert first.slot.start == first.timestamp == CUT + SECOND
    assert period.contains(first.timestamp)


def test_a_route_that_closes_with_the_period_takes_nothing_after_it():
    assert LEGACY.closes_with_period
    assert place(LEGACY, BEFORE.end - HOUR, BEFORE).closes_at == BEFORE.end


def mapped(boundary_hour="refuse", **changed):
    named = {"route": "hourly", "destination": "cus", "publish_from": EARLIEST, **changed}
    return Mapping(tenant="acme", meter="m", boundary_hour=boundary_hour, **named)


def put(instant, boundary_hour, route=HOURLY):
    window = TENANT.hour_at(instant)
    return placed(mapped(boundary_hour), route, at=window.start, window=window, tenant=TENANT)


@pytest.mark.parametrize("instant", [CUT - 1, CUT])
def test_an_hour_in_which_a_period_starts_is_held_unless_told_otherwise(instant):
    assert put(instant, "refuse") == Held(BOUNDARY_HOUR)
    assert not isinstance(put(instant, "refuse", SECONDS), Held)


@pytest.mark.parametrize(
    ("boundary_hour", "timestamp", "bill"),
    [("previous", at("2026-01-31T10:00:00Z"), BEFORE), ("next", CUT, AFTER)],
)
def test_both_halves_of_a_cut_hour_share_one_place_on_one_bill(boundary_hour, timestamp, bill):
    first, second = put(CUT - 1, boundary_hour), put(CUT, boundary_hour)

    assert first == second
    assert first.slot.start == at("2026-01-31T10:00:00Z")
    assert (first.timestamp, first.period) == (timestamp, bill)
    assert first.closes_at == min(timestamp + HOURLY.oldest, bill.end + HOUR)


@given(st.integers(CUT - 40 * DAY, CUT + 40 * DAY), st.sampled_from(["previous", "next"]))
def test_a_placed_timestamp_lies_on_the_bill_that_its_place_names(instant, boundary_hour):
    for route in (HOURLY, SECONDS):
        found = put(instant, boundary_hour, route)
        assert found.period.contains(found.timestamp)
        assert abs(found.timestamp - instant) < HOUR


def test_usage_without_a_mapping_or_before_publish_from_is_held():
    window = TENANT.hour_at(CUT + DAY)
    told = {"at": window.start, "window": window, "tenant": TENANT}

    assert placed(None, None, **told) == Held(NO_MAPPING)
    assert placed(mapped(), None, **told) == Held(NO_MAPPING)
    late = mapped(publish_from=window.start + 1)
    assert placed(late, HOURLY, **told) == Held(BEFORE_PUBLISH_FROM)
    assert not isinstance(placed(mapped(publish_from=window.start), HOURLY, **told), Held)


def test_the_mapping_in_force_is_the_newest_of_the_group_that_began_before_the_window():
    old, new, grouped = mapped(), mapped(effective_from=CUT), mapped(group='{"model":"big"}')
    versions = (old, grouped, new)

    assert mapping_for(versions, "", Window(CUT - 1, CUT)) is old
    assert mapping_for(versions, "", Window(CUT, CUT + 1)) is new
    assert mapping_for(versions, '{"model":"big"}', Window(CUT, CUT + 1)) is grouped
    assert mapping_for(versions, '{"model":"small"}', Window(CUT, CUT + 1)) is None


@pytest.mark.parametrize(
    ("watermark", "expected"),
    [
        ("2026-02-10T12:30:00Z", "2026-02-10T11:00:00Z"),
        ("2026-02-10T12:00:00Z", "2026-02-10T11:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T11:00:00Z"),
        ("2026-01-31T11:00:00Z", "2026-01-31T10:17:23Z"),
        ("2026-02-28T10:30:00Z", "2026-02-28T09:00:00Z"),
        ("2026-05-01T00:00:00Z", "2026-02-28T09:00:00Z"),
    ],
)
def test_a_long_window_is_placed_in_its_last_full_hour_before_the_watermark(watermark, expected):
    assert last_full_hour(AFTER, at(watermark)) == at(expected)


def test_a_window_that_ends_on_the_hour_is_placed_in_its_last_hour():
    window = Window(at("2026-01-31T00:00:00Z"), at("2026-02-01T00:00:00Z"))

    assert last_full_hour(window, LATEST) == at("2026-01-31T23:00:00Z")


@given(st.integers(1, 48 * 60), st.integers(1, 40 * 24 * 60), st.integers(0, 80 * 24 * 60))
def test_a_long_window_is_never_placed_outside_of_it(start, length, watermark):
    minute = 60 * SECOND
    window = Window(start * minute, (start + length) * minute)

    assert window.contains(last_full_hour(window, watermark * minute))


def test_what_is_read_together_is_the_hour_or_the_period():
    first, second = (
        Slot(place=place(SECONDS, instant, AFTER)) for instant in (CUT, at("2026-01-31T10:40:00Z"))
    )
    other = Slot(place=place(SECONDS, at("2026-01-31T11:00:00Z"), AFTER))

    assert reading_group(SECONDS, first) == reading_group(SECONDS, second)
    assert reading_group(SECONDS, first) != reading_group(SECONDS, other)
    assert reading_group(LEGACY, first) == reading_group(LEGACY, other)
    elsewhere = Slot(place=place(SECONDS, CUT - DAY, BEFORE))
    assert reading_group(LEGACY, first) != reading_group(LEGACY, elsewhere)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5)])
def test_a_window_is_never_empty(start, end):
    with pytest.raises(ValueError, match="must end after it starts"):
        Window(start, end)


def test_windows_are_cut_to_what_they_share():
    assert Window(0, 10).cut_to(Window(5, 20)) == Window(5, 10)
    assert not Window(0, 10).contains(10)
    with pytest.raises(ValueError, match="must end after it starts"):
        Window(0, 10).cut_to(Window(10, 20))
