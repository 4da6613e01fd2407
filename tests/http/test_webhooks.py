"""What Stripe says unasked is believed only with its signature, and taken once it is stored."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
import stripe

from tallystick.config import Secret, Settings
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.publication import State
from tallystick.sandbox import Fault
from tests.http.conftest import NOW, Api
from tests.http.told import PATH, SNAPSHOT, THIN, World, changed, opened


@pytest.fixture
def world(make_api: Callable[..., Api]) -> Iterator[World]:
    with opened(make_api) as made:
        yield made


def rejected(world: World) -> World:
    """Its usage was accepted by Stripe, and then not counted."""
    world.shop.sandbox.add_fault(
        Fault(kind="reject", code="meter_event_customer_not_found", count=1)
    )
    world.count()
    world.publish()
    assert (world.publication.state, world.at_stripe) == (State.ACCEPTED, 0)
    return world


# ── Late rejections ───────────────────────────────────────────────────────────────────────────────


def test_a_late_rejection_is_corrected_long_before_it_would_have_been_looked_for(world: World):
    rejected(world)
    first = world.publication

    assert world.deliver() == [200]
    for _ in range(5):
        world.advance(30 * MINUTE)
        world.publish()

    assert world.api.clock.at < first.read_from
    assert world.at_stripe == 5
    assert (world.publication.state, world.publication.total) == (State.ACCEPTED, 5)
    assert world.publication.slot_revision == first.slot_revision + 1


def test_without_the_delivery_nobody_looks_for_six_hours(world: World):
    rejected(world)

    for _ in range(5):
        world.advance(30 * MINUTE)
        world.publish()

    assert world.at_stripe == 0


def test_a_report_is_no_verdict_on_what_is_there(world: World):
    rejected(world)
    world.shop.sandbox.set_total("requests", world.customer, NOW // SECOND - 2 * 3_600, Decimal(5))

    assert world.deliver() == [200]
    world.advance(30 * MINUTE)
    world.publish()

    assert world.publication.state is State.CONFIRMED


def test_a_report_that_comes_twice_changes_nothing_more(world: World):
    rejected(world)
    (first,) = world.shop.sandbox.deliver()
    after_first = world.publication

    world.advance(MINUTE)
    world.shop.sandbox.resend(str(first["event"]))
    again = world.told({"id": first["event"], "type": first["type"], "object": "v2.core.event"})

    assert world.deliver() == [200]
    assert again.json()["taken"] == "known"
    assert world.publication == after_first


def test_a_report_that_comes_before_the_answer_is_stored_comes_again(world: World):
    outbox = world.api.store.outbox
    advance, outbox.advance = outbox.advance, lambda batch: (False,) * len(batch)
    world.shop.sandbox.add_fault(Fault(kind="reject", code="no_meter", count=1))
    world.count()
    world.publish()
    outbox.advance = advance
    assert world.publication.state is State.PENDING

    early = world.deliver()
    world.advance(2 * MINUTE)
    world.publish()
    late = world.deliver()

    assert (early, late) == ([503], [200])
    assert world.publication.answer.startswith("no_meter")


def test_a_report_that_cannot_be_stored_comes_again(world: World):
    rejected(world)
    outbox = world.api.store.outbox
    advance, outbox.advance = outbox.advance, lambda batch: (False,) * len(batch)

    assert world.deliver() == [503]

    outbox.advance = advance
    world.advance(MINUTE)
    assert world.deliver() == [200]
    assert world.publication.read_from == world.api.clock.at


def test_a_report_that_cannot_be_looked_up_now_comes_again(world: World):
    rejected(world)
    fault = world.shop.fault("outage")

    assert world.deliver() == [503]
    assert world.publication.read_from > world.api.clock.at

    world.shop.sandbox.clear_faults(fault)
    world.advance(MINUTE)
    assert world.deliver() == [200]


def test_a_report_of_what_others_sent_is_taken_and_changes_nothing(world: World):
    world.shop.report("cus_nobody", event_name="requests", identifier="theirs")

    assert world.deliver() == [200]
    assert world.api.store.outbox.publications().elements == ()


def test_a_report_of_another_account_is_not_found(world: World):
    found = world.told({"id": "evt_foreign", "type": "v1.billing.meter.no_meter_found"})

    assert (found.status_code, found.json()["type"]) == (404, "urn:tallystick:problem:not-found")


def test_an_old_report_of_what_is_settled_changes_nothing(world: World):
    rejected(world)
    (first,) = world.shop.sandbox.deliver()
    world.shop.sandbox.set_total("requests", world.customer, NOW // SECOND - 2 * 3_600, Decimal(5))
    world.advance(30 * MINUTE)
    world.publish()
    settled = world.publication
    assert settled.state is State.CONFIRMED

    world.advance(2 * HOUR)
    world.shop.sandbox.resend(str(first["event"]))

    assert world.deliver() == [200]
    assert world.publication == settled


# ── What is not taken ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secret", ["whsec_wrong", "sk_test_tally"])
def test_what_another_secret_signed_is_refused(world: World, secret: str):
    refused = world.told(changed(world.customer), secret=secret)

    assert refused.status_code == 400
    assert refused.json()["type"] == "urn:tallystick:problem:not-signed"


def test_either_of_our_secrets_opens(world: World):
    for secret in (THIN, SNAPSHOT):
        assert world.told({"id": "evt_1", "type": "ping"}, secret=secret).status_code == 200


@pytest.mark.parametrize("header", ["", "t=1,v1=00", "nonsense", "v1=" + "0" * 60_000])
def test_what_is_not_signed_is_refused(world: World, header: str):
    body = json.dumps(changed(world.customer))
    refused = world.api.client.post(PATH, content=body, headers={"stripe-signature": header})

    assert refused.status_code == 400
    assert world.shop.sandbox.outcomes().get("GET /v1/subscriptions") is None


@pytest.mark.parametrize("at", [-6 * MINUTE, 6 * MINUTE])
def test_a_replay_is_refused_by_our_clock(world: World, at: int):
    refused = world.told({"id": "evt_1", "type": "ping"}, at=at)

    assert (refused.status_code, "5 minutes" in refused.json()["detail"]) == (400, True)


def test_an_event_of_another_type_is_taken_and_ignored(world: World):
    taken = world.told({"id": "evt_1", "type": "charge.succeeded", "data": {"object": {}}})

    assert (taken.status_code, taken.json()["taken"]) == (200, "ignored")


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", "[" * 100_000])
def test_what_is_signed_and_no_event_is_refused(world: World, body: str):
    refused = world.told(body)

    assert (refused.status_code, refused.json()["title"]) == (400, "This cannot be read")


def test_a_huge_delivery_is_refused_unread(world: World):
    refused = world.told("x" * (1024 * 1024 + 1))

    assert refused.status_code == 413


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_a_post_is_a_delivery(world: World, method: str):
    assert world.api.client.request(method, PATH).status_code == 405


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(stripe_api_key=Secret("sk_test_1")), "TALLYSTICK_STRIPE_WEBHOOK_SECRET"),
        (Settings(stripe_webhook_secrets=(Secret(THIN),)), "TALLYSTICK_STRIPE_API_KEY"),
        (
            Settings(stripe_api_key=Secret("sk_live_1"), stripe_webhook_secrets=(Secret(THIN),)),
            "live_key",
        ),
    ],
)
def test_where_it_is_not_set_up_the_answer_says_what_to_do(
    make_api: Callable[..., Api], settings: Settings, missing: str
):
    api = make_api(settings)
    body = json.dumps(changed("cus_1"))
    signature = stripe.WebhookSignature.generate_signature_header(body, THIN, NOW // SECOND)

    refused = api.client.post(PATH, content=body, headers={"stripe-signature": signature})

    assert (refused.status_code, missing in refused.json()["detail"]) == (503, True)
    assert "whsec" not in refused.text
