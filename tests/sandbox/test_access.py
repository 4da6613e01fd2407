import pytest
import requests
import stripe

from tallystick.sandbox import Request, StripeSandbox
from tests.sandbox.shop import NOON, Shop


def client(shop: Shop, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": shop.url},
        http_client=shop.stripe._requestor._client,
    )


@pytest.mark.parametrize("key", ["sk_test_a", "rk_test_a", "sk_live_a", "rk_live_a"])
def test_secret_and_restricted_keys_of_both_modes_are_taken(shop: Shop, key: str) -> None:
    made = client(shop, key).v1.customers.create({"name": "x"})

    assert made.livemode == ("live" in key)


def test_a_foreign_key_is_unauthorised(shop: Shop) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        client(shop, "pk_test_a").v1.customers.list()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic !"}]
)
def test_no_key_is_unauthorised(shop: Shop, headers) -> None:
    answer = requests.get(f"{shop.url}/v1/customers", headers=headers, timeout=60)

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_key_may_come_as_the_user_of_basic_authentication(shop: Shop) -> None:
    answer = requests.get(f"{shop.url}/v1/account", auth=("sk_test_x", ""), timeout=60)

    assert answer.json()["object"] == "account"


def test_a_restricted_key_is_told_which_permission_it_lacks(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()
    shop.sandbox.grant("rk_test_reader", ["rak_billing_meter_read"])
    reader = client(shop, "rk_test_reader")

    assert reader.v1.billing.meters.list().data
    with pytest.raises(stripe.PermissionError, match="'rak_billing_meter_event_write'") as refused:
        reader.v1.billing.meter_events.create(
            {"event_name": "api_calls", "payload": {"stripe_customer_id": customer, "value": "1"}}
        )
    assert refused.value.http_status == 403
    assert "rk_test_reader" not in str(refused.value)


def test_an_unknown_path_is_an_unrecognised_url(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        shop.stripe.raw_request("get", "/v1/nonsense")

    assert refused.value.http_status == 404


def test_lists_page_backwards_and_forwards(shop: Shop) -> None:
    made = [shop.customer(name=str(number)) for number in range(7)]
    newest_first = list(reversed(made))

    first = shop.stripe.v1.customers.list({"limit": 3})
    second = shop.stripe.v1.customers.list({"limit": 3, "starting_after": first.data[-1].id})
    back = shop.stripe.v1.customers.list({"limit": 2, "ending_before": second.data[0].id})

    assert [row.id for row in first.data] == newest_first[:3]
    assert [row.id for row in second.data] == newest_first[3:6]
    assert [row.id for row in back.data] == newest_first[1:3]
    assert back.has_more
    assert [row.id for row in first.auto_paging_iter()] == newest_first


def test_objects_come_back_with_what_they_were_made_with(shop: Shop) -> None:
    customer = shop.customer(name="Ada", email="ada@example.com", metadata={"tenant": "t 1&2"})
    meter = shop.meter(event_time_window="hour")
    price = shop.price(meter, "0.25")
    subscription = shop.subscribe(customer, price, metadata={"plan": "pro"})

    found = shop.stripe.v1.customers.retrieve(customer)
    assert (found.email, found.metadata["tenant"]) == ("ada@example.com", "t 1&2")
    assert shop.stripe.v1.billing.meters.retrieve(meter).event_time_window == "hour"
    assert shop.stripe.v1.billing.meters.list({"status": "active"}).data[0].id == meter
    assert str(shop.stripe.v1.prices.retrieve(price).unit_amount_decimal) == "0.25"
    assert shop.stripe.v1.prices.list({"recurring": {"meter": meter}}).data[0].id == price
    assert shop.stripe.v1.products.list().data[0].name == "API"
    assert shop.stripe.v1.subscriptions.list({"customer": customer}).data[0].id == subscription.id
    items = shop.stripe.v1.subscription_items.list({"subscription": subscription.id}).data
    assert items[0].price.recurring.meter == meter


def test_of_a_meter_only_the_display_name_can_change(shop: Shop) -> None:
    meter = shop.meter()

    assert (
        shop.stripe.v1.billing.meters.update(meter, {"display_name": "New"}).display_name == "New"
    )
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        shop.stripe.raw_request("post", f"/v1/billing/meters/{meter}", event_name="other")


def test_an_event_name_belongs_to_one_active_meter(shop: Shop) -> None:
    first = shop.meter()
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.meter()
    shop.stripe.v1.billing.meters.deactivate(first)

    assert shop.meter() != first


def test_a_meter_changes_its_state_only_to_another_and_only_if_its_name_is_free(
    shop: Shop,
) -> None:
    meters = shop.stripe.v1.billing.meters
    first = shop.meter()
    with pytest.raises(stripe.InvalidRequestError, match="already active"):
        meters.reactivate(first)
    meters.deactivate(first)
    with pytest.raises(stripe.InvalidRequestError, match="already inactive"):
        meters.deactivate(first)
    second = shop.meter()

    with pytest.raises(stripe.InvalidRequestError, match="Another active meter"):
        meters.reactivate(first)
    meters.deactivate(second)
    assert meters.reactivate(first).status == "active"


@pytest.mark.parametrize("count", [-1, 10_000])
def test_an_interval_has_a_sensible_length(shop: Shop, count: int) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="interval_count"):
        shop.stripe.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "x"},
                "unit_amount": 1,
                "recurring": {"interval": "month", "interval_count": count},
            }
        )


@pytest.mark.parametrize("kind", ["customers", "products", "prices", "subscriptions", "invoices"])
def test_what_does_not_exist_is_missing(shop: Shop, kind: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        getattr(shop.stripe.v1, kind).retrieve("none_such")

    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_a_sandbox_answers_without_any_network() -> None:
    sandbox = StripeSandbox(NOON)
    headers = {"authorization": "Bearer sk_test_x"}

    answer = sandbox.respond(Request("POST", "/v1/customers", headers, b"name=Ada"))

    assert answer.status == 200
    assert answer.body["name"] == "Ada"
