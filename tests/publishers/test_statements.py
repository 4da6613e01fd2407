"""Stripe's books read back: bills, refusals that came later, and subscriptions."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.domain.statement import InvoiceLine, Subscription
from tallystick.domain.window import Window
from tallystick.publishers import HOUR_METER, SUM_METER, USAGE_RECORD
from tests.publishers.scripted import reply, scripted
from tests.publishers.world import NOW, PERIOD, World, place, slot

Opener = Callable[..., World]


def span(of: Any) -> Window:
    item = of["items"]["data"][0]
    return Window(item.current_period_start * SECOND, item.current_period_end * SECOND)


def billed(world: World, customer: str, period: Window = PERIOD, **about: Any):
    return world.publisher.invoice_lines(
        [slot(place(HOUR_METER, customer, period=period, **about))]
    )


def after_the_period(world: World, made: Any, extra: int = 2 * HOUR) -> Window:
    period = span(made)
    world.advance(period.end - world.now + extra)
    return period


# ── Invoices ──────────────────────────────────────────────────────────────────────────────────────


def test_a_bill_shows_its_quantity_period_and_when_it_was_finalized(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.send(place(HOUR_METER, customer), "2.5")
    period = after_the_period(world, made)
    invoice = world.shop.invoices()[0]

    assert billed(world, customer, period) == (
        InvoiceLine(
            destination=customer,
            counter="api_calls",
            period=period,
            quantity=Decimal("2.5"),
            invoice=invoice.id,
            finalized_at=period.end + HOUR,
        ),
    )


def test_a_draft_is_not_finalized(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.send(place(HOUR_METER, customer), "2.5")
    period = after_the_period(world, made, 10 * MINUTE)

    (line,) = billed(world, customer, period)

    assert line.quantity == Decimal("2.5")
    assert line.finalized_at is None


def test_usage_after_the_bill_was_finalized_is_accepted_and_on_no_bill(world: World):
    customer, made = world.customer_on(world.hour_meter())
    period = after_the_period(world, made)

    assert world.send(place(HOUR_METER, customer, at=period.end - 2 * HOUR), "7") == "accepted"
    assert [line.quantity for line in billed(world, customer, period)] == [0]


def test_before_the_period_ends_there_is_no_bill(world: World):
    customer, _ = world.customer_on(world.hour_meter())

    assert billed(world, customer) == ()


def test_only_the_lines_of_the_counters_asked_for_are_given(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.shop.stripe.v1.subscriptions.update(
        made.id, {"items": [{"price": world.shop.price(world.hour_meter("tokens"))}]}
    )
    world.send(place(HOUR_METER, customer, "tokens", at=NOW + HOUR), "3")
    period = after_the_period(world, made)

    lines = world.publisher.invoice_lines(
        [slot(place(HOUR_METER, customer, "tokens", period=period))]
    )

    assert {line.counter for line in lines} == {"tokens"}


def test_only_the_lines_of_the_periods_asked_for_are_given(world: World):
    customer, made = world.customer_on(world.hour_meter())
    first = after_the_period(world, made)
    world.advance(40 * DAY)
    assert len(world.shop.invoices()) == 2

    assert [line.period for line in billed(world, customer, first)] == [first]


def test_a_voided_bill_bills_nothing(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.shop.stripe.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    period = after_the_period(world, made)
    assert world.shop.invoices()[0].status == "void"

    assert billed(world, customer, period) == ()


def test_a_legacy_item_is_billed_under_no_counter(world: World):
    item = world.legacy_item()
    world.send(place(USAGE_RECORD, item, ""), "12")
    found = world.publisher.subscription(item)
    assert found is not None
    world.advance(found.period.end - world.now + HOUR)

    lines = world.publisher.invoice_lines(
        [slot(place(USAGE_RECORD, item, "", period=found.period))]
    )

    assert [(line.destination, line.counter, line.quantity) for line in lines] == [
        (item, "", Decimal(12))
    ]
    assert lines[0].period == found.period
    assert lines[0].finalized_at is not None


def test_what_cannot_be_read_is_left_out(world: World):
    item = world.legacy_item()
    slots = [slot(place(USAGE_RECORD, name, "")) for name in ("si_nobody", item)]

    assert world.publisher.invoice_lines(slots) == ()
    assert world.publisher.invoice_lines([]) == ()


def test_a_price_is_looked_up_once(world: World):
    customer, made = world.customer_on(world.hour_meter())
    period = after_the_period(world, made)
    for _ in range(3):
        billed(world, customer, period)

    assert world.shop.sandbox.outcomes()["GET /v1/prices/:id"] == {"200": 1}


def test_the_lines_beyond_the_first_ten_are_read_and_tiers_are_added_up(publisher_at):
    start, end = PERIOD.start // SECOND, PERIOD.end // SECOND
    line = (
        '{{"id": "il_{n}", "quantity": 1, "quantity_decimal": "1.5", '
        f'"period": {{{{"start": {start}, "end": {end}}}}}, '
        '"pricing": {{"price_details": {{"price": "price_1"}}}}}}'
    )
    shown = ", ".join(line.format(n=n) for n in range(12))
    invoice = (
        '{"data": [{"id": "in_1", "status": "paid", "lines": {"data": [], "has_more": true}, '
        '"status_transitions": {"finalized_at": 5}}], "has_more": false}'
    )
    answers = (
        invoice,
        f'{{"data": [{shown}], "has_more": false}}',
        '{"id": "price_1", "recurring": {"usage_type": "metered", "meter": "mtr_1"}}',
        '{"data": [{"id": "mtr_1", "event_name": "api_calls"}], "has_more": false}',
    )
    with scripted(*map(reply, answers)) as server:
        lines = publisher_at(server.url).invoice_lines([slot(place(HOUR_METER, "cus_1"))])

    assert [(one.quantity, one.finalized_at) for one in lines] == [(Decimal(18), 5 * SECOND)]


# ── Subscriptions ─────────────────────────────────────────────────────────────────────────────────


def test_a_customers_subscription_is_known_by_its_period(world: World):
    customer, made = world.customer_on(world.hour_meter())

    assert world.publisher.subscription(customer) == Subscription(customer, "active", span(made))


def test_an_items_subscription_is_known_by_its_period(world: World):
    item = world.legacy_item()

    found = world.publisher.subscription(item)

    assert found is not None
    assert (found.destination, found.status) == (item, "active")
    assert found.period.start == PERIOD.start


def test_a_pause_shows(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.shop.stripe.v1.subscriptions.update(
        made.id, {"pause_collection": {"behavior": "keep_as_draft"}}
    )

    found = world.publisher.subscription(customer)

    assert found is not None
    assert found.paused


def test_an_ended_subscription_shows_its_end(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.shop.stripe.v1.subscriptions.cancel(made.id)

    found = world.publisher.subscription(customer)

    assert found is not None
    assert found.status == "canceled"


def test_a_live_subscription_comes_before_an_ended_one(world: World):
    meter = world.hour_meter()
    customer, made = world.customer_on(meter)
    world.advance(DAY)
    again = world.shop.subscribe(customer, world.shop.price(meter))
    world.shop.stripe.v1.subscriptions.cancel(made.id)

    found = world.publisher.subscription(customer)

    assert found is not None
    assert (found.status, found.period) == ("active", span(again))


def test_two_subscriptions_with_different_periods_say_nothing(world: World):
    meter = world.hour_meter()
    customer, _ = world.customer_on(meter)
    world.advance(DAY)
    world.shop.subscribe(customer, world.shop.price(meter))

    assert world.publisher.subscription(customer) is None


def test_a_subscription_without_usage_does_not_matter_beside_one_with(world: World):
    customer, made = world.customer_on(world.hour_meter())
    world.advance(DAY)
    flat = world.shop.stripe.v1.prices.create(
        {
            "currency": "usd",
            "product_data": {"name": "Seat"},
            "unit_amount": 100,
            "recurring": {"interval": "month"},
        }
    )
    world.shop.subscribe(customer, flat.id)

    found = world.publisher.subscription(customer)

    assert found is not None
    assert found.period == span(made)


@pytest.mark.parametrize("destination", ["cus_nobody", "si_nobody"])
def test_who_has_no_subscription_has_none(world: World, destination: str):
    assert world.publisher.subscription(destination) is None


def test_a_stripe_that_is_down_says_so(world: World):
    world.shop.fault("outage")

    for ask in (
        lambda: world.publisher.subscription("cus_1"),
        lambda: world.publisher.rejections(0),
        lambda: world.publisher.invoice_lines([slot(place(SUM_METER, "cus_1"))]),
    ):
        with pytest.raises(PublisherUnavailable):
            ask()
