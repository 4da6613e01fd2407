"""Whole hours through all functions, on DynamoDB, with the sandbox as Stripe."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tallystick.bootstrap import stripe_of
from tallystick.domain.slot import PARTITIONS
from tallystick.entrypoints.aws import ingest, onboard, poll, publish, reconcile, seal, summary
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.publishers.stripe.setup import MeterKind
from tallystick.stores.dynamodb import DynamoStore
from tests.aws.conftest import client_of
from tests.aws.handlers.calls import batch, failed, onboarding, usage
from tests.aws.test_faults import Unsteady, refusal
from tests.cli.billing import BEGIN, seconds

pytestmark = pytest.mark.aws

HOURS = ("10", "11", "12")
EVENING = "2026-09-01T20:10:00Z"


@pytest.fixture
def client(table: str, endpoint: str, shop, call) -> Unsteady:
    store = cold_start().store
    assert isinstance(store, DynamoStore)
    unsteady = Unsteady(client_of(endpoint))
    store._table._client = unsteady
    return unsteady


@pytest.fixture
def shopping(shop, client) -> Any:
    """A shop with a customer that subscribed in the period that tenants have by themselves."""
    stripe = stripe_of(cold_start().app({}))
    meter = stripe.setup_meter("api_calls", "api_calls", MeterKind.HOUR).meter
    shop.subscribe(shop.customer(id="cus_acme"), shop.price(meter))
    return shop


def pass_at(call: Callable, shop: Any, at: str) -> dict[str, Any]:
    """What the state machine does; the summary of it."""
    if seconds(at) > shop.sandbox.now():
        shop.sandbox.set_time(seconds(at))
    while not call(seal.handler, {"at": at})["is_done"]:
        pass
    told = [call(publish.handler, {"at": at, "partition": number}) for number in range(PARTITIONS)]
    call(poll.handler, {"at": at})
    return call(summary.handler, {"at": at, "publish": told})


def every_third() -> Callable[[str], Exception | None]:
    numbers = count(1)
    return lambda _: refusal("ThrottlingException") if next(numbers) % 3 == 0 else None


@pytest.mark.parametrize("weather", [lambda _: None, every_third()], ids=["calm", "throttled"])
def test_hours_of_usage_are_billed_and_reconcile_to_the_last_unit(
    call, client, shopping, monkeypatch, weather
):
    """An hour is missed, and another is run twice; half of the events are delivered twice."""
    client.before = weather
    monkeypatch.setattr("tallystick.stores.dynamodb.pausing.LONGEST_SECONDS", 0.01)
    signed_up = onboarding(destination="cus_acme", ProductCode="api_calls")
    signed_up["time"] = BEGIN
    assert failed(call(onboard.handler, batch(signed_up))) == []

    for hour in HOURS:
        events = [
            usage(EventID=f"{hour}-{number}", Timestamp=f"2026-09-01T{hour}:{number:02}:00Z")
            for number in range(20)
        ]
        assert failed(call(ingest.handler, batch(*events, *events[:10]))) == []
        if hour != HOURS[0]:
            pass_at(call, shopping, f"2026-09-01T{int(hour) + 1}:05:00Z")
    again = pass_at(call, shopping, "2026-09-01T13:05:30Z")
    pass_at(call, shopping, EVENING)

    assert again["published"]["sent"] == 0
    assert call(reconcile.handler, {"at": EVENING})["discrepancies"] == 0
    begin, end = seconds(BEGIN), seconds("2026-09-02T00:00:00Z")
    assert shopping.sandbox.usage_total("api_calls", "cus_acme", begin, end) == 5 * 20 * 3
