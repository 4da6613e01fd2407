import pytest
import stripe

from tests.sandbox.shop import DAY, HOUR, NOON, Shop


def listed(shop: Shop, meter: str, **params):
    return shop.stripe.v1.billing.meters.event_summaries.list(meter, params)


def test_only_hours_with_usage_appear_newest_first_and_as_floats(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    for hours_ago in (5, 1, 3):
        shop.report(customer, "0.1", at=NOON - hours_ago * HOUR)
        shop.report(customer, "0.2", at=NOON - hours_ago * HOUR + 1)

    rows = listed(
        shop,
        meter,
        customer=customer,
        start_time=NOON - DAY,
        end_time=NOON,
        value_grouping_window="hour",
    ).data

    assert [row.start_time for row in rows] == [NOON - n * HOUR for n in (1, 3, 5)]
    assert [row.end_time - row.start_time for row in rows] == [HOUR] * 3
    assert [row.aggregated_value for row in rows] == [0.3] * 3
    assert all(row.meter == meter and isinstance(row.aggregated_value, float) for row in rows)
    assert not hasattr(rows[0], "customer")


def test_pages_hold_10_by_default_and_100_at_most(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    for number in range(25):
        shop.report(customer, "1", at=NOON - (number + 1) * HOUR)
    span = {
        "customer": customer,
        "start_time": NOON - 2 * DAY,
        "end_time": NOON,
        "value_grouping_window": "hour",
    }

    first = listed(shop, meter, **span)
    second = listed(shop, meter, **span, starting_after=first.data[-1].id, limit=15)

    assert (len(first.data), first.has_more) == (10, True)
    assert (len(second.data), second.has_more) == (15, False)
    assert len(list(first.auto_paging_iter())) == 25
    with pytest.raises(stripe.InvalidRequestError):
        listed(shop, meter, **span, limit=101)
    with pytest.raises(stripe.InvalidRequestError):
        listed(shop, meter, **span, starting_after="mtrusg_unknown")


def test_days_group_at_utc_midnight(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    midnight = NOON // DAY * DAY
    shop.report(customer, "1", at=midnight - 1)
    shop.report(customer, "2", at=midnight)

    rows = listed(
        shop,
        meter,
        customer=customer,
        start_time=midnight - DAY,
        end_time=midnight + DAY,
        value_grouping_window="day",
    ).data

    assert {row.start_time: row.aggregated_value for row in rows} == {
        midnight: 2.0,
        midnight - DAY: 1.0,
    }


def test_without_a_window_there_is_one_total_with_an_exclusive_end(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    for at, value in ((NOON - 60, "1"), (NOON - 1, "2"), (NOON, "4")):
        shop.report(customer, value, at=at)

    (row,) = listed(shop, meter, customer=customer, start_time=NOON - 60, end_time=NOON).data

    assert row.aggregated_value == 3.0


def test_the_end_can_be_inclusive_as_the_other_sentence_of_the_document_says(open_shop) -> None:
    shop = open_shop(summary_end="inclusive")
    customer, meter = shop.customer(), shop.meter()
    shop.report(customer, "4", at=NOON)

    (row,) = listed(shop, meter, customer=customer, start_time=NOON - 60, end_time=NOON).data

    assert row.aggregated_value == 4.0


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        (None, NOON + 1, NOON + 60),
        ("hour", NOON + 60, NOON + HOUR),
        ("day", NOON, NOON + DAY),
        (None, NOON, NOON),
    ],
)
def test_unaligned_spans_are_refused(shop: Shop, window, start: int, end: int) -> None:
    customer, meter = shop.customer(), shop.meter()
    params = {} if window is None else {"value_grouping_window": window}

    with pytest.raises(stripe.InvalidRequestError):
        listed(shop, meter, customer=customer, start_time=start, end_time=end, **params)


def test_summaries_lag_behind_what_was_received(open_shop) -> None:
    shop = open_shop(summary_lag_seconds=600)
    customer, meter = shop.customer(), shop.meter(event_time_window="hour")
    shop.report(customer, "1", at=NOON - HOUR)
    shop.sandbox.advance(599)

    early = shop.hours(meter, customer, NOON - HOUR, NOON)
    shop.sandbox.advance(1)
    shop.report(customer, "2", at=NOON - HOUR)
    later = shop.hours(meter, customer, NOON - HOUR, NOON)
    shop.sandbox.advance(600)
    latest = shop.hours(meter, customer, NOON - HOUR, NOON)

    assert (early, later, latest) == ({}, {NOON - HOUR: 1.0}, {NOON - HOUR: 2.0})


def test_a_lag_can_be_ordered_for_a_time_span_and_a_customer(shop: Shop) -> None:
    customer, other, meter = shop.customer(), shop.customer(), shop.meter()
    for who in (customer, other):
        shop.report(who, at=NOON - HOUR)
    shop.fault("summaries_lag", customer=customer, end=NOON + 60, lag_seconds=HOUR)

    during = [shop.hours(meter, who, NOON - HOUR, NOON) for who in (customer, other)]
    shop.sandbox.advance(60)
    after = shop.hours(meter, customer, NOON - HOUR, NOON)

    assert during == [{}, {NOON - HOUR: 1.0}]
    assert after == {NOON - HOUR: 1.0}


def test_an_ordered_lag_never_shortens_the_standing_one(open_shop) -> None:
    shop = open_shop(summary_lag_seconds=600)
    customer, meter = shop.customer(), shop.meter()
    shop.fault("summaries_lag", lag_seconds=60)
    shop.report(customer, at=NOON - HOUR)
    shop.sandbox.advance(60)

    assert shop.hours(meter, customer, NOON - HOUR, NOON) == {}


def test_a_meter_or_customer_that_does_not_exist_is_said_so(shop: Shop) -> None:
    meter = shop.meter()
    span = {"start_time": NOON, "end_time": NOON + 60}

    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        listed(shop, meter, customer="cus_nobody", **span)
    with pytest.raises(stripe.InvalidRequestError, match="No such billing meter"):
        listed(shop, "mtr_none", customer="cus_nobody", **span)
