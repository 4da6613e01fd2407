"""What an EventBridge envelope means: usage, or a tenant that is to be billed."""

import json

import pytest

from tallystick.domain.envelope import Onboarding, is_onboarding, parse_onboarding
from tallystick.domain.errors import InvalidReport
from tallystick.domain.instant import parse_instant
from tallystick.domain.report import parse_report, tenants_named
from tallystick.stages.decoding import decode

NOW = parse_instant("2020-05-22T12:00:00Z")
SENT = parse_instant("2020-05-21T19:43:05Z")
NATIVE = {
    "TenantID": "sub|1234",
    "ProductCode": "example-billing-event",
    "Quantity": 5,
    "Timestamp": 1590074184000,
}
LATER_FORM = {"TenantID": "sub|1234", "Quantity": 5}
SUBSCRIBED = {"TenantID": "sub|1234", "ExternalSubscriptionIdentifier": "si_1"}


def envelope(detail: object, detail_type: str = "BILLING", **changed: object) -> dict[str, object]:
    fields = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail_type,
        "source": "shop.checkout",
        "account": "111122223333",
        "time": "2020-05-21T19:43:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
        **changed,
    }
    return {name: value for name, value in fields.items() if value is not None}


def errors_of(body: object) -> dict[str, str]:
    with pytest.raises(InvalidReport) as caught:
        parse_report(body, NOW)
    return {error.pointer: error.code for error in caught.value.errors}


def test_usage_has_the_envelopes_id_for_its_key():
    event = parse_report(envelope(NATIVE), NOW)

    assert (event.tenant, event.code, event.quantity) == ("sub|1234", "example-billing-event", 5)
    assert event.key == "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    assert event.occurred_at == 1590074184000 * 1000


def test_an_event_id_in_the_detail_is_the_key():
    event = parse_report(envelope({**NATIVE, "EventID": "order 7"}, id=None), NOW)

    assert event.key == "order 7"


def test_the_later_form_takes_its_time_from_the_envelope_and_leaves_the_code_open():
    event = parse_report(envelope(LATER_FORM), NOW)

    assert (event.code, event.occurred_at, event.received_at) == ("", SENT, NOW)


def test_what_the_envelope_stands_in_for_is_no_part_of_the_fingerprint():
    """A producer that puts the same order twice has another envelope the second time."""
    first = parse_report(envelope({**LATER_FORM, "EventID": "order 7"}), NOW)
    again = envelope({**LATER_FORM, "EventID": "order 7"}, id="other", time="2020-05-21T20:00:00Z")

    assert parse_report(again, NOW).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (envelope("not JSON"), {"/detail": "invalid_type"}),
        (envelope([NATIVE]), {"/detail": "invalid_type"}),
        (envelope({**NATIVE, "TenantID": None}), {"/detail/TenantID": "missing"}),
        (envelope({**NATIVE, "Quantity": "five"}), {"/detail/Quantity": "invalid_quantity"}),
        (envelope(NATIVE, id=None), {"/detail/EventID": "missing"}),
        (envelope(NATIVE, id=7), {"/detail/EventID": "missing"}),
        (envelope(NATIVE, time="yesterday"), {"/time": "invalid_time"}),
        (envelope({**NATIVE, "Quantiy": 5}), {"/detail/Quantiy": "unknown_field"}),
        (envelope(NATIVE, "BILING"), {"/detail-type": "unsupported"}),
        (envelope(SUBSCRIBED, "ONBOARD"), {"/detail-type": "unsupported"}),
        (envelope(NATIVE, detail_type=None), {"/detail-type": "unsupported"}),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body, expected):
    body.setdefault("detail-type", None)

    assert errors_of(body) == expected


def test_a_quantity_beyond_any_number_is_wrong_and_no_bomb():
    text = json.dumps(envelope(NATIVE)).replace('"Quantity": 5', '"Quantity": 1e400')

    assert errors_of(decode(text)) == {"/detail/Quantity": "invalid_quantity"}


def test_an_onboarding_says_who_is_billed_through_what():
    body = envelope({**SUBSCRIBED, "ProductCode": "example-billing-event"}, "ONBOARD")

    assert is_onboarding(body)
    assert parse_onboarding(body, NOW) == Onboarding(
        tenant="sub|1234",
        destination="si_1",
        code="example-billing-event",
        id="6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        sent_at=SENT,
    )


def test_an_onboarding_may_leave_out_the_code_and_the_time():
    found = parse_onboarding(envelope(SUBSCRIBED, "ONBOARD", time=None), NOW)

    assert (found.code, found.sent_at) == ("", NOW)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], {""}),
        (envelope(SUBSCRIBED), {"/detail-type"}),
        (envelope({}, "ONBOARD"), {"/detail/TenantID", "/detail/ExternalSubscriptionIdentifier"}),
        (envelope({**SUBSCRIBED, "Quantity": 1}, "ONBOARD"), {"/detail/Quantity"}),
        (envelope(SUBSCRIBED, "ONBOARD", id=None), {"/id"}),
        (envelope("si_1", "ONBOARD"), {"/detail"}),
    ],
)
def test_an_onboarding_that_cannot_be_meant_is_refused_with_all_that_is_wrong(body, pointers):
    with pytest.raises(InvalidReport) as caught:
        parse_onboarding(body, NOW)

    assert pointers <= {error.pointer for error in caught.value.errors}


def test_the_tenant_is_found_within_an_envelope_that_means_nothing():
    assert list(tenants_named(envelope({"TenantID": "acme", "Quantity": "x"}))) == ["acme"]
    assert list(tenants_named({"event": {"external_subscription_id": "a"}, "tenant": "b"})) == [
        "a",
        "b",
    ]
