"""Every format that `POST /api/v1/events` reads, and what it answers to each."""

import gzip
import json

import pytest

from tallystick.entrypoints.composing import replay_everything
from tallystick.stages.ingesting import intake_of
from tests.http.conftest import NOW, Api, cloud_event, counts, envelope, native

CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"


def lago(id_: str = "l1", **properties: object) -> dict[str, object]:
    return {
        "transaction_id": id_,
        "external_subscription_id": "acme",
        "code": "requests",
        "timestamp": "1769859000.25",
        "properties": properties or {"quantity": "5"},
    }


@pytest.mark.parametrize(
    ("content_type", "body", "total"),
    [
        (CLOUD_EVENT, cloud_event(), 5),
        (f"{CLOUD_EVENT}; charset=utf-8", cloud_event(quantity="2.50"), 2.5),
        (CLOUD_EVENTS, [cloud_event("a"), cloud_event("b")], 10),
        (CLOUD_EVENTS, [], 0),
        ("application/json", cloud_event(), 5),
        ("application/json", [cloud_event("a"), cloud_event("b", 1)], 6),
        ("application/json", native(), 5),
        ("application/json", [native("a"), native("b", "0.5")], 5.5),
        ("Application/JSON;charset=UTF-8", [lago("a"), cloud_event("a"), native("b")], 15),
        ("application/json", {"tenant": "acme", "code": "requests", "key": "p"}, 1),
        ("application/json", envelope(native(None)), 5),
    ],
)
def test_what_is_sent_as_json_is_counted_and_answered_without_a_body(
    api: Api, content_type, body, total
):
    response = api.post(body, content_type=content_type)

    number = len(body) if isinstance(body, list) else 1
    assert (response.status_code, response.content) == (204, b"")
    assert counts(response) == ({"recorded": number} if number else {})
    assert api.value() == total


def test_a_cloud_event_in_binary_mode_is_counted(api: Api):
    names = {f"ce-{name}": str(text) for name, text in cloud_event().items() if name != "data"}

    response = api.post({"quantity": 7}, **{**names, "ce-source": "a%20b"})

    assert counts(response) == {"recorded": 1}
    assert api.value() == 7
    assert api.store.events.event("acme", "3:a b2:e1") is not None


def test_a_binary_cloud_event_needs_no_data(api: Api):
    names = {f"ce-{name}": str(text) for name, text in cloud_event().items() if name != "data"}

    assert counts(api.post(b"", **names)) == {"recorded": 1}
    assert api.value() == 1


def test_the_same_event_in_another_mode_is_the_same_event(api: Api):
    names = {f"ce-{name}": str(text) for name, text in cloud_event().items() if name != "data"}
    api.post(cloud_event(), content_type=CLOUD_EVENT)

    assert counts(api.post({"quantity": 5}, **names)) == {"duplicate": 1}
    assert counts(api.post([cloud_event()])) == {"duplicate": 1}
    assert api.value() == 5


def test_an_event_of_lago_is_answered_with_the_event(api: Api):
    response = api.post({"event": lago()})

    assert response.status_code == 200
    event = response.json()["event"]
    assert event["transaction_id"] == "l1"
    assert event["timestamp"] == "2026-01-31T11:30:00.250Z"
    assert event["created_at"] == "2026-01-31T12:00:00.000Z"
    assert event["properties"] == {"quantity": "5"}
    assert len(event["lago_id"]) == 36
    assert counts(response) == {"recorded": 1}


def test_a_repeated_event_of_lago_is_answered_with_the_stored_one(api: Api):
    first = api.post({"event": {**lago(), "timestamp": None}}).json()
    api.clock.sleep(60_000_000)

    again = api.post({"event": {**lago(), "timestamp": None}})

    assert again.json() == first
    assert counts(again) == {"duplicate": 1}


def test_a_batch_of_lago_is_answered_with_its_events(api: Api):
    response = api.post({"events": [lago("a"), lago("b")]}, "/api/v1/events/batch")

    assert response.status_code == 200
    assert [e["transaction_id"] for e in response.json()["events"]] == ["a", "b"]
    assert api.value() == 10


def test_an_empty_batch_of_lago_is_refused_in_its_words(api: Api):
    response = api.post({"events": []}, "/api/v1/events/batch")

    assert (response.status_code, response.json()["code"]) == (422, "no_events")


def test_lines_are_counted_and_blank_ones_passed_over(api: Api):
    body = b"\n".join([json.dumps(native(f"n{n}", 1)).encode() for n in range(2_500)])

    response = api.post(b"\n\r\n" + body + b"\n\n", content_type=LINES)

    assert response.status_code == 204
    assert counts(response) == {"recorded": 2_500}
    assert api.value() == 2_500


def test_a_line_that_cannot_be_read_holds_up_no_other(api: Api):
    body = b'{"TenantID": \n' + json.dumps(native()).encode() + b"\n\xff\n[1]\n"

    response = api.post(body, content_type=LINES)

    assert counts(response) == {"recorded": 1, "dead_letter": 3}
    assert api.value() == 5


@pytest.mark.parametrize("members", [1, 3])
def test_what_is_zipped_is_inflated(api: Api, members: int):
    zipped = b"".join(
        gzip.compress(json.dumps(native(f"n{n}", 2)).encode() + b"\n") for n in range(members)
    )

    response = api.post(zipped, content_type=LINES, content_encoding="gzip")

    assert counts(response) == {"recorded": members}
    assert api.value() == 2 * members


def test_receipts_come_on_request(api: Api):
    body = [native("a"), native("a"), native("a", 6), {**native("b"), "TenantID": "nobody"}, 7]

    response = api.post(body, prefer="respond-async, return=representation")

    assert response.status_code == 200
    assert response.headers["preference-applied"] == "return=representation"
    found = response.json()
    assert found["counts"]["dead_letter"] == 2
    kinds = [receipt["receipt"] for receipt in found["receipts"]]
    assert kinds == ["recorded", "duplicate", "conflict", "dead_letter", "dead_letter"]
    assert found["receipts"][0]["aggregates"] == [
        {
            "tenant": "acme",
            "meter": "requests",
            "group": "",
            "start": "2026-01-31T12:00:00Z",
            "end": "2026-01-31T13:00:00Z",
        }
    ]
    assert found["receipts"][3]["reason"] == "unknown_tenant"
    assert found["receipts"][3]["errors"][0]["pointer"] == "/tenant"
    assert found["receipts"][4]["errors"][0]["code"] == "not_an_object"


def test_receipts_of_a_batch_in_columns_are_those_of_any_other(api: Api):
    batch = [cloud_event("a"), cloud_event("b", 2), cloud_event("a"), cloud_event("b", 3)]
    other = [{**event, "source": "other"} for event in batch]
    other[0]["traceparent"] = "00-1"  # of which only the ordinary reading knows

    in_columns = api.post(batch, prefer="return=representation")
    by_themselves = api.post(other, prefer="return=representation")

    letters = [each.pop("dead_letter", "") for each in in_columns.json()["receipts"]]
    assert in_columns.json()["counts"] == by_themselves.json()["counts"]
    assert [len(letter) for letter in letters] == [0] * 4
    assert in_columns.content == by_themselves.content
    assert api.value() == 2 * (5 + 2)


def test_receipts_of_lines_come_as_long_as_they_fit(api: Api, monkeypatch):
    monkeypatch.setattr("tallystick.entrypoints.http.events.BATCH_MAX", 1_500)
    lines = [json.dumps(native(f"n{n}", 1)).encode() for n in range(2_500)]

    few = api.post(b"\n".join(lines[:1_200]), content_type=LINES, prefer="return=representation")
    many = api.post(b"\n".join(lines), content_type=LINES, prefer="return=representation")

    assert len(few.json()["receipts"]) == 1_200
    assert (many.status_code, "preference-applied" in many.headers) == (204, False)
    assert counts(many) == {"recorded": 1_300, "duplicate": 1_200}


def test_decimals_keep_every_digit(api: Api):
    api.post(b'{"TenantID":"acme","ProductCode":"requests","EventID":"d","Quantity":0.1234567890}')
    api.post(native("e", "999999999999999.123456789012"))

    assert str(api.value()) == "999999999999999.246913578012"


# ── Keys of reports ───────────────────────────────────────────────────────────────────────────────


def test_an_idempotency_key_and_the_place_make_a_key(api: Api):
    body = [native(None, 1), native(None, 2)]

    first = api.post(body, idempotency_key='"9c-\\"x"')
    again = api.post(body, idempotency_key='9c-"x')

    assert counts(first) == {"recorded": 2}
    assert counts(again) == {"duplicate": 2}
    assert api.value() == 3


def test_an_idempotency_key_with_other_content_is_a_conflict(api: Api):
    api.post(native(None, 1), idempotency_key="k")

    assert counts(api.post(native(None, 2), idempotency_key="k")) == {"conflict": 1}


def test_a_time_that_was_not_given_does_not_make_a_retry_a_conflict(api: Api):
    api.post(native(None, 1), idempotency_key="k")
    api.clock.sleep(3_600_000_000)

    assert counts(api.post(native(None, 1), idempotency_key="k")) == {"duplicate": 1}


def test_without_any_key_nothing_of_the_request_is_stored(api: Api):
    response = api.post([native("a"), native(None)])

    assert response.status_code == 400
    assert response.json()["type"] == "urn:tallystick:problem:idempotency-key-required"
    assert response.json()["errors"][0]["pointer"] == "/1/EventID"
    assert (api.value(), api.letters()) == (0, [])


def test_lines_get_their_keys_by_their_number_in_the_body(api: Api):
    body = b"\n".join(json.dumps(native(None, 1)).encode() for _ in range(1_200))

    for _ in range(2):
        response = api.post(body, content_type=LINES, idempotency_key="nightly")

    assert counts(response) == {"duplicate": 1_200}
    assert api.value() == 1_200


def test_an_onboarding_makes_no_tenant_known_over_http(api: Api):
    """Whoever may report usage may not say who is billed, nor have it said by a replay."""
    detail = {"TenantID": "new", "ExternalSubscriptionIdentifier": "si_1"}

    assert counts(api.post(envelope(detail, "ONBOARD"))) == {"dead_letter": 1}
    replay_everything(intake_of(api.store), NOW)

    assert api.store.catalog.account("new") is None
    (letter,) = api.store.dead_letters.list().elements
    assert letter.errors[0].pointer == "/detail-type"
