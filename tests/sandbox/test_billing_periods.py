import pytest
import stripe

from tests.sandbox.shop import DAY, HOUR, NOON, OLD_VERSION, Shop, quantities

MONTH_START = NOON - 10 * DAY + 1_234  # an arbitrary second
MONTH_END = MONTH_START + 30 * DAY  # September has 30 days


def subscribed(shop: Shop, anchor: int = MONTH_START, **meter_params):
    customer, meter = shop.customer(), shop.meter(**meter_params)
    subscription = shop.subscribe(customer, shop.price(meter), billing_cycle_anchor=anchor)
    return customer, meter, subscription


def test_a_period_can_begin_in_the_past_at_any_second(shop: Shop) -> None:
    _, _, subscription = subscribed(shop)

    item = subscription["items"]["data"][0]

    assert (item.current_period_start, item.current_period_end) == (MONTH_START, MONTH_END)
    assert not hasattr(subscription, "current_period_start")


def test_older_api_versions_have_the_period_on_the_subscription(shop: Shop) -> None:
    _, _, subscription = subscribed(shop)

    old = shop.stripe.v1.subscriptions.retrieve(
        subscription.id, options={"stripe_version": OLD_VERSION}
    )

    assert (old.current_period_start, old.current_period_end) == (MONTH_START, MONTH_END)
    assert not hasattr(old["items"]["data"][0], "current_period_start")


def test_the_invoice_is_made_at_the_periods_end_and_fixed_an_hour_later(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "3", at=NOON)
    shop.sandbox.set_time(MONTH_END - 1)
    none_yet = shop.invoices(customer=customer)

    shop.sandbox.set_time(MONTH_END)
    (draft,) = shop.invoices(subscription=subscription.id)
    shop.sandbox.set_time(MONTH_END + HOUR - 1)
    still_draft = shop.invoices()[0].status
    shop.sandbox.set_time(MONTH_END + HOUR)
    (final,) = shop.invoices(customer=customer)

    assert none_yet == []
    assert (draft.status, draft.period_start, draft.period_end) == (
        "draft",
        MONTH_START,
        MONTH_END,
    )
    assert still_draft == "draft"
    assert (final.status, final.total) == ("paid", 6)
    assert final.status_transitions.finalized_at == MONTH_END + HOUR
    assert quantities(final) == ["3"]


def test_a_line_names_its_item_price_and_period(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "2.5", at=NOON)
    shop.sandbox.set_time(MONTH_END + HOUR)
    invoice = shop.invoices()[0]

    (line,) = shop.stripe.v1.invoices.line_items.list(invoice.id).data

    item = subscription["items"]["data"][0]
    details = line.parent.subscription_item_details
    assert (details.subscription, details.subscription_item) == (subscription.id, item.id)
    assert line.pricing.price_details.price == item.price.id
    assert (line.period.start, line.period.end) == (MONTH_START, MONTH_END)
    assert (line.quantity, str(line.quantity_decimal)) == (None, "2.5")
    assert invoice.parent.subscription_details.subscription == subscription.id


def test_older_api_versions_have_price_and_item_on_the_line(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "2", at=NOON)
    shop.sandbox.set_time(MONTH_END)

    invoice = shop.stripe.v1.invoices.list({}, {"stripe_version": OLD_VERSION}).data[0]

    line = invoice.lines.data[0]
    assert line.subscription_item == subscription["items"]["data"][0].id
    assert line.price.recurring.usage_type == "metered"
    assert line.quantity == 2
    assert invoice.subscription == subscription.id


def test_usage_reported_within_the_grace_is_billed_and_later_usage_nowhere(shop: Shop) -> None:
    customer, meter, _ = subscribed(shop)
    shop.report(customer, "1", at=NOON)
    shop.sandbox.set_time(MONTH_END + HOUR - 1)
    shop.report(customer, "10", at=MONTH_END - 60)
    shop.sandbox.set_time(MONTH_END + HOUR)

    shop.report(customer, "100", at=MONTH_END - 60)
    shop.report(customer, "1000", at=MONTH_END)
    shop.sandbox.set_time(MONTH_END + 32 * DAY)

    second, first = shop.invoices()
    assert (quantities(first), quantities(second)) == (["11"], ["1000"])
    assert shop.total(meter, customer) == "1111"
    fates = [event["billed_on"] for event in shop.sandbox.events()]
    assert fates == [first.id, first.id, "nowhere:invoice_finalized", second.id]


def test_usage_after_finalisation_still_shows_in_summaries(shop: Shop) -> None:
    customer, meter, _ = subscribed(shop)
    shop.sandbox.set_time(MONTH_END + 2 * HOUR)

    shop.report(customer, "7", at=MONTH_END - 1)

    hour = (MONTH_END - 1) // HOUR * HOUR
    assert shop.hours(meter, customer, hour, hour + HOUR) == {hour: 7.0}


def test_an_hour_that_straddles_the_periods_edge_is_cut_at_the_second(shop: Shop) -> None:
    customer, _, _ = subscribed(shop)
    shop.sandbox.set_time(MONTH_END)

    shop.report(customer, "1", at=MONTH_END - 1)
    shop.report(customer, "10", at=MONTH_END)
    shop.sandbox.set_time(MONTH_END + 32 * DAY)

    assert [quantities(invoice) for invoice in shop.invoices()] == [["10"], ["1"]]


def test_an_hour_window_that_straddles_the_edge_goes_wholly_with_its_last_event(
    shop: Shop,
) -> None:
    customer, _, _ = subscribed(shop, event_time_window="hour")
    shop.sandbox.set_time(MONTH_END)

    shop.report(customer, "1", at=MONTH_END - 1)
    shop.report(customer, "10", at=MONTH_END)
    shop.sandbox.set_time(MONTH_END + 32 * DAY)

    assert [quantities(invoice) for invoice in shop.invoices()] == [["10"], ["0"]]


def test_a_negative_period_is_billed_as_zero(shop: Shop) -> None:
    customer, meter, _ = subscribed(shop)
    shop.report(customer, "-5", at=NOON)
    shop.sandbox.set_time(MONTH_END + HOUR)

    (invoice,) = shop.invoices()

    assert (quantities(invoice), invoice.total) == (["0"], 0)
    assert shop.total(meter, customer) == "-5"


def test_a_cancelled_event_changes_a_draft_and_never_a_final_invoice(shop: Shop) -> None:
    customer, _, _ = subscribed(shop)
    shop.sandbox.set_time(MONTH_END)
    for identifier in ("draft", "final"):
        shop.report(customer, "1", at=MONTH_END - 1, identifier=identifier)

    def cancel(identifier: str) -> None:
        shop.stripe.v1.billing.meter_event_adjustments.create(
            {"event_name": "api_calls", "type": "cancel", "cancel": {"identifier": identifier}}
        )

    cancel("draft")
    shop.sandbox.advance(HOUR)
    cancel("final")

    assert quantities(shop.invoices()[0]) == ["1"]


def test_an_immediate_cancel_discards_usage_that_is_not_invoiced(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "3", at=NOON)

    canceled = shop.stripe.v1.subscriptions.cancel(subscription.id)
    shop.sandbox.set_time(MONTH_END + 2 * HOUR)

    assert canceled.status == "canceled"
    assert shop.invoices() == []
    assert shop.sandbox.events()[0]["billed_on"] == "nowhere:no_subscription"


def test_an_immediate_cancel_can_invoice_what_there_is(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "3", at=NOON)

    shop.stripe.v1.subscriptions.cancel(subscription.id, {"invoice_now": True})

    (invoice,) = shop.invoices()
    assert (invoice.status, invoice.period_end) == ("paid", NOON + 1)
    assert quantities(invoice) == ["3"]


def test_a_cancel_at_the_periods_end_still_bills_the_period(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.stripe.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    shop.report(customer, "3", at=NOON)
    shop.sandbox.set_time(MONTH_END + 40 * DAY)

    assert [quantities(invoice) for invoice in shop.invoices()] == [["3"]]
    assert shop.stripe.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert shop.stripe.v1.subscriptions.list({"customer": customer}).data == []


def test_usage_before_a_price_change_is_billed_nowhere(shop: Shop) -> None:
    customer, meter, subscription = subscribed(shop)
    shop.report(customer, "100", at=NOON - 1)
    item = subscription["items"]["data"][0].id

    shop.stripe.v1.subscriptions.update(
        subscription.id, {"items": [{"id": item, "price": shop.price(meter, "5")}]}
    )
    shop.report(customer, "1", at=NOON)
    shop.sandbox.set_time(MONTH_END + HOUR)

    (invoice,) = shop.invoices()
    assert (quantities(invoice), invoice.total) == (["1"], 5)
    assert invoice.lines.data[0].period.start == NOON


def test_a_removed_items_usage_is_billed_nowhere(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    shop.report(customer, "100", at=NOON)
    item = subscription["items"]["data"][0].id

    shop.stripe.v1.subscriptions.update(subscription.id, {"items": [{"id": item, "deleted": True}]})
    shop.sandbox.set_time(MONTH_END + HOUR)

    assert shop.invoices()[0].lines.data == []


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")],
)
def test_a_paused_subscription_ends_its_invoices_as_the_pause_says(
    shop: Shop, behavior: str, status: str
) -> None:
    customer, _, subscription = subscribed(shop)
    paused = shop.stripe.v1.subscriptions.update(
        subscription.id, {"pause_collection": {"behavior": behavior}}
    )
    shop.report(customer, "1", at=NOON)
    shop.sandbox.set_time(MONTH_END + 2 * HOUR)

    assert paused.pause_collection.behavior == behavior
    assert shop.invoices()[0].status == status


def test_a_kept_draft_is_fixed_when_the_pause_ends(shop: Shop) -> None:
    _, _, subscription = subscribed(shop)
    pause = {"pause_collection": {"behavior": "keep_as_draft"}}
    shop.stripe.v1.subscriptions.update(subscription.id, pause)
    shop.sandbox.set_time(MONTH_END + 2 * HOUR)

    shop.stripe.v1.subscriptions.update(subscription.id, {"pause_collection": ""})

    assert shop.invoices()[0].status == "paid"


def test_a_pause_that_ends_within_the_grace_leaves_the_draft_open(shop: Shop) -> None:
    customer, _, subscription = subscribed(shop)
    pause = {"pause_collection": {"behavior": "keep_as_draft"}}
    shop.stripe.v1.subscriptions.update(subscription.id, pause)
    shop.sandbox.set_time(MONTH_END + 60)

    shop.stripe.v1.subscriptions.update(subscription.id, {"pause_collection": ""})
    shop.report(customer, "4", at=MONTH_END - 1)
    still = shop.invoices()[0].status
    shop.sandbox.set_time(MONTH_END + HOUR)

    assert still == "draft"
    assert quantities(shop.invoices()[0]) == ["4"]


def test_a_pause_ends_by_itself_at_the_time_given(shop: Shop) -> None:
    _, _, subscription = subscribed(shop)
    pause = {"behavior": "keep_as_draft", "resumes_at": MONTH_END + DAY}
    shop.stripe.v1.subscriptions.update(subscription.id, {"pause_collection": pause})
    shop.sandbox.set_time(MONTH_END + DAY - 1)
    before = shop.invoices()[0].status

    shop.sandbox.advance(1)

    assert (before, shop.invoices()[0].status) == ("draft", "paid")
    assert shop.stripe.v1.subscriptions.retrieve(subscription.id).pause_collection is None


def test_many_periods_pass_in_one_step_of_the_clock(shop: Shop) -> None:
    subscribed(shop, anchor=NOON - DAY)

    shop.sandbox.advance(400 * DAY)

    spans = [(invoice.period_start, invoice.period_end) for invoice in shop.invoices(limit=100)]
    assert len(spans) == 13
    assert all(end == start for (_, end), (start, _) in zip(spans[1:], spans, strict=False))


def test_usage_of_two_customers_never_mixes(shop: Shop) -> None:
    meter = shop.meter()
    price = shop.price(meter)
    customers = [shop.customer(), shop.customer()]
    for number, customer in enumerate(customers):
        shop.subscribe(customer, price, billing_cycle_anchor=MONTH_START)
        shop.report(customer, str(number + 1), at=NOON)
    shop.sandbox.set_time(MONTH_END + HOUR)

    billed = {invoice.customer: quantities(invoice) for invoice in shop.invoices()}

    assert billed == {customers[0]: ["1"], customers[1]: ["2"]}


def test_an_invoice_by_send_invoice_stays_open(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.subscribe(
        customer,
        shop.price(meter),
        billing_cycle_anchor=MONTH_START,
        collection_method="send_invoice",
        days_until_due=7,
    )
    shop.sandbox.set_time(MONTH_END + HOUR)

    assert shop.invoices(status="open")[0].customer == customer


@pytest.mark.parametrize("anchor", [-1, 10**15])
def test_an_anchor_outside_of_all_reason_is_refused(shop: Shop, anchor: int) -> None:
    price = shop.price(shop.meter())

    with pytest.raises(stripe.InvalidRequestError, match="Invalid timestamp"):
        shop.subscribe(shop.customer(), price, billing_cycle_anchor=anchor)


def test_an_anchor_in_the_future_makes_a_short_first_period(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    made = shop.subscribe(customer, shop.price(meter), billing_cycle_anchor=NOON + DAY)
    shop.report(customer, "2", at=NOON)
    shop.sandbox.advance(2 * DAY)

    item = made["items"]["data"][0]
    assert (item.current_period_start, item.current_period_end) == (NOON, NOON + DAY)
    assert [quantities(invoice) for invoice in shop.invoices()] == [["2"]]


def test_an_unknown_customer_or_price_cannot_subscribe(shop: Shop) -> None:
    price = shop.price(shop.meter())

    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        shop.subscribe("cus_nobody", price)
    with pytest.raises(stripe.InvalidRequestError, match="No such price"):
        shop.subscribe(shop.customer(), "price_none")
