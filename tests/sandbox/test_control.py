import pytest
import requests

from tests.sandbox.shop import DAY, HOUR, NOON, OLD_VERSION, Shop


def order(shop: Shop, method: str, path: str, /, **body):
    answer = requests.request(method, f"{shop.url}/_sandbox/{path}", json=body, timeout=60)
    return answer.status_code, answer.json()


def test_the_clock_is_read_set_and_advanced(shop: Shop) -> None:
    assert order(shop, "GET", "clock") == (200, {"now": NOON, "free_running": False})
    assert order(shop, "POST", "clock", now=NOON + 5)[1]["now"] == NOON + 5
    assert order(shop, "POST", "clock/advance", seconds=10)[1]["now"] == NOON + 15
    assert shop.sandbox.now() == NOON + 15


@pytest.mark.parametrize(
    "body", [{"now": NOON - 1}, {"now": "soon"}, {"now": 1.5}, {"now": 10**15}, {}]
)
def test_the_clock_never_goes_back_or_anywhere_else(shop: Shop, body) -> None:
    status, answer = order(shop, "POST", "clock", **body)

    assert status == 400
    assert answer["error"]
    assert shop.sandbox.now() == NOON


def test_time_runs_by_itself_until_it_is_set(open_shop) -> None:
    shop = open_shop(now=None)
    running = order(shop, "GET", "clock")[1]

    order(shop, "POST", "clock/advance", seconds=DAY)

    assert running["free_running"] is True
    assert order(shop, "GET", "clock")[1]["free_running"] is False
    assert shop.sandbox.now() >= running["now"] + DAY


def test_faults_are_ordered_listed_and_cleared(shop: Shop) -> None:
    _, made = order(shop, "POST", "faults", kind="rate_limit", path="/v1/account", count=1)
    _, listed = order(shop, "GET", "faults")
    headers = {"Authorization": "Bearer sk_test_x"}
    first, second = (
        requests.get(f"{shop.url}/v1/account", headers=headers, timeout=60).status_code
        for _ in range(2)
    )

    assert (first, second) == (429, 200)
    assert listed["faults"][0]["kind"] == "rate_limit"
    assert order(shop, "DELETE", f"faults?id={made['id']}") == (200, {"faults": []})
    assert order(shop, "POST", "faults", kind="flood")[0] == 400
    assert order(shop, "POST", "faults", kind="outage", colour="red")[0] == 400
    assert order(shop, "POST", "faults", kind="outage", count="three")[0] == 400
    assert order(shop, "POST", "faults", kind="outage", path=7)[0] == 400
    assert order(shop, "POST", "faults", kind="outage", probability="0.05")[0] == 200


def test_the_books_show_every_event_with_its_fate(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter(event_time_window="hour")
    subscription = shop.subscribe(customer, shop.price(meter))
    shop.report(customer, "1", at=NOON, identifier="e1")
    shop.report(customer, "2.5", at=NOON, identifier="e2")
    shop.report("cus_nobody", "4", at=NOON, identifier="e3")

    _, books = order(shop, "GET", "books")

    assert [(e["identifier"], e["fate"], e["billed_on"]) for e in books["events"]] == [
        ("e1", "overwritten", "open_period"),
        ("e2", "counted", "open_period"),
        ("e3", "rejected:meter_event_customer_not_found", "nowhere:not_counted"),
    ]
    assert books["totals"][0]["hours"] == {str(NOON): "2.5"}
    assert books["subscriptions"][0]["items"][0]["period_total"] == "2.5"
    assert books["subscriptions"][0]["id"] == subscription.id
    assert books["outcomes"]["POST /v1/billing/meter_events"] == {"200": 3}
    assert books["truncated"] == []


def test_long_books_are_cut_and_say_so_and_events_are_paged(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()
    for _ in range(5):
        shop.report(customer)

    _, books = order(shop, "GET", "books?limit=2")
    _, page = order(shop, "GET", "events?after=1&limit=2")

    assert (len(books["events"]), books["truncated"]) == (2, ["events"])
    assert [event["sequence"] for event in page["events"]] == [2, 3]


def test_a_total_can_be_read_exactly_and_changed_by_hand(shop: Shop) -> None:
    customer = shop.customer()
    for window in ("none", "hour"):
        meter = shop.meter(f"m_{window}", event_time_window=window)
        shop.report(customer, "0.1", at=NOON, event_name=f"m_{window}")
        where = {"meter": meter, "customer": customer}

        planted = order(shop, "POST", "total", **where, timestamp=NOON + 5, total="7.5")
        read = order(shop, "GET", "total", **where, start=NOON, end=NOON + HOUR)

        assert planted == (200, {"before": "0.1"})
        assert read == (200, {"total": "7.5"})


def test_a_legacy_total_can_be_read_and_changed_by_hand(shop: Shop) -> None:
    item = shop.legacy_item()
    shop.record(item, 3)
    where = {"subscription_item": item}

    planted = order(shop, "POST", "total", **where, timestamp=NOON, total=9)

    assert planted == (200, {"before": "3"})
    assert order(shop, "GET", "total", **where, start=NOON, end=NOON + 1)[1] == {"total": "9"}


def test_keys_lag_and_status_are_set_from_outside(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    subscription = shop.subscribe(customer, shop.price(meter)).id
    shop.report(customer, at=NOON)

    order(shop, "POST", "keys", key="rk_test_none", permissions=[])
    order(shop, "POST", "summary_lag", seconds=60)
    order(shop, "POST", "subscription_status", subscription=subscription, status="past_due")

    headers = {"Authorization": "Bearer rk_test_none"}
    assert requests.get(f"{shop.url}/v1/account", headers=headers, timeout=60).status_code == 403
    assert shop.hours(meter, customer, NOON, NOON + HOUR) == {}
    assert shop.stripe.v1.subscriptions.retrieve(subscription).status == "past_due"


def test_requests_are_kept_with_their_outcome_and_without_their_key(shop: Shop) -> None:
    shop.customer()

    _, kept = order(shop, "GET", "requests")

    assert kept["requests"][0]["status"] == 200
    assert kept["requests"][0]["target"] == "/v1/customers"
    assert "sk_test" not in str(kept)


def test_a_reset_forgets_everything_and_may_go_back_in_time(shop: Shop) -> None:
    shop.customer()
    shop.fault("outage")

    order(shop, "POST", "reset", now=NOON - DAY)

    assert shop.sandbox.now() == NOON - DAY
    assert shop.stripe.v1.customers.list().data == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "healthz", 200), ("GET", "settings", 200), ("GET", "nonsense", 404)],
)
def test_other_orders(shop: Shop, method: str, path: str, status: int) -> None:
    assert order(shop, method, path)[0] == status


@pytest.mark.parametrize(
    "body", [b"[1]", b"{", b'"x"', b'{"meter":"none","customer":"c","timestamp":1,"total":"1"}']
)
def test_an_order_that_cannot_be_read_is_refused_with_a_sentence(shop: Shop, body: bytes) -> None:
    answer = requests.post(f"{shop.url}/_sandbox/total", data=body, timeout=60)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_invoices_can_be_read_as_values(shop: Shop) -> None:
    shop.legacy_item(billing_cycle_anchor=NOON - DAY)
    shop.sandbox.advance(40 * DAY)

    (invoice,) = shop.sandbox.invoices()

    assert invoice.status == "paid"
    assert shop.stripe.v1.invoices.retrieve(invoice.id, options={"stripe_version": OLD_VERSION})
