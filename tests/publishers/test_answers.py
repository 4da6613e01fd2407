"""Every answer of Stripe's, and what it means: a table that needs no server."""

import json

import pytest

from tallystick.domain.instant import HOUR, SECOND, parse_instant
from tallystick.domain.publication import Outcome
from tallystick.publishers.stripe.answers import (
    DETAIL_LENGTH_MAX,
    Heard,
    answer_to,
    limits_whole_account,
    provider_time,
)

EXPECTED = "billing.meter_event"


def heard(status: int, body: object = None, **headers: str) -> Heard:
    text = body if isinstance(body, str) else json.dumps(body)
    return Heard(status, {k.replace("_", "-"): v for k, v in headers.items()}, text)


def fault(status: int, *, kind: str = "invalid_request_error", **fields: str) -> Heard:
    return heard(status, {"error": {"type": kind, **fields}})


def outcome(answer: Heard) -> Outcome:
    return answer_to(answer, EXPECTED).outcome


@pytest.mark.parametrize(
    "message",
    [
        "No active meter found with this event name",
        "The meter is archived.",
        "No such customer: 'cus_1'",
        "The timestamp must be within the past 35 calendar days.",
        "timestamps must be after the subscription's last invoice period",
        "Subscriptions with billing thresholds only accept the action increment.",
        "Invalid non-negative integer",
        "",
    ],
)
def test_what_stripe_finds_wrong_with_the_parameters_is_refused(message: str):
    assert outcome(fault(400, message=message)) is Outcome.REFUSED


@pytest.mark.parametrize(
    "code",
    [
        "archived_meter",
        "meter_event_customer_not_found",
        "meter_event_invalid_value",
        "meter_event_value_too_many_digits",
        "resource_missing",
        "timestamp_too_far_in_past",
        "timestamp_in_future",
        "a_code_of_next_year",
    ],
)
@pytest.mark.parametrize("status", [400, 404])
def test_a_validation_code_is_refused_whichever_it_is(code: str, status: int):
    assert outcome(fault(status, code=code, message="no")) is Outcome.REFUSED


def test_a_refusal_tells_people_the_code_and_the_sentence():
    answer = answer_to(
        heard(
            400,
            {"error": {"type": "invalid_request_error", "code": "no_meter", "message": "None."}},
            request_id="req_1",
        ),
        EXPECTED,
    )

    assert answer.detail == "HTTP 400 invalid_request_error no_meter: None. [req_1]"


@pytest.mark.parametrize(
    "message",
    [
        "An event already exists with identifier tly_1.",
        "an event ALREADY EXISTS with the identifier 'tly_1'",
        "A meter event already exists\nwith identifier tly_1",
        "Duplicate identifier: tly_1",
    ],
)
def test_a_known_identifier_is_known_in_whatever_words(message: str):
    assert outcome(fault(400, message=message)) is Outcome.KNOWN


def test_a_known_identifier_is_known_by_its_code():
    assert outcome(fault(400, code="duplicate_meter_event", message="no")) is Outcome.KNOWN


def test_a_key_used_with_other_parameters_is_a_mismatch():
    answer = fault(400, kind="idempotency_error", message="Keys for idempotent requests can only")

    assert outcome(answer) is Outcome.MISMATCH


def test_a_key_still_in_flight_is_busy():
    answer = fault(409, kind="idempotency_error", code="idempotency_key_in_use", message="wait")

    assert outcome(answer) is Outcome.BUSY


@pytest.mark.parametrize(
    ("reason", "wait", "whole_account"),
    [
        ("global-rate", SECOND, True),
        ("endpoint-rate", SECOND, True),
        ("global-concurrency", SECOND // 4, True),
        ("endpoint-concurrency", SECOND // 4, True),
        ("resource-specific", SECOND, False),
        ("a-reason-of-next-year", 0, False),
    ],
)
def test_each_kind_of_429_is_busy_and_waits_by_its_reason(
    reason: str, wait: int, *, whole_account: bool
):
    turned_away = heard(
        429,
        {"error": {"type": "rate_limit_error", "code": "rate_limit", "message": "slow"}},
        stripe_rate_limited_reason=reason,
    )

    answer = answer_to(turned_away, EXPECTED)

    assert (answer.outcome, answer.retry_after) == (Outcome.BUSY, wait)
    assert limits_whole_account(turned_away) is whole_account


def test_a_lock_timeout_is_busy():
    assert outcome(fault(429, code="lock_timeout", message="locked")) is Outcome.BUSY


def test_the_rate_limit_of_old_versions_is_busy():
    assert outcome(fault(400, code="rate_limit", message="slow")) is Outcome.BUSY


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("2", 2 * SECOND),
        ("0", 0),
        ("999999999", HOUR),
        ("99999999999999", SECOND),
        ("-1", SECOND),
        ("Wed, 21 Oct 2026 07:28:00 GMT", SECOND),
        ("²", SECOND),
    ],
)
def test_retry_after_is_obeyed_within_reason(told: str, wait: int):
    answer = heard(
        429,
        {"error": {"type": "rate_limit_error"}},
        retry_after=told,
        stripe_rate_limited_reason="global-rate",
    )

    assert answer_to(answer, EXPECTED).retry_after == wait


def test_only_busy_answers_say_when_to_come_again():
    answer = heard(500, {"error": {"type": "api_error"}}, retry_after="5")

    assert answer_to(answer, EXPECTED).retry_after == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_of_stripes_is_a_failure(status: int):
    assert outcome(fault(status, kind="api_error", message="sorry")) is Outcome.FAILED


def test_a_replayed_failure_says_so():
    saved = heard(500, {"error": {"type": "api_error", "message": "x"}}, idempotent_replayed="true")

    answer = answer_to(saved, EXPECTED)

    assert answer.outcome is Outcome.FAILED
    assert "replayed" in answer.detail


def test_a_replayed_success_is_accepted_and_says_so():
    saved = heard(200, {"object": EXPECTED}, idempotent_replayed="true")

    answer = answer_to(saved, EXPECTED)

    assert answer.outcome is Outcome.ACCEPTED
    assert answer.detail == "HTTP 200 replayed"


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_taken_is_denied(status: int):
    assert outcome(fault(status, message="Invalid API Key")) is Outcome.DENIED


def test_a_success_is_accepted():
    assert outcome(heard(200, {"object": EXPECTED, "identifier": "tly_1"})) is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "<html>welcome to the hotel</html>", '{"object": "charge"}', '{"ok": true}'],
)
def test_a_success_that_is_not_stripes_proves_nothing(body: str):
    assert outcome(heard(200, body)) is Outcome.UNKNOWN


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Bad Gateway</html>",
        "[]",
        "{}",
        '{"error": null}',
        '{"error": "gone"}',
        '{"error":',
    ],
)
def test_what_is_not_stripes_answer_is_unknown_whatever_its_status(status: int, body: str):
    assert outcome(heard(status, body)) is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", ["api_error", "card_error", "something_new", ""])
def test_a_4xx_that_is_no_invalid_request_is_never_taken_for_a_refusal(kind: str):
    assert outcome(fault(402, kind=kind, message="?")) is Outcome.UNKNOWN


def test_the_providers_clock_is_read_from_the_date():
    answered = heard(200, {"object": EXPECTED}, date="Mon, 21 Sep 2026 12:00:03 GMT")

    assert provider_time(answered) == parse_instant("2026-09-21T12:00:03Z")


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 21 Sep 2026 12:00:03 -0000", "0"])
def test_a_date_that_is_none_says_nothing(date: str):
    assert provider_time(heard(200, {"object": EXPECTED}, date=date)) is None


def test_a_key_in_stripes_words_is_redacted():
    answer = answer_to(fault(401, message="Invalid API Key: sk_live_51AbCdEf_x."), EXPECTED)

    assert "51AbCdEf" not in answer.detail
    assert "sk_live_***" in answer.detail


def test_a_long_message_is_cut():
    assert len(answer_to(fault(400, message="x" * 10_000), EXPECTED).detail) == DETAIL_LENGTH_MAX
