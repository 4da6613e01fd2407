"""A delivery is taken for Stripe's only with its signature, and says no more than what it names."""

import json
from collections.abc import Callable

import pytest
import stripe

from tallystick.domain.errors import NotFound
from tallystick.domain.instant import MINUTE, SECOND
from tallystick.publishers import HOUR_METER
from tallystick.publishers.stripe.webhooks import (
    CHANGES,
    REPORTS,
    NotAnEvent,
    Notice,
    NotSigned,
    check_signature,
    notice_in,
)
from tests.publishers.world import NOW, World, place, publication

OLD, NEW = "whsec_old", "whsec_new"
BODY = b'{"id": "evt_1", "type": "ping"}'
signed_by_sdk = stripe.WebhookSignature.generate_signature_header


def header(secret: str = NEW, body: bytes = BODY, at: int = NOW) -> str:
    return signed_by_sdk(body.decode(), secret, at // SECOND)


def v1(secret: str, body: bytes = BODY) -> str:
    return header(secret, body).partition("v1=")[2]


def test_what_the_sdk_signs_is_taken():
    check_signature(header(), BODY, [NEW], NOW)


def test_while_a_secret_is_replaced_either_side_may_have_both():
    time = f"t={NOW // SECOND}"

    check_signature(f"{time},v1={v1(OLD)},v1={v1(NEW)}", BODY, [NEW], NOW)
    check_signature(f"{time},v1={v1(OLD)},v0=abc,v1={v1(NEW)}", BODY, [OLD], NOW)
    check_signature(header(OLD), BODY, [NEW, OLD], NOW)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "v1=" + v1(NEW),
        f"t={NOW // SECOND}",
        f"t={NOW // SECOND},v0={v1(NEW)}",
        f"t={NOW // SECOND},v1={v1(OLD)}",
        f"t={NOW // SECOND},v1={v1(NEW)[:-1]}",
        f"t={NOW // SECOND},v1=",
        f"t={NOW // SECOND},v1=\u00e9\u00e9",
        f"t={NOW // SECOND + 1},v1={v1(NEW)}",
        f"t={NOW // SECOND},t={NOW // SECOND},v1={v1(NEW)}",
        f"t=-{NOW // SECOND},v1={v1(NEW)}",
        f"t=\u0661\u0662,v1={v1(NEW)}",
        f"t={'9' * 5000},v1={v1(NEW)}",
    ],
)
def test_what_is_not_signed_with_our_secret_now_is_refused(forged: str):
    with pytest.raises(NotSigned) as refused:
        check_signature(forged, BODY, [NEW], NOW)

    assert "whsec" not in str(refused.value)
    assert v1(NEW) not in str(refused.value)


def test_a_body_that_was_changed_is_refused():
    with pytest.raises(NotSigned):
        check_signature(header(), BODY + b" ", [NEW], NOW)


@pytest.mark.parametrize("away", [-5 * MINUTE - SECOND, 5 * MINUTE + SECOND])
def test_what_was_signed_long_ago_or_ahead_is_refused(away: int):
    with pytest.raises(NotSigned, match="5 minutes"):
        check_signature(header(at=NOW + away), BODY, [NEW], NOW)


@pytest.mark.parametrize("away", [-5 * MINUTE, 5 * MINUTE])
def test_five_minutes_either_way_are_tolerated(away: int):
    check_signature(header(at=NOW + away), BODY, [NEW], NOW)


def test_no_more_signatures_are_compared_than_stripe_would_send():
    many = ",".join(["v1=00"] * 16)

    with pytest.raises(NotSigned):
        check_signature(f"t={NOW // SECOND},{many},v1={v1(NEW)}", BODY, [NEW], NOW)


@pytest.mark.parametrize("kind", REPORTS)
def test_a_thin_event_is_a_report_to_be_fetched(kind: str):
    body = json.dumps({"id": "evt_9", "object": "v2.core.event", "type": kind})

    assert notice_in(body.encode()) == Notice("evt_9", kind, is_report=True)


@pytest.mark.parametrize("kind", CHANGES[:5])
def test_a_subscription_names_its_customer_and_its_items(kind: str):
    changed = {"id": "sub_1", "customer": "cus_1", "items": {"data": [{"id": "si_1"}]}}
    body = json.dumps({"id": "evt_1", "type": kind, "data": {"object": changed}})

    assert notice_in(body.encode()).destinations == ("cus_1", "si_1")


@pytest.mark.parametrize(
    "line",
    [
        {"parent": {"subscription_item_details": {"subscription_item": "si_2"}}},
        {"subscription_item": "si_2"},
    ],
)
def test_an_invoice_names_its_customer_and_its_items(line: dict[str, object]):
    changed = {"customer": "cus_1", "lines": {"data": [line, {"parent": None}]}}
    body = json.dumps({"id": "evt_1", "type": "invoice.finalized", "data": {"object": changed}})

    assert notice_in(body.encode()).destinations == ("cus_1", "si_2")


def test_an_event_of_another_type_names_nothing_whatever_it_holds():
    body = b'{"id": "evt_1", "type": "charge.succeeded", "data": {"object": {"customer": {}}}}'

    assert notice_in(body) == Notice("evt_1", "charge.succeeded")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"id": 5, "type": "ping"}',
        b'{"id": "", "type": "ping"}',
        b'{"id": "' + b"e" * 300 + b'", "type": "ping"}',
        b'{"id": "evt_1", "type": "invoice.finalized", "data": {}}',
        b'{"id": "evt_1", "type": "invoice.finalized", "data": {"object": {"customer": {}}}}',
        b'{"id": "evt_1", "type": "ping", "x": ' + b"[" * 100_000 + b"}",
    ],
)
def test_a_body_that_is_no_event_is_refused(body: bytes):
    with pytest.raises(NotAnEvent):
        notice_in(body)


def test_a_report_is_fetched_by_its_event(world: World):
    world.hour_meter()
    sent = publication(place(HOUR_METER, "cus_nobody"))
    world.publisher.send(sent)
    (event,) = world.shop.stripe.v2.core.events.list().data

    (rejection,) = world.publisher.rejections_in(event.id)

    assert rejection.identifier == sent.identifier
    assert rejection.code == "meter_event_customer_not_found"


def test_a_report_of_another_account_is_not_there(world: World):
    with pytest.raises(NotFound, match="evt_foreign"):
        world.publisher.rejections_in("evt_foreign")


def test_the_id_of_an_event_cannot_name_another_path(
    world: World, open_world: Callable[..., World]
):
    with pytest.raises(NotFound):
        world.publisher.rejections_in("../../v1/account?x=")

    (asked,) = world.shop.sandbox.requests()[-1:]
    assert str(asked["target"]).startswith("/v2/core/events/..%2F")
