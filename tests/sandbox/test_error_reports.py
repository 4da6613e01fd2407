import pytest
import stripe

from tests.sandbox.shop import NOON, Shop

REPORT = "v1.billing.meter.error_report_triggered"


def reports(shop: Shop) -> list[stripe.v2.core.Event]:
    return shop.stripe.v2.core.events.list({"types": [REPORT]}).data


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"stripe_customer_id": "cus_nobody", "value": "1"}, "meter_event_customer_not_found"),
        ({"stripe_customer_id": "known", "value": "many"}, "meter_event_invalid_value"),
        ({"stripe_customer_id": "known", "value": "1E-8"}, "meter_event_invalid_value"),
        ({"stripe_customer_id": "known", "value": "NaN"}, "meter_event_invalid_value"),
        ({"stripe_customer_id": "known", "weight": "1"}, "meter_event_value_not_found"),
        ({"value": "1"}, "meter_event_no_customer_defined"),
    ],
)
def test_a_wrong_event_is_accepted_not_counted_and_reported(shop: Shop, payload, code) -> None:
    customer, meter = shop.customer(id="known"), shop.meter()

    accepted = shop.stripe.v1.billing.meter_events.create(
        {"event_name": "api_calls", "payload": payload, "identifier": "e1"}
    )

    (event,) = reports(shop)
    (found,) = event.data.reason.error_types
    assert accepted.identifier == "e1"
    assert found.code == code
    assert found.error_count == 1
    assert found.sample_errors[0].request.identifier == "e1"
    assert event.related_object.id == meter
    assert shop.total(meter, customer) == "0"


def test_a_report_can_be_fetched_again_with_its_data(shop: Shop) -> None:
    shop.meter()
    shop.report("cus_nobody", identifier="e1")

    fetched = shop.stripe.v2.core.events.retrieve(reports(shop)[0].id)

    assert fetched.type == REPORT
    assert fetched.created == "2026-09-21T12:00:00.000Z"
    assert fetched.data.reason.error_count == 1


def test_the_identifier_of_a_wrong_event_stays_taken(shop: Shop) -> None:
    shop.meter()
    shop.report("cus_nobody", identifier="e1")

    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        shop.report(shop.customer(), identifier="e1")


def test_errors_of_a_validation_window_share_a_report_with_samples_only(open_shop) -> None:
    shop = open_shop(report_window_seconds=10, report_samples_max=2)
    shop.meter()
    for number in range(5):
        shop.report("cus_nobody", identifier=f"e{number}")

    before = reports(shop)
    shop.sandbox.advance(10)
    (after,) = reports(shop)

    assert before == []
    assert after.data.reason.error_count == 5
    samples = after.data.reason.error_types[0].sample_errors
    assert [sample.request.identifier for sample in samples] == ["e0", "e1"]
    assert after.data.validation_end == "2026-09-21T12:00:10.000Z"


def test_a_meter_that_nobody_made_is_reported_if_so_set(open_shop) -> None:
    shop = open_shop(unknown_meter="report")

    shop.report("cus_nobody", event_name="unheard_of", identifier="e1")

    (event,) = shop.stripe.v2.core.events.list().data
    assert event.type == "v1.billing.meter.no_meter_found"
    assert event.data.reason.error_types[0].code == "no_meter"


def test_a_chosen_event_can_be_rejected_later_on(shop: Shop) -> None:
    customer, meter = shop.customer(), shop.meter()
    shop.fault("reject", identifier="bad", code="meter_event_dimension_count_too_high")

    shop.report(customer, "1", identifier="good")
    shop.report(customer, "10", identifier="bad")

    found = reports(shop)[0].data.reason.error_types[0]
    assert found.code == "meter_event_dimension_count_too_high"
    assert shop.total(meter, customer) == "1"


def test_events_are_listed_newest_first_in_pages_and_filtered(shop: Shop) -> None:
    shop.meter()
    for number in range(5):
        shop.report("cus_nobody", identifier=f"e{number}")
        shop.sandbox.advance(60)

    first = shop.stripe.v2.core.events.list({"types": [REPORT], "limit": 2})
    everything = [
        event.data.reason.error_types[0].sample_errors[0].request.identifier
        for event in first.auto_paging_iter()
    ]
    recent = shop.stripe.v2.core.events.list({"created": {"gte": "2026-09-21T12:03:00Z"}})

    assert len(first.data) == 2
    assert everything == ["e4", "e3", "e2", "e1", "e0"]
    assert len(recent.data) == 2
    assert shop.stripe.v2.core.events.list({"types": ["v1.other"]}).data == []
    assert shop.stripe.v2.core.events.list({"object_id": "mtr_other"}).data == []
    assert shop.sandbox.now() == NOON + 300
