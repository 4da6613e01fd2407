"""What goes over the line, byte by byte, and what becomes of a line that misbehaves."""

import logging
import socket
import threading

import pytest
import stripe

from tallystick.domain.errors import PublisherMisconfigured
from tallystick.domain.instant import SECOND, parse_instant
from tallystick.domain.publication import Outcome
from tallystick.publishers import HOUR_METER, SUM_METER, USAGE_RECORD
from tests.publishers.scripted import CUT, SILENCE, event, fault, reply, scripted
from tests.publishers.world import KEY, NOW, place, publication

METER_EVENT = publication(place(SUM_METER, "cus_1"), "12.5")
RECORD = publication(place(USAGE_RECORD, "si_1", ""), "12")


def test_a_resend_is_the_same_byte_for_byte(publisher_at):
    for sent in (METER_EVENT, RECORD):
        with scripted(event()) as server:
            publisher_at(server.url).send(sent)
            publisher_at(server.url).send(sent)

        assert server.requests[0] == server.requests[1]


def test_a_meter_event_is_one_post_with_one_text_as_identifier_and_key(publisher_at):
    with scripted(event()) as server:
        publisher_at(server.url).send(METER_EVENT)

    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /v1/billing/meter_events HTTP/1.1\r\n")
    assert server.header("Idempotency-Key") == METER_EVENT.identifier
    assert server.header("Stripe-Version") == "2026-10-28.endive"
    assert server.header("Authorization") == f"Bearer {KEY}"
    assert body == (
        "event_name=api_calls&payload[stripe_customer_id]=cus_1&payload[value]=12.5"
        f"&identifier={METER_EVENT.identifier}&timestamp={METER_EVENT.place.timestamp // SECOND}"
    )


def test_a_usage_record_is_one_post_under_the_pinned_version(publisher_at):
    with scripted(reply('{"object": "usage_record"}')) as server:
        answer = publisher_at(server.url).send(RECORD)

    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    assert answer.outcome is Outcome.ACCEPTED
    assert head.startswith("POST /v1/subscription_items/si_1/usage_records HTTP/1.1\r\n")
    assert server.header("Stripe-Version") == "2025-02-24.acacia"
    assert server.header("Idempotency-Key") == RECORD.identifier
    assert body == f"quantity=12&timestamp={RECORD.place.timestamp // SECOND}&action=set"


def test_an_items_name_cannot_lead_anywhere_else(publisher_at):
    sent = publication(place(USAGE_RECORD, "../charges?x=@evil.example/#", ""), "1")
    with scripted(event()) as server:
        publisher_at(server.url).send(sent)

    path = server.heads[0].split(" ")[1]
    assert path == ("/v1/subscription_items/..%2Fcharges%3Fx%3D%40evil.example%2F%23/usage_records")


def test_nothing_is_told_about_earlier_requests(publisher_at):
    with scripted(event(Request_Id="req_1")) as server:
        publisher = publisher_at(server.url)
        publisher.send(METER_EVENT)
        publisher.send(METER_EVENT)

    assert stripe.enable_telemetry is False
    assert "telemetry" not in server.heads[1].lower()


def test_a_connection_is_used_again_by_whichever_thread_comes_next(publisher_at):
    with scripted(event()) as server:
        publisher = publisher_at(server.url)
        for _ in range(3):
            thread = threading.Thread(target=publisher.send, args=(METER_EVENT,))
            thread.start()
            thread.join()

    assert len(server.requests) == 3
    assert server.connections == 1


def test_the_date_of_the_answer_is_the_providers_time(publisher_at):
    with scripted(event(Date="Mon, 21 Sep 2026 12:00:03 GMT")) as server:
        publisher = publisher_at(server.url)
        publisher.send(METER_EVENT)

    assert publisher.clock_ahead() == parse_instant("2026-09-21T12:00:03Z") - NOW


def test_the_date_of_a_refusal_is_the_providers_time_too(publisher_at):
    refused = fault(400).replace(b"\r\n", b"\r\nDate: Mon, 21 Sep 2026 12:00:03 GMT\r\n", 1)
    with scripted(refused) as server:
        publisher = publisher_at(server.url)
        answer = publisher.send(METER_EVENT)

    assert answer.outcome is Outcome.REFUSED
    assert publisher.clock_ahead() == parse_instant("2026-09-21T12:00:03Z") - NOW


def test_retry_after_reaches_the_answer(publisher_at):
    busy = fault(429).replace(b"\r\n", b"\r\nRetry-After: 7\r\n", 1)
    with scripted(busy) as server:
        answer = publisher_at(server.url).send(METER_EVENT)

    assert (answer.outcome, answer.retry_after) == (Outcome.BUSY, 7 * SECOND)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (fault(500, kind="api_error"), Outcome.FAILED),
        (fault(409, kind="idempotency_error"), Outcome.BUSY),
        (fault(429), Outcome.BUSY),
        (event(), Outcome.ACCEPTED),
    ],
)
def test_stripe_saying_that_it_should_be_retried_makes_no_attempt_of_its_own(
    publisher_at, answer: bytes, outcome: Outcome
):
    urged = answer.replace(b"\r\n", b"\r\nStripe-Should-Retry: true\r\n", 1)
    with scripted(urged) as server:
        assert publisher_at(server.url).send(METER_EVENT).outcome is outcome

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [CUT, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b"no\r\n"]
)
def test_a_line_that_breaks_is_unknown_after_one_attempt(publisher_at, answer: bytes):
    server_answers = (answer,) if answer == CUT else (answer + b"\r\n\r\n", CUT)
    with scripted(*server_answers) as server:
        # An answer that promises more than it sends keeps the line open until the deadline.
        sent = publication(place(SUM_METER, "cus_1"), now=METER_EVENT.intended_at - 79 * SECOND)
        outcome = publisher_at(server.url).send(sent).outcome

    assert outcome is Outcome.UNKNOWN
    assert len(server.requests) == 1


def test_a_silent_stripe_is_given_up_by_the_deadline_and_is_unknown(publisher_at):
    sent = publication(place(SUM_METER, "cus_1"), now=METER_EVENT.intended_at - 79_800_000)
    with scripted(SILENCE) as server:
        answer = publisher_at(server.url).send(sent)

    assert answer.outcome is Outcome.UNKNOWN
    assert "ReadTimeoutError" in answer.detail


def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent(publisher_at):
    closing = event().replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    with scripted(closing, event()) as server:
        publisher = publisher_at(server.url)

        assert publisher.send(METER_EVENT).outcome is Outcome.ACCEPTED
        assert publisher.send(METER_EVENT).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(publisher_at, status: str):
    with scripted(event()) as other:
        moved = reply("", status, f"Location: {other.url}/v1/billing/meter_events\r\n")
        with scripted(moved) as server:
            answer = publisher_at(server.url).send(METER_EVENT)

    assert answer.outcome is Outcome.UNKNOWN
    assert other.requests == []


@pytest.mark.parametrize(
    "body", ["<html>", "", '{"error": null}', '{"error": "x"}', "[1]", '{"error": []}', "[" * 9_000]
)
@pytest.mark.parametrize("status", ["200 OK", "400 No", "429 Slow", "502 Bad Gateway"])
def test_an_answer_that_cannot_be_read_is_unknown(publisher_at, status: str, body: str):
    with scripted(reply(body, status)) as server:
        answer = publisher_at(server.url).send(METER_EVENT)

    assert answer.outcome is Outcome.UNKNOWN
    assert status[:3] in answer.detail


def test_a_success_that_is_no_text_is_unknown(publisher_at):
    garbage = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x01"
    with scripted(garbage) as server:
        assert publisher_at(server.url).send(METER_EVENT).outcome is Outcome.UNKNOWN


def test_a_key_in_the_answer_does_not_come_out(publisher_at):
    with scripted(fault(401, f"Invalid API Key provided: {KEY}")) as server:
        answer = publisher_at(server.url).send(METER_EVENT)

    assert answer.outcome is Outcome.DENIED
    assert KEY not in repr(answer)


def test_no_logger_gets_to_see_the_key(publisher_at, caplog):
    caplog.set_level(logging.DEBUG)
    with scripted(event(), fault(401, f"Invalid API Key provided: {KEY}")) as server:
        publisher = publisher_at(server.url)
        publisher.send(METER_EVENT)
        with pytest.raises(PublisherMisconfigured):
            publisher.subscription("cus_1")

    assert "/v1/billing/meter_events" in caplog.text
    sent = [record.getMessage() for record in caplog.records]
    assert [line for line in sent if KEY in line] == []


def test_credentials_and_proxies_of_the_environment_are_not_used(
    publisher_at, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password pw\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with scripted(event()) as server:
        answer = publisher_at(server.url).send(METER_EVENT)

    assert answer.outcome is Outcome.ACCEPTED
    assert server.header("Authorization") == f"Bearer {KEY}"


def test_a_proxy_that_was_asked_for_is_used(publisher_at):
    with scripted(event()) as proxy:
        publisher = publisher_at("http://127.0.0.1:1", proxy=proxy.url)
        answer = publisher.send(METER_EVENT)

    assert answer.outcome is Outcome.ACCEPTED
    assert proxy.heads[0].startswith("POST http://127.0.0.1:1/v1/billing/meter_events ")


def test_a_sender_that_slept_past_its_deadline_sends_nothing(publisher_at):
    with scripted(event()) as server:
        publisher = publisher_at(server.url)
        clock = publisher._connection.clock
        encode = publisher._connection._client.raw_request

        def sleeping(*args, **params):
            clock.sleep(81 * SECOND)
            return encode(*args, **params)

        publisher._connection._client.raw_request = sleeping
        answer = publisher.send(METER_EVENT)

    assert answer.outcome is Outcome.BUSY
    assert "deadline" in answer.detail
    assert server.requests == []


def test_each_thread_has_its_own_deadline(publisher_at):
    with scripted(event()) as server:
        publisher = publisher_at(server.url)
        late = publication(place(HOUR_METER, "cus_2"), now=METER_EVENT.intended_at - 100 * SECOND)
        outcomes: list[Outcome] = []

        def other() -> None:
            outcomes.append(publisher.send(late).outcome)

        thread = threading.Thread(target=other)
        thread.start()
        outcomes.append(publisher.send(METER_EVENT).outcome)
        thread.join()

    assert sorted(outcomes) == [Outcome.ACCEPTED, Outcome.BUSY]


def test_a_stripe_whose_certificate_is_not_trusted_gets_no_key(publisher_at):
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def accept() -> None:
        client, _ = listener.accept()
        with client:
            seen.append(client.recv(10_000))

    thread = threading.Thread(target=accept)
    thread.start()
    publisher = publisher_at(f"https://127.0.0.1:{listener.getsockname()[1]}")
    answer = publisher.send(METER_EVENT)
    thread.join()
    listener.close()

    assert answer.outcome is Outcome.UNKNOWN
    assert KEY.encode() not in b"".join(seen)
