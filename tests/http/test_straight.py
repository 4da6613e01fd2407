"""The short way to the route that takes events answers as the long way does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from tallystick.domain.api_key import Scope
from tallystick.domain.errors import StoreLost, StoreUnavailable
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.http.headers import FoundHeaders
from tallystick.entrypoints.http.observing import Observing
from tallystick.entrypoints.http.straight import Straight
from tests.http.conftest import AUDIT, Api, cloud_event, native

JSON = {"content-type": "application/json"}
PATH = "/api/v1/events"


Ways = tuple[tuple[Api, TestClient], tuple[Api, TestClient]]


@pytest.fixture
def ways(make_api: Callable[..., Api]) -> Ways:
    """Two alike, each with a client: of all that is served, and of the framework alone."""
    first, second = make_api(), make_api()
    for api in (first, second):
        api.store.catalog.save(Tenant(id="acme"), AUDIT)
        api.store.catalog.save(Meter(id="requests", code="requests"), AUDIT)
    observing = second.client.app
    assert isinstance(observing, Observing)
    assert isinstance(observing._app, Straight)
    long_way = TestClient(observing._app._api, raise_server_exceptions=False)
    return (first, first.client), (second, long_way)


def told(response: Any) -> tuple[object, ...]:
    """What was answered, but for the names of this one request."""
    body = response.json() if response.content else {}
    body.pop("instance", None)
    names = ("content-type", "tallystick-counts", "www-authenticate", "preference-applied", "allow")
    return response.status_code, body, [response.headers.get(name) for name in names]


@pytest.mark.parametrize(
    ("method", "path", "content", "headers"),
    [
        ("POST", PATH, [native("a"), native("b", -1)], {}),
        ("POST", PATH, native("a"), {"prefer": "return=representation"}),
        ("POST", PATH, cloud_event("a"), {"content-type": "application/cloudevents+json"}),
        ("POST", PATH, 5, {"ce-specversion": "1.0", "ce-id": "a", "ce-source": "s"}),
        ("POST", PATH, native(None), {"idempotency-key": "k"}),
        ("POST", PATH, native(None), {}),
        ("POST", f"{PATH}?strict=true", [native("a", "NaN")], {}),
        ("POST", f"{PATH}?strict=perhaps", [], {}),
        ("POST", f"{PATH}?receipts=1", [], {}),
        ("POST", PATH, [], {"content-type": "text/plain"}),
        ("POST", PATH, [], {"content-encoding": "br"}),
        ("POST", PATH, {}, {"authorization": "Bearer tally_unknown"}),
        ("POST", PATH, {}, {"authorization": "Basic x"}),
        ("POST", f"{PATH}/", [], {}),
        ("PUT", PATH, [], {}),
        ("POST", f"{PATH}/batch", {"events": []}, {}),
    ],
)
def test_both_ways_answer_alike(ways: Ways, method, path, content, headers):
    answers = []
    for api, client in ways:
        names = JSON | {"authorization": f"Bearer {api.key(Scope.INGEST)}"} | headers
        response = client.request(method, path, content=json.dumps(content), headers=names)
        answers.append((told(response), api.value(), api.letters()))

    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "error", [StoreUnavailable("gone"), StoreLost("lost"), ZeroDivisionError()]
)
def test_both_ways_answer_what_breaks_alike(ways: Ways, monkeypatch, error):
    def broken(batch, now):
        raise error

    answers = []
    for api, client in ways:
        monkeypatch.setattr(api.store.events, "record", broken)
        names = JSON | {"authorization": f"Bearer {api.key(Scope.INGEST)}"}
        answers.append(told(client.post(PATH, content=json.dumps(native("a")), headers=names)))

    assert answers[0] == answers[1]
    assert answers[0][0] in (500, 503)


def test_a_bug_goes_on_to_the_server_which_logs_where_it_happened(api: Api, monkeypatch):
    def broken(batch, now):
        raise ZeroDivisionError

    monkeypatch.setattr(api.store.events, "record", broken)
    names = JSON | {"authorization": f"Bearer {api.key(Scope.INGEST)}"}

    with pytest.raises(ZeroDivisionError):
        TestClient(api.client.app).post(PATH, content=json.dumps(native("a")), headers=names)


def test_headers_are_found_as_the_framework_finds_them():
    raw = [(b"accept", b"a"), (b"accept", b"b"), (b"x-name", "é".encode("latin-1"))]
    scope = {"type": "http", "headers": raw}

    ours, theirs = FoundHeaders(dict(scope)), Request(dict(scope)).headers

    for name in ("accept", "Accept", "X-Name", "absent"):
        assert ours.get(name) == theirs.get(name)
        assert ours.get(name, "else") == theirs.get(name, "else")
        assert (name in ours) == (name in theirs)
    assert (dict(ours), ours["ACCEPT"]) == (dict(theirs), "a")
    assert ours.getlist("accept") == ["a", "b"]
    with pytest.raises(KeyError):
        ours["absent"]
