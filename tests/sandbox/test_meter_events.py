import pytest
import stripe

from tests.sandbox.shop import DAY, HOUR, NOON, Shop, header


def test_an_event_counts_once_and_comes_back_as_stripe_writes_it(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    event = shop.report(customer, "2.5", at=NOON - 60, identifier="e1")

    assert (event.object, event.identifier, event.timestamp) == (
        "billing.meter_event",
        "e1",
        NOON - 60,
    )
    assert event.payload["value"] == "2.5"
    assert shop.total(meter, customer) == "2.5"


def test_an_event_without_identifier_and_timestamp_gets_both(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    event = shop.report(customer, "1")

    assert event.identifier
    assert event.timestamp == NOON
    assert shop.total(meter, customer) == "1"


def test_a_repeated_identifier_is_refused_within_a_day(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, identifier="e1")
    shop.sandbox.advance(DAY - 1)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.report(customer, identifier="e1")

    assert refused.value.user_message == "An event already exists with identifier e1."
    assert refused.value.http_status == 400
    assert refused.value.code is None
    assert header(refused.value, "Stripe-Should-Retry") == "false"
    assert shop.total(meter, customer) == "1"


def test_after_a_day_the_identifier_is_forgotten_and_the_event_counts_twice(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, identifier="e1")
    shop.sandbox.advance(DAY)

    shop.report(customer, identifier="e1")

    assert shop.total(meter, customer) == "2"


def test_a_refused_repetition_does_not_extend_the_memory(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, identifier="e1")
    shop.sandbox.advance(DAY - 1)
    with pytest.raises(stripe.InvalidRequestError):
        shop.report(customer, identifier="e1")
    shop.sandbox.advance(1)

    shop.report(customer, identifier="e1")

    assert shop.total(meter, customer) == "2"


def test_identifiers_are_shared_by_all_meters_unless_set_otherwise(open_shop) -> None:
    strict, lenient = open_shop(), open_shop(identifier_scope="event_name")
    for shop in (strict, lenient):
        customer = shop.customer()
        shop.meter("a"), shop.meter("b")
        shop.report(customer, event_name="a", identifier="same")

        if shop is strict:
            with pytest.raises(stripe.InvalidRequestError, match="already exists"):
                shop.report(customer, event_name="b", identifier="same")
        else:
            shop.report(customer, event_name="b", identifier="same")


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (-35 * DAY, None),
        (-35 * DAY - 1, "timestamp_too_far_in_past"),
        (300, None),
        (301, "timestamp_in_future"),
    ],
)
def test_timestamps_reach_35_days_back_and_5_minutes_ahead(shop: Shop, offset, code) -> None:
    customer = shop.customer()
    shop.meter()

    if code is None:
        assert shop.report(customer, at=NOON + offset).timestamp == NOON + offset
    else:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            shop.report(customer, at=NOON + offset)
        assert refused.value.code == code


@pytest.mark.parametrize("inactive", [False, True])
def test_an_unknown_or_inactive_meter_is_refused_at_once(shop: Shop, *, inactive: bool) -> None:
    customer = shop.customer()
    if inactive:
        shop.stripe.v1.billing.meters.deactivate(shop.meter())

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.report(customer)

    assert refused.value.user_message == "No active meter found with this event name"
    assert refused.value.http_status == 400


def test_a_reactivated_meter_counts_again(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.stripe.v1.billing.meters.deactivate(meter)

    assert shop.stripe.v1.billing.meters.reactivate(meter).status == "active"
    shop.report(customer)

    assert shop.total(meter, customer) == "1"


@pytest.mark.parametrize("value", ["1234567890123456", "0.1234567890123456", "1.000000000000000"])
def test_a_value_of_more_than_15_digits_is_refused(shop: Shop, value: str) -> None:
    customer = shop.customer()
    shop.meter()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.report(customer, value)

    assert refused.value.code == "meter_event_value_too_many_digits"


def test_15_digits_anywhere_are_kept_exactly(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    for value in ("999999999999999", "0.000000000000999999999999999", "-0.5"):
        shop.report(customer, value)

    assert shop.total(meter, customer) == "999999999999998.500000000000999999999999999"


def test_a_long_sum_of_tenths_has_no_rounding_in_it(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    for _ in range(30):
        shop.report(customer, "0.1")

    assert shop.total(meter, customer) == "3.0"


def test_overlong_names_are_refused(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()

    with pytest.raises(stripe.InvalidRequestError, match="at most 100"):
        shop.report(customer, identifier="x" * 101)
    with pytest.raises(stripe.InvalidRequestError, match="at most 100"):
        shop.report(customer, event_name="x" * 101)


def test_the_formula_decides_what_a_total_is(shop: Shop) -> None:
    customer = shop.customer()
    meters = {name: shop.meter(name, formula=name) for name in ("sum", "count", "last")}
    for name in meters:
        shop.report(customer, "5", at=NOON - 10, event_name=name)
        shop.report(customer, "3", at=NOON - 20, event_name=name)

    totals = {name: shop.total(meter, customer) for name, meter in meters.items()}

    assert totals == {"sum": "8", "count": "2", "last": "5"}


def test_own_payload_keys_are_honoured(shop: Shop) -> None:
    customer = shop.customer()
    meter = shop.meter(
        customer_mapping={"type": "by_id", "event_payload_key": "who"},
        value_settings={"event_payload_key": "tokens"},
    )

    shop.stripe.v1.billing.meter_events.create(
        {"event_name": "api_calls", "payload": {"who": customer, "tokens": "7", "model": "m"}}
    )

    assert shop.total(meter, customer) == "7"


def test_in_an_hour_window_the_event_received_last_wins_whatever_its_time(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter(event_time_window="hour")
    start = NOON - HOUR

    shop.report(customer, "10", at=start + 3_599)
    shop.report(customer, "4", at=start)
    shop.report(customer, "1", at=start - 1)

    assert shop.hours(meter, customer, start - HOUR, NOON) == {start: 4.0, start - HOUR: 1.0}


def test_in_a_day_window_the_event_received_last_wins_the_utc_day(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter(event_time_window="day")
    midnight = NOON // DAY * DAY

    shop.report(customer, "10", at=midnight + 5 * HOUR)
    shop.report(customer, "4", at=midnight)
    shop.report(customer, "1", at=midnight - 1)

    assert shop.total(meter, customer) == "5"


def test_a_misspelt_parameter_is_refused(shop: Shop) -> None:
    customer = shop.customer()
    shop.meter()

    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.stripe.v1.billing.meter_events.create(
            {
                "event_name": "api_calls",
                "payload": {"stripe_customer_id": customer, "value": "1"},
                "idempotency_key": "meant as an option",
            }
        )

    assert refused.value.code == "parameter_unknown"


def test_a_payload_that_is_no_hash_is_refused(shop: Shop) -> None:
    shop.meter()

    for payload in ("text", {"value": {"deep": "1"}}, {}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.stripe.v1.billing.meter_events.create(
                {"event_name": "api_calls", "payload": payload}
            )


def test_a_cancelled_event_no_longer_counts(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, "5", identifier="e1")

    answer = shop.stripe.v1.billing.meter_event_adjustments.create(
        {"event_name": "api_calls", "type": "cancel", "cancel": {"identifier": "e1"}}
    )

    assert answer.status == "pending"
    assert shop.total(meter, customer) == "0"


def test_a_cancel_needs_the_event_name_it_was_sent_to_and_keeps_its_first_time(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, "5", identifier="e1")

    def cancel(event_name: str, identifier: str) -> None:
        shop.stripe.v1.billing.meter_event_adjustments.create(
            {"event_name": event_name, "type": "cancel", "cancel": {"identifier": identifier}}
        )

    for event_name, identifier in (("other", "e1"), ("api_calls", "e2")):
        with pytest.raises(stripe.InvalidRequestError, match="No event found"):
            cancel(event_name, identifier)
    assert shop.total(meter, customer) == "5"
    cancel("api_calls", "e1")
    shop.sandbox.advance(60)
    cancel("api_calls", "e1")
    assert shop.sandbox.received_events()[0].cancelled_at == NOON


def test_a_long_text_is_no_number_of_too_many_digits(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    shop.report(customer, "a value that is far too long to be a number")

    assert shop.sandbox.events()[0]["fate"] == "rejected:meter_event_invalid_value"
    assert shop.total(meter, customer) == "0"


def test_a_cancel_comes_too_late_after_a_day(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, "5", identifier="e1")
    shop.sandbox.advance(DAY)

    with pytest.raises(stripe.InvalidRequestError, match="24 hours"):
        shop.stripe.v1.billing.meter_event_adjustments.create(
            {"event_name": "api_calls", "type": "cancel", "cancel": {"identifier": "e1"}}
        )

    assert shop.total(meter, customer) == "5"


def test_version_two_of_the_api_takes_the_same_event_as_json(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()

    event = shop.stripe.v2.billing.meter_events.create(
        {
            "event_name": "api_calls",
            "payload": {"stripe_customer_id": customer, "value": "2"},
            "identifier": "e1",
            "timestamp": "2026-09-21T11:59:00Z",
        }
    )

    assert event.identifier == "e1"
    assert shop.sandbox.events()[0]["timestamp"] == NOON - 60
    assert shop.total(meter, customer) == "2"
