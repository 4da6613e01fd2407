"""An endpoint is told what happens, signed, and again until it has taken it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.sandbox import StripeSandbox, open_sandbox
from tests.sandbox.shop import DAY, EVENTS, HOUR, NOON, Shop

URL = "http://127.0.0.1:9/hooks"
SECRET = "whsec_test"  # noqa: S105 of no account


class Receiver:
    """Takes deliveries in this process; `answers` says with which status, then always 200."""

    def __init__(self, sandbox: StripeSandbox, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        sandbox._post = self.take

    def take(self, _: str, headers: Mapping[str, str], body: bytes) -> int:
        self.bodies.append(body)
        self.signatures.append(headers["Stripe-Signature"])
        return self.answers.pop(0) if self.answers else 200

    @property
    def events(self) -> list[dict]:
        return [json.loads(body) for body in self.bodies]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@pytest.fixture
def receiver(shop: Shop) -> Receiver:
    return Receiver(shop.sandbox)


def test_a_report_is_told_without_its_data(shop: Shop, receiver: Receiver) -> None:
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    meter = shop.meter()
    shop.report("cus_nobody")

    shop.sandbox.deliver()

    (told,) = receiver.events
    (listed,) = shop.stripe.v2.core.events.list().data
    assert (told["id"], told["object"]) == (listed.id, "v2.core.event")
    assert told["type"] == "v1.billing.meter.error_report_triggered"
    assert told["related_object"]["id"] == meter
    assert "data" not in told


def test_the_sdk_takes_the_signature_with_each_of_the_secrets(
    shop: Shop, receiver: Receiver
) -> None:
    shop.sandbox.add_webhook(URL, SECRET, "whsec_next", thin=True)
    shop.meter()
    shop.report("cus_nobody")
    shop.sandbox.deliver()

    (body,), (signature,) = receiver.bodies, receiver.signatures
    for secret in (SECRET, "whsec_next"):
        assert stripe.WebhookSignature.verify_header(body, signature, secret, None)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, signature, "whsec_other", None)
    assert signature.startswith(f"t={NOON},")


def test_a_subscriptions_life_is_told_with_what_it_was(shop: Shop, receiver: Receiver) -> None:
    shop.sandbox.add_webhook(URL, SECRET)
    customer, meter = shop.customer(), shop.meter()
    made = shop.subscribe(customer, shop.price(meter))
    shop.stripe.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    shop.sandbox.set_status(made.id, "past_due")
    shop.stripe.v1.subscriptions.cancel(made.id)

    shop.sandbox.deliver()

    prefix = "customer.subscription."
    assert receiver.types == [prefix + t for t in ("created", "updated", "updated", "deleted")]
    seen = [event["data"]["object"] for event in receiver.events]
    assert [one["status"] for one in seen] == ["active", "active", "past_due", "canceled"]
    assert all(one["customer"] == customer for one in seen)
    assert len({event["id"] for event in receiver.events}) == 4


def test_a_period_that_ends_tells_of_the_next_and_of_the_bill(
    shop: Shop, receiver: Receiver
) -> None:
    shop.subscribe(shop.customer(), shop.price(shop.meter()))
    shop.sandbox.add_webhook(URL, SECRET)

    shop.sandbox.advance(31 * DAY + HOUR)
    shop.sandbox.deliver()

    assert receiver.types == ["customer.subscription.updated", "invoice.finalized"]


def test_an_endpoint_takes_one_kind_and_only_the_types_it_names(
    shop: Shop, receiver: Receiver
) -> None:
    shop.sandbox.add_webhook(URL, SECRET, types=["customer.subscription.deleted"])
    made = shop.subscribe(shop.customer(), shop.price(shop.meter()))
    shop.report("cus_nobody")
    shop.stripe.v1.subscriptions.cancel(made.id)

    shop.sandbox.deliver()

    assert receiver.types == ["customer.subscription.deleted"]


def test_what_is_not_taken_is_told_again_until_it_is(shop: Shop) -> None:
    receiver = Receiver(shop.sandbox, 503, 0)
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    shop.report("cus_nobody")

    told = []
    for wait in (0, 59, 1, 299, 1, DAY):
        shop.sandbox.advance(wait)
        told.append([one["status"] for one in shop.sandbox.deliver()])

    assert told == [[503], [], [0], [], [200], []]
    assert len(set(receiver.bodies)) == 1
    assert len(set(receiver.signatures)) == 3


def test_what_is_never_taken_is_given_up_after_three_days(shop: Shop) -> None:
    receiver = Receiver(shop.sandbox, *[500] * 100)
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    shop.report("cus_nobody")

    for _ in range(10 * 24):
        shop.sandbox.deliver()
        shop.sandbox.advance(HOUR)

    assert 8 <= len(receiver.bodies) <= 14


def test_an_event_can_be_told_a_second_time(shop: Shop, receiver: Receiver) -> None:
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    shop.report("cus_nobody")
    (first,) = shop.sandbox.deliver()

    assert shop.sandbox.resend(str(first["event"])) == 1
    shop.sandbox.deliver()

    assert len(receiver.bodies) == 2
    assert shop.sandbox.resend("evt_unknown") == 0


def test_an_endpoint_that_was_removed_is_told_nothing(shop: Shop, receiver: Receiver) -> None:
    endpoint = shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    shop.report("cus_nobody")

    shop.sandbox.remove_webhook(endpoint.id)

    assert shop.sandbox.deliver() == []


@pytest.mark.parametrize(
    "url", ["http://example.org/", "http://10.0.0.1/", "ftp://localhost/", "localhost", "https://"]
)
def test_a_webhook_goes_to_https_or_to_this_machine(shop: Shop, url: str) -> None:
    answer = requests.post(f"{shop.url}/_sandbox/webhooks", json={"url": url}, timeout=60)

    assert (answer.status_code, "https" in answer.json()["error"]) == (400, True)


def test_over_http_an_endpoint_gets_a_secret_that_is_shown_once(
    shop: Shop, receiver: Receiver
) -> None:
    control = f"{shop.url}/_sandbox/webhooks"
    made = requests.post(control, json={"url": URL, "thin": True}, timeout=60).json()
    shop.meter()
    shop.report("cus_nobody")
    (sent,) = requests.post(f"{control}/deliver", timeout=60).json()["delivered"]

    (secret,) = made["secrets"]
    listed = requests.get(control, timeout=60)
    assert stripe.WebhookSignature.verify_header(
        receiver.bodies[0], receiver.signatures[0], secret, None
    )
    assert secret not in listed.text
    assert listed.json()["deliveries"] == [sent]
    assert requests.post(f"{control}/resend", json={"event": sent["event"]}, timeout=60).json() == {
        "waiting": 1
    }
    gone = requests.delete(f"{control}?id={made['id']}", timeout=60).json()
    assert gone["endpoints"] == []


@pytest.mark.parametrize(
    "body", [{}, {"url": URL, "thin": "yes"}, {"url": URL, "secrets": "whsec_1"}]
)
def test_an_endpoint_that_cannot_be_meant_is_refused(shop: Shop, body: dict) -> None:
    assert requests.post(f"{shop.url}/_sandbox/webhooks", json=body, timeout=60).status_code == 400


def test_an_address_where_nobody_answers_is_an_attempt_in_vain(shop: Shop) -> None:
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    shop.report("cus_nobody")

    (tried,) = shop.sandbox.deliver()

    assert (tried["status"], tried["arrived"]) == (0, False)


def test_a_state_file_holds_no_secret_and_its_replay_tells_nobody(
    tmp_path: Path, open_shop: Callable[..., Shop]
) -> None:
    path = tmp_path / "state"
    first = open_sandbox(path, NOON, 0)
    receiver = Receiver(first)
    first.add_webhook(URL, SECRET)

    again = open_sandbox(path, None, 0)

    assert SECRET not in path.read_text()
    assert again.webhooks() == {"endpoints": [], "deliveries": []}
    assert receiver.bodies == []


def test_a_rejection_that_was_ordered_is_told(shop: Shop, receiver: Receiver) -> None:
    shop.sandbox.add_webhook(URL, SECRET, thin=True)
    shop.meter()
    customer = shop.customer()
    shop.fault("reject", path=EVENTS, code="meter_event_invalid_value")

    shop.report(customer)
    shop.sandbox.deliver()

    assert receiver.types == ["v1.billing.meter.error_report_triggered"]
