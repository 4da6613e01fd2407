"""What cannot be taken: an answer that helps, nothing stored, no 500, and memory bounded."""

import asyncio
import gzip
import json
import tracemalloc

import pytest
from starlette.requests import Request

from tallystick.domain.api_key import Scope
from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.http import bodies, counting
from tallystick.entrypoints.http.problems import TITLES
from tallystick.stages.decoding import REPORT_BYTES_MAX
from tests.http.conftest import Api, cloud_event, counts, native

LINES = "application/x-ndjson"
MIB = 1024 * 1024


def problem(response) -> tuple[int, str]:
    """(status, kind) of an answer that is a complete problem."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["instance"].endswith(response.headers["x-request-id"])
    kind = body["type"].removeprefix("urn:tallystick:problem:")
    assert body["title"] == TITLES[kind]
    assert body["detail"]
    return response.status_code, kind


def nothing_is_stored(api: Api) -> bool:
    listed = api.store.dead_letters.list(open_only=False).elements
    return not (api.store.events.events().elements or listed)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "unreadable"),
        (b"   ", "unreadable"),
        (b"42", "unreadable"),
        (b'"text"', "unreadable"),
        (b"{", "unreadable"),
        (b'[{"TenantID": }]', "unreadable"),
        (b"[1, 2", "unreadable"),
        (b'{"a": 1} {"b": 2}', "unreadable"),
        (b'{"TenantID": "\xff\xfe"}', "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "unreadable"),
        (b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "unreadable"),
    ],
)
def test_what_is_no_json_is_refused_and_not_kept(api: Api, body, kind):
    assert problem(api.post(body)) == (400, kind)
    assert nothing_is_stored(api)


@pytest.mark.parametrize("quantity", [b"1e999999999", b"-1e-999999999", b"9" * 5_000, b"1e400"])
@pytest.mark.parametrize("wrapped", [b"%s", b"[%s]"])
def test_a_number_that_nothing_can_count_is_a_dead_letter(api: Api, quantity, wrapped):
    event = b'{"TenantID":"acme","ProductCode":"requests","EventID":"x","Quantity":%s}' % quantity

    response = api.post(wrapped % event)

    assert counts(response) == {"dead_letter": 1}
    assert api.value() == 0


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"{}"),
        ("application/x-www-form-urlencoded", b"a=b"),
        ("application/xml", b"<a/>"),
        ("application/json; charset=utf-16", b"{}"),
        ("", b"{}"),
    ],
)
def test_another_content_type_is_refused_with_those_that_are_read(api: Api, content_type, body):
    response = api.post(body, content_type=content_type)

    assert problem(response) == (415, "unsupported-content")
    assert "UTF-8" in response.json()["detail"] or "x-ndjson" in response.json()["detail"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/cloudevents+json", [cloud_event()]),
        ("application/cloudevents-batch+json", cloud_event()),
    ],
)
def test_a_batch_and_a_single_event_are_not_mixed_up(api: Api, content_type, body):
    assert problem(api.post(body, content_type=content_type)) == (400, "unreadable")
    assert nothing_is_stored(api)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"event": {}}', b'{"events": 5}', b'{"events": {}}', b"5"]
)
def test_a_lago_batch_of_another_shape_is_refused(api: Api, body):
    assert problem(api.post(body, "/api/v1/events/batch"))[0] == 400


def test_attributes_that_nobody_knows_are_kept_with_the_event(api: Api):
    event = cloud_event(data={"quantity": 5, "model": "large", "deep": {"a": [1, None]}})

    api.post({**event, "extension": "kept by whoever sent it", "subject": "acme"})

    stored = api.store.events.event("acme", "7:gateway2:e1")
    assert stored is not None
    assert stored.attributes() == {"model": "large", "deep": {"a": [1, None]}}


def test_a_misspelt_field_of_the_native_body_is_named(api: Api):
    response = api.post([native("a", Quantty=7)], prefer="return=representation")

    (receipt,) = response.json()["receipts"]
    assert (receipt["reason"], receipt["errors"][0]["pointer"]) == ("invalid", "/Quantty")
    assert api.value() == 0


# ── Sizes ─────────────────────────────────────────────────────────────────────────────────────────


def test_fifty_megabytes_are_refused_before_they_are_read(api: Api):
    response = api.post(b" " * (50 * MIB))

    assert problem(response) == (413, "too-large")
    assert api.service.memory.held == 0


def test_a_body_of_unknown_size_is_cut_off_at_the_limit(api: Api):
    sent = 0

    def endless():
        nonlocal sent
        while sent < 50 * MIB:
            sent += MIB
            yield b" " * MIB

    names = {"authorization": f"Bearer {api.key(Scope.INGEST)}", "content-type": "application/json"}
    response = api.client.post("/api/v1/events", content=endless(), headers=names)

    assert problem(response) == (413, "too-large")
    assert api.service.memory.held == 0


@pytest.mark.parametrize("content_type", ["application/json", LINES])
def test_a_gzip_bomb_is_refused_and_takes_no_memory(api: Api, content_type):
    line = b" " * (MIB - 1) + b"\n"
    bomb = gzip.compress(line * 64)
    key = api.key(Scope.INGEST)
    tracemalloc.start()

    response = api.post(bomb, key=key, content_type=content_type, content_encoding="gzip")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem(response) == (413, "too-large")
    assert peak < 24 * MIB
    assert nothing_is_stored(api)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"no gzip at all", "unreadable"),
        (gzip.compress(b"[]", mtime=0)[:-6], "cut-off"),
        (b"", "cut-off"),
        (gzip.compress(b"[]", mtime=0) + b"rubbish", "unreadable"),
    ],
)
def test_a_broken_gzip_is_refused(api: Api, body, kind):
    assert problem(api.post(body, content_encoding="gzip")) == (400, kind)


def test_another_encoding_is_refused_with_the_one_that_is_read(api: Api):
    response = api.post(b"[]", content_encoding="br")

    assert problem(response) == (415, "unsupported-content")
    assert response.headers["accept-encoding"] == "gzip"


def test_a_batch_of_too_many_is_refused_whole(api: Api):
    response = api.post([native(f"n{n}") for n in range(10_001)])

    assert problem(response) == (413, "too-large")
    assert nothing_is_stored(api)


def test_a_report_that_is_too_large_is_refused_alone_and_set_aside_among_others(api: Api):
    large = native("large", filler="x" * MIB)

    assert problem(api.post(large)) == (413, "too-large")
    assert nothing_is_stored(api)
    assert counts(api.post([native(), large])) == {"recorded": 1, "dead_letter": 1}
    body = json.dumps(large).encode() + b"\n" + json.dumps(native("n2")).encode()
    assert counts(api.post(body, content_type=LINES)) == {"recorded": 1, "dead_letter": 1}


def test_a_line_without_an_end_takes_no_memory():
    left = [b"x" * 65_536] * 800

    async def receive():
        return {"type": "http.request", "body": left.pop(), "more_body": bool(left)}

    async def lines():
        scope = {"type": "http", "method": "POST", "headers": []}
        return [len(line) async for line in bodies.read_lines(Request(scope, receive))]

    tracemalloc.start()
    found = asyncio.run(lines())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == [REPORT_BYTES_MAX + 1]
    assert peak < 6 * MIB


# ── Parameters ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("header", ['""', "", "x" * 256, "a\tb"])
def test_an_idempotency_key_that_cannot_be_one_is_refused(api: Api, header):
    response = api.post(native(), idempotency_key=header)

    assert problem(response) == (400, "invalid-parameter")


@pytest.mark.parametrize("query", ["strict=maybe", "receipts=2"])
def test_a_flag_is_true_or_false(api: Api, query):
    assert problem(api.post(native(), f"/api/v1/events?{query}"))[0] == 400
    assert nothing_is_stored(api)


def test_an_unknown_path_and_a_wrong_method_are_problems_too(api: Api):
    assert problem(api.client.get("/nowhere")) == (404, "not-found")
    for path, allowed in (("/api/v1/void", "POST"), ("/api/v1/tenants", "GET, HEAD, POST")):
        wrong = api.client.delete(path)
        assert problem(wrong) == (405, "method-not-allowed")
        assert wrong.headers["allow"] == allowed, "of all routes at the path"


# ── A store that is away, and one that is behind ──────────────────────────────────────────────────


def test_a_store_that_is_away_is_no_success(api: Api, monkeypatch):
    def away(*_):
        raise StoreUnavailable("the disk at a secret place is gone")

    key = api.key(Scope.INGEST)
    api.post(native("before"), key=key)
    monkeypatch.setattr(api.store.events, "record", away)

    response = api.post(native(), key=key)

    assert problem(response) == (503, "unavailable")
    assert response.headers["retry-after"] == "2"
    assert "secret place" not in response.text


def test_a_bug_is_answered_without_its_insides(api: Api, monkeypatch):
    def broken(*_):
        raise KeyError("a secret")

    monkeypatch.setattr(api.store.events, "record", broken)

    response = api.post(native())

    assert problem(response) == (500, "out-of-order")
    assert "secret" not in response.text


def test_a_queue_that_is_full_sends_callers_away(api: Api, monkeypatch):
    monkeypatch.setattr(counting, "WAITING_MAX", 10)
    monkeypatch.setattr(api.service.counting, "_reports_waiting", 9)

    response = api.post([native("a"), native("b")])

    assert problem(response) == (503, "overloaded")
    assert response.headers["retry-after"] == "1"
    assert nothing_is_stored(api)


def test_too_many_bytes_at_once_send_callers_away(api: Api):
    api.service.memory.limit = 100

    assert problem(api.post([native(f"n{n}") for n in range(10)])) == (503, "overloaded")
    assert api.service.memory.held == 0
    assert counts(api.post(native())) == {"recorded": 1}
