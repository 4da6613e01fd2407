"""What Stripe refuses at once, and what its routes keep us from sending."""

import pytest

from tallystick.domain.instant import DAY, HOUR, SECOND
from tallystick.domain.publication import Outcome
from tallystick.publishers import HOUR_METER, USAGE_RECORD
from tests.publishers.world import NOW, PERIOD, World, place, publication


def test_an_unknown_meter_is_refused(world: World):
    assert world.send(place(HOUR_METER, world.shop.customer(), "nobody")) == "refused"


def test_an_archived_meter_is_refused(world: World):
    meter = world.hour_meter()
    world.shop.stripe.v1.billing.meters.deactivate(meter)

    assert world.send(place(HOUR_METER, world.shop.customer())) == "refused"


def test_an_unknown_subscription_item_is_refused(world: World):
    assert world.send(place(USAGE_RECORD, "si_nobody", "")) == "refused"


def test_an_event_older_than_stripe_takes_is_refused(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer(), at=NOW - 36 * DAY)

    assert world.send(where) == "refused"


@pytest.mark.parametrize("age", [34 * DAY, HOUR])
def test_an_event_as_old_as_the_route_allows_is_taken(world: World, age: int):
    world.hour_meter()

    assert age <= HOUR_METER.oldest
    assert world.send(place(HOUR_METER, world.shop.customer(), at=NOW - age)) == "accepted"


def test_more_digits_than_stripe_takes_are_refused_and_never_rounded(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())

    answer = world.publisher.send(publication(where, "1234567890123.456"))

    assert answer.outcome is Outcome.REFUSED
    assert "meter_event_value_too_many_digits" in answer.detail
    assert world.send(where, "123456789012.345", revision=2) == "accepted"


def test_a_value_below_stripes_smallest_is_sent_in_fixed_point(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())

    assert world.send(where, "1E-8") == "accepted"
    assert world.shop.sandbox.received_events()[-1].payload["value"] == "0.00000001"


def test_billing_thresholds_forbid_set_and_that_is_refused(world: World):
    anchor = PERIOD.start // SECOND
    item = world.shop.legacy_item(
        billing_cycle_anchor=anchor,
        backdate_start_date=anchor,
        billing_thresholds={"amount_gte": 1_000},
    )

    answer = world.publisher.send(publication(place(USAGE_RECORD, item, "")))

    assert answer.outcome is Outcome.REFUSED
    assert "thresholds" in answer.detail


def test_a_usage_record_outside_the_current_period_is_refused(world: World):
    item = world.legacy_item()

    early = world.publisher.send(publication(place(USAGE_RECORD, item, "", at=PERIOD.start - DAY)))
    future = world.publisher.send(publication(place(USAGE_RECORD, item, "", at=NOW + HOUR)))

    assert early.outcome is future.outcome is Outcome.REFUSED
    assert "last invoice period" in early.detail
    assert "future" in future.detail


@pytest.mark.parametrize("value", ["1.5", "-1"])
def test_a_usage_record_that_is_no_whole_number_is_refused_unsent(world: World, value: str):
    item = world.legacy_item()
    before = len(world.shop.sandbox.requests(1_000))

    assert world.send(place(USAGE_RECORD, item, ""), value) == "refused"
    assert len(world.shop.sandbox.requests(1_000)) == before
