from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import stripe

from tests.sandbox.shop import EVENTS, HOUR, NOON, Shop


def test_many_senders_that_retry_count_every_event_once(shop: Shop, monkeypatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda *_: 0)
    customers, meter = [shop.customer() for _ in range(8)], shop.meter()
    shop.fault("drop_after", path=EVENTS, probability=0.1)
    shop.fault("drop_before", path=EVENTS, probability=0.1)
    shop.fault("rate_limit_retry", path=EVENTS, probability=0.1)

    def send(customer: str) -> None:
        for number in range(25):
            key = f"{customer}-{number}"
            shop.stripe.v1.billing.meter_events.create(
                {
                    "event_name": "api_calls",
                    "payload": {"stripe_customer_id": customer, "value": "0.1"},
                    "timestamp": NOON - number * 600,
                    "identifier": key,
                },
                {"idempotency_key": key, "max_network_retries": 50},
            )

    with ThreadPoolExecutor(8) as senders:
        list(senders.map(send, customers))

    assert {shop.total(meter, customer) for customer in customers} == {"2.5"}
    hours = shop.sandbox.hour_totals("api_calls", customers[0])
    assert list(hours) == [NOON - n * HOUR for n in (4, 3, 2, 1, 0)]
    assert sum(hours.values()) == Decimal("2.5")
