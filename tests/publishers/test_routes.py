"""The routes' numbers agree with each other and with what Stripe says."""

import pytest

from tallystick.domain.instant import DAY, HOUR
from tallystick.domain.slot import Mode, Reads
from tallystick.publishers import HOUR_METER, ROUTES, SUM_METER, USAGE_RECORD


def test_a_route_is_found_by_its_name():
    assert {name: route.name for name, route in ROUTES.items()} == {n: n for n in ROUTES}


def test_only_what_overwrites_is_absolute():
    assert (HOUR_METER.mode, USAGE_RECORD.mode) == (Mode.ABSOLUTE, Mode.ABSOLUTE)
    assert SUM_METER.mode is Mode.DELTA


@pytest.mark.parametrize("route", [HOUR_METER, SUM_METER])
def test_a_meter_closes_within_stripes_grace_and_reach(route):
    assert route.closes_after <= HOUR
    assert route.oldest < 35 * DAY
    assert route.reads is Reads.HOUR
    assert not route.whole_numbers


def test_usage_records_are_whole_numbers_and_close_with_their_period():
    assert USAGE_RECORD.closes_with_period
    assert USAGE_RECORD.whole_numbers
    assert USAGE_RECORD.reads is Reads.PERIOD
    assert USAGE_RECORD.oldest > 3 * 365 * DAY


def test_no_route_promises_more_digits_than_stripe_takes():
    assert {route.digits_max for route in ROUTES.values()} == {15}
