"""Stripe's key in AWS Secrets Manager: where it lies is told in every trouble, what it is never."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tallystick.aws_secrets import secret_text
from tallystick.bootstrap import publisher_for
from tallystick.clock import FixedClock, SystemClock
from tallystick.config import read_settings
from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import parse_instant
from tallystick.entrypoints.aws import poll, publish, reconcile, seal
from tests.aws.handlers.calls import Call
from tests.cli.billing import AFTER_TEN, KEY, Billing, seconds

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:StripeSecretKey-Ab12Cd"
OLD = "sk_test_old"
MISSING = (400, "ResourceNotFoundException")
DENIED = (400, "AccessDeniedException")
THROTTLED = (400, "ThrottlingException")


@dataclass
class Vault:
    """What Secrets Manager would answer: a text, or a status with the name of an error."""

    holds: str | tuple[int, str] = KEY
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: dict[str, Any]) -> tuple[int, dict[str, str]]:
        self.asked.append(asked)
        if isinstance(self.holds, tuple):
            status, code = self.holds
            return status, {"__type": code, "Message": f"{code}, as ordered"}
        return 200, {"ARN": ARN, "Name": "StripeSecretKey", "SecretString": self.holds}


@pytest.fixture
def vault(monkeypatch) -> Iterator[Vault]:
    found = Vault()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = found.answer(asked)
            told = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *told: object) -> None:
            """Nothing: its lines are no part of what is tested."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("tallystick.aws_secrets.SENDS_MAX", 1)
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def kept(vault: Vault, billing: Billing, monkeypatch) -> Vault:
    """The vault that holds Stripe's key, by the setting."""
    monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", ARN)
    return vault


@pytest.fixture
def due(billing: Billing, call: Call, kept: Vault, monkeypatch) -> Callable[[], dict[str, Any]]:
    """Publishes what is sealed and due, in processes that stay warm, at ten past ten."""
    at_ten = FixedClock(parse_instant(AFTER_TEN))
    monkeypatch.setattr("tallystick.entrypoints.aws.runtime.SystemClock", lambda: at_ten)
    billing.report("k1")
    billing.shop.sandbox.set_time(seconds(AFTER_TEN))
    call(seal.handler, {})
    return lambda: call(publish.handler, {})


def test_the_secret_is_read_by_its_name_without_the_end_of_its_line(vault):
    vault.holds = f"{KEY}\n"

    assert secret_text(ARN) == KEY
    assert vault.asked == [{"SecretId": ARN}]


@pytest.mark.parametrize("holds", [MISSING, DENIED])
def test_a_secret_that_cannot_be_read_is_named(vault, holds):
    vault.holds = holds

    with pytest.raises(PublisherMisconfigured, match=f"secret {ARN} cannot be read: .*{holds[1]}"):
        secret_text(ARN)


def test_a_secret_that_cannot_be_read_now_is_an_outage(vault, monkeypatch):
    vault.holds = THROTTLED
    with pytest.raises(PublisherUnavailable, match="cannot be read now"):
        secret_text(ARN)

    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
    with pytest.raises(PublisherUnavailable, match="cannot be read now"):
        secret_text(ARN)


@pytest.mark.parametrize("holds", ["", "not set", "pk_test_public", "sk_test_two keys"])
def test_what_is_no_key_is_refused_and_not_shown(kept, holds):
    kept.holds = holds

    with pytest.raises(PublisherMisconfigured) as caught:
        publisher_for(read_settings(), SystemClock())

    assert ARN in str(caught.value)
    assert not holds or holds not in str(caught.value)


def test_a_live_key_needs_leave(kept):
    kept.holds = "sk_live_real"

    with pytest.raises(PublisherMisconfigured, match=rf"{ARN}.*stripe allow-live"):
        publisher_for(read_settings(), SystemClock())


def test_the_secret_is_read_once_and_not_by_a_function_that_needs_no_key(due, kept, call):
    call(seal.handler, {})
    assert kept.asked == []

    due()
    due()
    call(poll.handler, {})

    assert len(kept.asked) == 1


@pytest.mark.parametrize("handler", [publish.handler, poll.handler, reconcile.handler])
def test_a_key_that_stripe_does_not_take_names_the_secret_and_never_itself(
    due, kept, call, billing, handler
):
    billing.shop.sandbox.grant(KEY, [])

    with pytest.raises(PublisherMisconfigured) as caught:
        call(handler, {})

    assert ARN in str(caught.value)
    assert KEY not in str(caught.value) + json.dumps(call.lines)


def test_nothing_is_lost_while_the_key_is_wrong_and_the_next_pass_catches_up(due, kept, billing):
    kept.holds = "not set"
    with pytest.raises(PublisherMisconfigured):
        due()

    kept.holds = KEY

    assert due()["sent"] == 1


def test_a_key_that_was_changed_while_the_process_was_warm_is_read_anew(due, kept, billing, call):
    kept.holds = OLD
    call(poll.handler, {})
    billing.shop.sandbox.grant(OLD, [])
    kept.holds = KEY

    answers = [due(), due()]

    assert [len(kept.asked), sum(answer["failed"] for answer in answers)] == [2, 0]
    assert "the provider refuses our key, and another is there" in told(call)


def test_a_key_that_is_wrong_stays_wrong_however_warm_the_process_is(due, kept, billing, call):
    call(poll.handler, {})
    billing.shop.sandbox.grant(KEY, [])

    for _ in range(2):
        with pytest.raises(PublisherMisconfigured):
            call(poll.handler, {})


def told(call: Call) -> list[str]:
    return [line["event"] for line in call.lines]


def test_a_function_without_a_key_says_which_setting_names_it(call, billing, monkeypatch):
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")

    with pytest.raises(PublisherMisconfigured, match="TALLYSTICK_STRIPE_API_KEY"):
        call(publish.handler, {})
