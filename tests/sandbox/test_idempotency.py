import threading
from collections.abc import Callable

import pytest
import stripe

from tests.sandbox.shop import DAY, EVENTS, Shop, header

PATIENCE_SECONDS = 60


def test_the_same_key_and_parameters_replay_the_first_answer(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    first = shop.report(customer, identifier="e1", key="k1")

    again = shop.report(customer, identifier="e1", key="k1")

    assert again.created == first.created
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert shop.total(meter, customer) == "1"


def test_a_key_with_other_parameters_is_an_idempotency_error(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()
    shop.report(customer, "1", identifier="e1", key="k1")

    with pytest.raises(stripe.IdempotencyError) as refused:
        shop.report(customer, "2", identifier="e1", key="k1")
    with pytest.raises(stripe.IdempotencyError):
        shop.stripe.v1.customers.create({"name": "x"}, {"idempotency_key": "k1"})

    assert refused.value.http_status == 400


def test_after_a_day_a_key_makes_a_new_request(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, identifier="e1", key="k1")
    shop.sandbox.advance(DAY - 1)
    shop.report(customer, identifier="e1", key="k1")
    shop.sandbox.advance(1)

    again = shop.report(customer, identifier="e1", key="k1")

    assert "Idempotent-Replayed" not in again.last_response.headers
    assert shop.total(meter, customer) == "2"


@pytest.mark.parametrize(("kind", "total"), [("error_before", "0"), ("error_after", "1")])
def test_a_500_is_saved_under_its_key_whether_or_not_it_took_effect(
    shop: Shop, kind: str, total: str
) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault(kind, path=EVENTS, count=1)
    with pytest.raises(stripe.APIError) as first:
        shop.report(customer, identifier="e1", key="k1")

    with pytest.raises(stripe.APIError) as second:
        shop.report(customer, identifier="e1", key="k1")

    assert (first.value.http_status, second.value.http_status) == (500, 500)
    assert header(second.value, "Idempotent-Replayed") == "true"
    assert shop.total(meter, customer) == total


def test_a_replayed_500_does_not_use_up_an_ordered_one(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()
    shop.fault("error_before", path=EVENTS, count=2)

    for key in ("k1", "k1", "k1", "k2"):
        with pytest.raises(stripe.APIError):
            shop.report(customer, key=key)

    assert shop.report(customer, key="k3")


def test_after_a_500_a_new_key_meets_the_identifier_if_it_took_effect(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("error_after", path=EVENTS, count=1)
    with pytest.raises(stripe.APIError):
        shop.report(customer, identifier="e1", key="k1")

    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.report(customer, identifier="e1", key="k2")

    assert shop.total(meter, customer) == "1"


def test_a_refused_parameter_is_not_saved(shop: Shop) -> None:
    customer = shop.customer()
    with pytest.raises(stripe.InvalidRequestError):
        shop.report(customer, identifier="e1", key="k1")
    meter = shop.meter()

    shop.report(customer, identifier="e1", key="k1")

    assert shop.total(meter, customer) == "1"


@pytest.mark.parametrize("kind", ["rate_limit", "outage", "conflict"])
def test_what_is_turned_away_at_the_door_is_not_saved(shop: Shop, kind: str) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault(kind, path=EVENTS, count=1)
    with pytest.raises(stripe.StripeError):
        shop.report(customer, identifier="e1", key="k1")

    shop.report(customer, identifier="e1", key="k1")

    assert shop.total(meter, customer) == "1"


def while_a_slow_call_runs(shop: Shop, call: Callable[[], object], meanwhile: Callable[[], None]):
    """The slow call is answered when the rest is over, however long that takes."""
    begun, is_over = threading.Event(), threading.Event()

    def pause(_seconds: float) -> None:
        begun.set()
        assert is_over.wait(PATIENCE_SECONDS)

    shop.sandbox._pause = pause
    shop.fault("slow", count=1)
    slow = threading.Thread(target=call)
    slow.start()
    try:
        assert begun.wait(PATIENCE_SECONDS)
        meanwhile()
    finally:
        is_over.set()
        slow.join()


def test_a_key_in_flight_is_a_conflict(shop: Shop) -> None:
    def create() -> object:
        return shop.stripe.v1.customers.create({"name": "x"}, {"idempotency_key": "k1"})

    def meanwhile() -> None:
        with pytest.raises(stripe.APIError) as refused:
            create()
        assert refused.value.http_status == 409
        assert refused.value.error.code == "idempotency_key_in_use"

    while_a_slow_call_runs(shop, create, meanwhile)

    assert len(shop.stripe.v1.customers.list().data) == 1


def test_one_call_per_customer_and_meter_is_in_flight(shop: Shop) -> None:
    customer, other, meter = shop.customer(), shop.customer(), shop.meter()
    refusals = []

    def meanwhile() -> None:
        with pytest.raises(stripe.RateLimitError) as refused:
            shop.report(customer, key="k2")
        refusals.append(refused.value)
        shop.report(other)

    while_a_slow_call_runs(shop, lambda: shop.report(customer, key="k1"), meanwhile)

    assert header(refusals[0], "Stripe-Rate-Limited-Reason") == "resource-specific"
    assert shop.total(meter, customer) == "1"
    assert shop.total(meter, other) == "1"


def test_version_two_repeats_failed_work_and_not_successful_work(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    event = {
        "event_name": "api_calls",
        "payload": {"stripe_customer_id": customer, "value": "1"},
        "identifier": "e1",
    }
    shop.fault("error_before", count=1)
    with pytest.raises(stripe.APIError):
        shop.stripe.v2.billing.meter_events.create(event, {"idempotency_key": "k1"})

    shop.stripe.v2.billing.meter_events.create(event, {"idempotency_key": "k1"})
    shop.sandbox.advance(2 * DAY)
    again = shop.stripe.v2.billing.meter_events.create(event, {"idempotency_key": "k1"})

    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert shop.total(meter, customer) == "1"
