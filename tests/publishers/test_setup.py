"""Making the meter that a mapping needs: done twice, it is done once."""

import pytest

from tallystick.domain.errors import InvalidSetting, PublisherMisconfigured, PublisherUnavailable
from tallystick.publishers import HOUR_METER, SUM_METER
from tallystick.publishers.stripe import MeterKind
from tests.publishers.world import KEY, World, place


@pytest.mark.parametrize("kind", list(MeterKind))
def test_a_meter_is_made_once_and_found_afterwards(world: World, kind: MeterKind):
    made = world.publisher.setup_meter("API calls", "api_calls", kind)
    found = world.publisher.setup_meter("Another name", "api_calls", kind)

    assert (made.created, found.created) == (True, False)
    assert made.meter == found.meter
    assert len(world.shop.stripe.v1.billing.meters.list().data) == 1


def test_an_hour_meter_keeps_the_last_value(world: World):
    world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR)
    where = place(HOUR_METER, world.shop.customer())
    world.send(where, "5", revision=1)
    world.send(where, "3", revision=2)

    assert world.shop.total("api_calls", where.slot.destination) == "3"


def test_a_sum_meter_adds_up(world: World):
    world.publisher.setup_meter("API calls", "api_calls", MeterKind.SUM)
    where = place(SUM_METER, world.shop.customer())
    world.send(where, "5", revision=1)
    world.send(where, "3", revision=2)

    assert world.shop.total("api_calls", where.slot.destination) == "8"


@pytest.mark.parametrize(
    ("there", "wanted", "why"),
    [
        ({}, MeterKind.HOUR, "event_time_window is None, not hour"),
        ({"event_time_window": "day"}, MeterKind.HOUR, "event_time_window is day, not hour"),
        ({"event_time_window": "hour"}, MeterKind.SUM, "event_time_window is hour, not None"),
        ({"formula": "count"}, MeterKind.SUM, "formula] is count, not sum"),
        (
            {"customer_mapping": {"type": "by_id", "event_payload_key": "org"}},
            MeterKind.SUM,
            "is org, not stripe_customer_id",
        ),
        ({"value_settings": {"event_payload_key": "n"}}, MeterKind.SUM, "is n, not value"),
    ],
)
def test_a_meter_of_another_kind_is_named_and_left_alone(world: World, there, wanted, why: str):
    meter = world.shop.meter(**there)

    with pytest.raises(InvalidSetting) as refused:
        world.publisher.setup_meter("API calls", "api_calls", wanted)

    assert why in str(refused.value)
    assert meter in str(refused.value)
    assert "choose another event name" in str(refused.value)


def test_an_inactive_meter_is_not_brought_back_behind_its_owners_back(world: World):
    meter = world.hour_meter()
    world.shop.stripe.v1.billing.meters.deactivate(meter)

    with pytest.raises(InvalidSetting, match="inactive"):
        world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR)


def test_a_lost_answer_is_found_at_the_next_try(world: World):
    world.shop.fault("drop_after", count=1, method="POST")

    with pytest.raises(PublisherUnavailable, match="try again"):
        world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR)

    assert not world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR).created


def test_a_saved_500_does_not_stand_in_the_way(world: World):
    world.shop.fault("error_before", count=1, method="POST")

    with pytest.raises(PublisherUnavailable, match="try again"):
        world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR)

    assert world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR).created


def test_a_key_that_may_only_read_is_told_what_it_lacks(world: World):
    world.shop.sandbox.grant(KEY, ["rak_billing_meter_read"])

    with pytest.raises(PublisherMisconfigured, match="rak_billing_meter_write") as raised:
        world.publisher.setup_meter("API calls", "api_calls", MeterKind.HOUR)

    assert "TALLYSTICK_STRIPE_API_KEY" in str(raised.value)


def test_what_stripe_refuses_is_the_callers_to_mend(world: World):
    with pytest.raises(InvalidSetting, match="at most 100"):
        world.publisher.setup_meter("API calls", "x" * 101, MeterKind.HOUR)
