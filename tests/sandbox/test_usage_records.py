import pytest
import stripe

from tests.sandbox.shop import DAY, HOUR, NOON, OLD_VERSION, Shop

START = NOON - 10 * DAY
END = START + 30 * DAY


def billed(shop: Shop) -> list[int | None]:
    newest_first = shop.stripe.v1.invoices.list({}, {"stripe_version": OLD_VERSION}).data
    return [invoice.lines.data[0].quantity for invoice in newest_first]


def test_increments_add_and_set_overwrites_at_its_second(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)

    shop.record(item, 5, timestamp=NOON - 10)
    shop.record(item, 2, timestamp=NOON - 10, action="increment")
    shop.record(item, 3, timestamp=NOON - 5, action="set")
    answer = shop.record(item, 4, timestamp=NOON - 5, action="set")

    assert answer.data["object"] == "usage_record"
    assert answer.data["quantity"] == 4
    assert shop.sandbox.record_total(item, START, END) == 11
    shop.sandbox.set_time(END + HOUR)
    assert billed(shop) == [11]


@pytest.mark.parametrize(
    ("aggregate", "total"), [("sum", 10), ("max", 7), ("last_during_period", 1)]
)
def test_the_price_says_how_records_aggregate(shop: Shop, aggregate: str, total: int) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START, aggregate_usage=aggregate)

    for offset, quantity in ((-30, 2), (-20, 7), (-10, 1)):
        shop.record(item, quantity, timestamp=NOON + offset)
    shop.sandbox.set_time(END + HOUR)

    assert billed(shop) == [total]


def test_the_last_value_ever_is_billed_in_periods_without_any(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START, aggregate_usage="last_ever")
    shop.record(item, 8, timestamp=NOON)

    shop.sandbox.set_time(END + 40 * DAY)

    assert billed(shop) == [8, 8]


@pytest.mark.parametrize("version", ["2025-03-31.basil", "2026-10-28.endive"])
def test_since_basil_the_path_is_unknown(shop: Shop, version: str) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)

    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        shop.record(item, 1, stripe_version=version)

    assert refused.value.http_status == 404


def test_since_basil_a_metered_price_needs_a_meter(shop: Shop) -> None:
    price = shop.legacy_price()

    with pytest.raises(stripe.InvalidRequestError, match="meter"):
        shop.stripe.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "x"},
                "unit_amount": 1,
                "recurring": {"interval": "month", "usage_type": "metered"},
            }
        )
    with pytest.raises(stripe.InvalidRequestError, match="without a meter"):
        shop.subscribe(shop.customer(), price)


@pytest.mark.parametrize("quantity", ["1.5", "-1", "many"])
def test_quantities_are_whole_and_not_negative(shop: Shop, quantity: str) -> None:
    item = shop.legacy_item()

    with pytest.raises(stripe.InvalidRequestError, match="Invalid"):
        shop.record(item, quantity)


def test_a_record_must_lie_in_the_current_period_and_not_in_the_future(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)

    shop.record(item, 1, timestamp=START)
    with pytest.raises(stripe.InvalidRequestError, match="last invoice period"):
        shop.record(item, 1, timestamp=START - 1)
    with pytest.raises(stripe.InvalidRequestError, match="future"):
        shop.record(item, 1, timestamp=NOON + 1)

    assert shop.sandbox.record_total(item, 0, END) == 1


def test_billing_thresholds_forbid_set(shop: Shop) -> None:
    item = shop.legacy_item(billing_thresholds={"amount_gte": 1_000})

    with pytest.raises(stripe.InvalidRequestError, match="threshold"):
        shop.record(item, 1, action="set")
    shop.record(item, 1, action="increment")

    assert shop.sandbox.record_total(item, 0, NOON + DAY) == 1


def test_a_drifting_clock_is_forgiven_for_minutes_and_only_for_sums(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)
    other = shop.legacy_item(billing_cycle_anchor=START, aggregate_usage="max")
    shop.sandbox.set_time(END + 299)

    shop.record(item, 1, timestamp=END - 300)
    with pytest.raises(stripe.InvalidRequestError, match="last invoice period"):
        shop.record(item, 1, timestamp=END - 301)
    with pytest.raises(stripe.InvalidRequestError, match="last invoice period"):
        shop.record(other, 1, timestamp=END - 1)
    shop.sandbox.set_time(END + 300)
    with pytest.raises(stripe.InvalidRequestError, match="last invoice period"):
        shop.record(item, 1, timestamp=END - 1)

    assert shop.sandbox.record_total(item, START, END) == 1


def test_drifting_usage_goes_to_the_open_period_once_the_invoice_is_final(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)
    shop.sandbox.set_time(END + 10)
    shop.stripe.v1.invoices.finalize_invoice(shop.invoices()[0].id)

    shop.record(item, 6, timestamp=END - 1)
    shop.sandbox.set_time(END + 40 * DAY)

    assert billed(shop) == [6, 0]


def test_a_legacy_invoice_has_no_hour_of_grace(shop: Shop) -> None:
    shop.legacy_item(billing_cycle_anchor=START, aggregate_usage="max")
    shop.sandbox.set_time(END)

    assert shop.invoices()[0].status == "paid"


def test_a_price_with_a_meter_takes_no_usage_records(shop: Shop) -> None:
    made = shop.subscribe(shop.customer(), shop.price(shop.meter()))

    with pytest.raises(stripe.InvalidRequestError, match="without a meter"):
        shop.record(made["items"]["data"][0].id, 1)


def test_the_idempotency_key_holds_for_records_too(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)

    shop.record(item, 5, timestamp=NOON, idempotency_key="ur1")
    again = shop.record(item, 5, timestamp=NOON, idempotency_key="ur1")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert shop.sandbox.record_total(item, START, END) == 5


def test_summaries_give_one_total_per_period_the_open_one_first(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)
    shop.record(item, 5, timestamp=NOON)
    shop.sandbox.set_time(END + HOUR)
    shop.record(item, 2)

    rows = shop.stripe.raw_request(
        "get",
        f"/v1/subscription_items/{item}/usage_record_summaries",
        stripe_version=OLD_VERSION,
    ).data["data"]

    assert [row["total_usage"] for row in rows] == [2, 5]
    assert rows[0]["invoice"] is None
    assert rows[1]["invoice"] == shop.invoices()[0].id
    assert rows[1]["period"] == {"start": START, "end": END}


def test_now_is_the_default_timestamp_and_may_be_written_out(shop: Shop) -> None:
    item = shop.legacy_item(billing_cycle_anchor=START)

    shop.record(item, 1)
    shop.record(item, 1, timestamp="now")

    records = shop.sandbox.books()["usage_records"]
    assert [record["timestamp"] for record in records] == [NOON, NOON]
