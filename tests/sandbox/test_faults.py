import time

import pytest
import stripe

from tallystick.sandbox import Fault
from tests.sandbox.shop import DAY, EVENTS, HOUR, NOON, Shop, header


@pytest.mark.parametrize(("kind", "total"), [("drop_before", "0"), ("drop_after", "1")])
def test_a_cut_connection_may_hide_an_effect(shop: Shop, kind: str, total: str) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault(kind, path=EVENTS, count=1)

    with pytest.raises(stripe.APIConnectionError):
        shop.report(customer, identifier="e1", key="k1")

    assert shop.total(meter, customer) == total
    again = shop.report(customer, identifier="e1", key="k1")
    replayed = "Idempotent-Replayed" in again.last_response.headers
    assert replayed == (kind == "drop_after")
    assert shop.total(meter, customer) == "1"


def test_even_a_replay_can_be_cut_off(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("drop_after", path=EVENTS, count=2)

    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            shop.report(customer, identifier="e1", key="k1")

    assert shop.report(customer, identifier="e1", key="k1").identifier == "e1"
    assert shop.total(meter, customer) == "1"


@pytest.mark.parametrize(
    ("kind", "reason", "should_retry", "code"),
    [
        ("rate_limit", "global-rate", None, "rate_limit"),
        ("rate_limit_retry", "endpoint-rate", "true", "rate_limit"),
        ("rate_limit_lock_timeout", None, None, "lock_timeout"),
    ],
)
def test_a_429_says_why_and_whether_to_retry(
    shop: Shop, kind: str, reason, should_retry, code: str
) -> None:
    customer = shop.customer()
    shop.meter()
    shop.fault(kind, path=EVENTS, count=1)

    with pytest.raises(stripe.RateLimitError) as refused:
        shop.report(customer)

    assert header(refused.value, "Stripe-Rate-Limited-Reason") == reason
    assert header(refused.value, "Stripe-Should-Retry") == should_retry
    assert refused.value.error.code == code


def test_an_outage_lasts_from_its_start_to_its_end(shop: Shop) -> None:
    shop.fault("outage", start=NOON + 10, end=NOON + 20)
    statuses = []

    for _ in range(4):
        try:
            statuses.append(shop.customer() and 200)
        except stripe.APIError as error:
            statuses.append(error.http_status)
        shop.sandbox.advance(7)

    assert statuses == [200, 200, 503, 200]


def test_faults_are_chosen_by_customer_event_name_method_and_path(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer()
    shop.meter("a"), shop.meter("b")
    shop.fault("rate_limit", customer=ada, event_name="a")
    shop.fault("outage", method="GET", path="/v1/billing/*")

    shop.report(bob, event_name="a")
    shop.report(ada, event_name="b")
    with pytest.raises(stripe.RateLimitError):
        shop.report(ada, event_name="a")
    with pytest.raises(stripe.APIError):
        shop.stripe.v1.billing.meters.list()
    assert shop.stripe.v1.customers.list().data


def test_a_count_can_skip_calls_first(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()
    shop.fault("rate_limit", path=EVENTS, skip=2, count=1)
    results = []

    for _ in range(4):
        try:
            shop.report(customer)
            results.append("ok")
        except stripe.RateLimitError:
            results.append("429")

    assert results == ["ok", "ok", "429", "ok"]


def struck(open_shop, seed: int) -> list[int]:
    shop = open_shop(seed=seed)
    shop.fault("rate_limit", path="/v1/account", probability=0.2)
    hit = []
    for number in range(60):
        try:
            shop.stripe.v1.accounts.retrieve_current()
        except stripe.RateLimitError:
            hit.append(number)
    return hit


def test_a_rate_of_faults_is_the_same_for_the_same_seed(open_shop) -> None:
    first, again, other = (struck(open_shop, seed) for seed in (1, 1, 2))

    assert first == again != other
    assert 3 <= len(first) <= 25


def test_a_late_request_takes_effect_hours_after_its_connection_was_cut(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("late", path=EVENTS, count=1, landing_seconds=3 * HOUR)
    with pytest.raises(stripe.APIConnectionError):
        shop.report(customer, identifier="e1", key="k1")

    shop.sandbox.advance(3 * HOUR - 1)
    before = shop.total(meter, customer)
    shop.sandbox.advance(1)

    assert (before, shop.total(meter, customer)) == ("0", "1")
    assert shop.sandbox.received_events()[0].received_at == NOON + 3 * HOUR
    assert shop.sandbox.received_events()[0].timestamp == NOON + 3 * HOUR


def test_a_late_request_dies_if_its_retry_was_seen_within_a_day(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("late", path=EVENTS, count=2, landing_seconds=23 * HOUR)
    for key in ("k1", "k2"):
        with pytest.raises(stripe.APIConnectionError):
            shop.report(customer, at=NOON, identifier="e1", key=key)

    shop.report(customer, at=NOON, identifier="e1", key="k1")
    shop.sandbox.advance(2 * DAY)

    assert shop.total(meter, customer) == "1"
    landed = shop.sandbox.outcomes()[f"POST {EVENTS}"]
    assert (landed["landed_200"], landed["landed_400"]) == (1, 1)


def test_a_late_request_counts_twice_if_stripe_has_forgotten_its_retry(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("late", path=EVENTS, count=1, landing_seconds=25 * HOUR)
    with pytest.raises(stripe.APIConnectionError):
        shop.report(customer, at=NOON, identifier="e1", key="k1")

    shop.report(customer, at=NOON, identifier="e1", key="k1")
    shop.sandbox.advance(25 * HOUR)

    assert shop.total(meter, customer) == "2"


def test_a_late_request_overwrites_a_newer_value_of_its_hour(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter(event_time_window="hour")
    shop.fault("late", path=EVENTS, count=1, landing_seconds=60)
    with pytest.raises(stripe.APIConnectionError):
        shop.report(customer, "5", at=NOON - 1, identifier="e1")
    shop.report(customer, "8", at=NOON - 1, identifier="e2")

    before = shop.total(meter, customer)
    shop.sandbox.advance(60)

    assert (before, shop.total(meter, customer)) == ("8", "5")
    assert [event["fate"] for event in shop.sandbox.events()] == ["overwritten", "counted"]


def test_a_late_request_can_come_after_its_invoice(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.subscribe(customer, shop.price(meter), billing_cycle_anchor=NOON - 30 * DAY)
    end = NOON + DAY
    shop.fault("late", path=EVENTS, count=1, landing_seconds=DAY + 2 * HOUR)
    with pytest.raises(stripe.APIConnectionError):
        shop.report(customer, "5", at=NOON - 1)

    shop.sandbox.set_time(end + 10 * DAY)

    assert shop.invoices()[0].total == 0
    assert shop.sandbox.events()[0]["billed_on"] == "nowhere:invoice_finalized"
    assert shop.total(meter, customer) == "5"


def test_a_slow_answer_takes_real_time_and_is_otherwise_right(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("slow", path=EVENTS, count=1, delay_seconds=0.02)

    begun = time.perf_counter()
    shop.report(customer)

    assert time.perf_counter() - begun >= 0.02
    assert shop.total(meter, customer) == "1"


def test_the_sdks_own_retries_count_an_event_once(shop: Shop, monkeypatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda *_: 0)
    customer, meter = shop.customer(), shop.meter()
    shop.fault("drop_after", path=EVENTS, count=1)

    shop.stripe.v1.billing.meter_events.create(
        {"event_name": "api_calls", "payload": {"stripe_customer_id": customer, "value": "1"}},
        {"max_network_retries": 2},
    )

    assert shop.total(meter, customer) == "1"
    assert shop.sandbox.outcomes()[f"POST {EVENTS}"] == {"dropped": 1, "200_replayed": 1}


def test_orders_can_be_listed_and_taken_back(shop: Shop) -> None:
    one, two = shop.fault("outage"), shop.fault("rate_limit", count=3)

    shop.sandbox.clear_faults(one)
    with pytest.raises(stripe.RateLimitError):
        shop.customer()

    assert [(order["id"], order["applied"]) for order in shop.sandbox.faults()] == [(two, 1)]
    shop.sandbox.clear_faults()
    assert shop.customer()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "flood"},
        {"kind": "outage", "probability": 2},
        {"kind": "late", "landing_seconds": -1},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match=r"kind|probability|seconds"):
        Fault(**wrong)
