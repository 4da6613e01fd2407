"""Stripe's key in AWS Secrets Manager: where it lies is told in every trouble, what it is never."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from tests.aws.handlers.endpoint import refusal, serving
from tests.cli.billing import AFTER_TEN, KEY, Billing, seconds

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:StripeSecretKey-Ab12Cd"
OLD = "sk_test_old"


@dataclass
class Vault:
    """What Secrets Manager would answer: a text, or the name of an error."""

    holds: str = KEY
    refuses: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, _: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(asked)
        if self.refuses:
            return refusal(self.refuses)
        return 200, {"ARN": ARN, "Name": "StripeSecretKey", "SecretString": self.holds}


@pytest.fixture
def vault(monkeypatch) -> Iterator[Vault]:
    found = Vault()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("tallystick.aws_secrets.SENDS_MAX", 1)
    with serving(found) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
        yield found


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


@pytest.mark.parametrize("refuses", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_secret_that_cannot_be_read_is_named(vault, refuses):
    vault.refuses = refuses

    with pytest.raises(PublisherMisconfigured, match=f"secret {ARN} cannot be read: .*{refuses}"):
        secret_text(ARN)


def test_a_secret_that_cannot_be_read_now_is_an_outage(vault, monkeypatch):
    vault.refuses = "ThrottlingException"
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

    with pytest.raises(PublisherMisconfigured):
        due()


def told(call: Call) -> list[str]:
    return [line["event"] for line in call.lines]


def test_a_function_without_a_key_says_which_setting_names_it(call, billing, monkeypatch):
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")

    with pytest.raises(PublisherMisconfigured, match="TALLYSTICK_STRIPE_API_KEY"):
        call(publish.handler, {})


def test_a_function_that_meters_on_aws_marketplace_alone_needs_no_key(call, billing, monkeypatch):
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")
    monkeypatch.setenv("TALLYSTICK_AWS_MARKETPLACE_REGION", "us-east-1")

    assert call(publish.handler, {"at": AFTER_TEN})["sent"] == 0
