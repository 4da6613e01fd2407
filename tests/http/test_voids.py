"""Voids over HTTP: one event taken out, once, on record."""

import pytest

from tallystick.domain.api_key import Scope
from tests.http.conftest import Api, cloud_event, native
from tests.http.test_bad_input import problem

VOID = {"tenant": "acme", "event_key": "n1", "why": "a test call"}


def voided(api: Api, body: object, *, key: str = ""):
    return api.post(body, "/api/v1/void", key=key)


def test_an_event_is_taken_out_once_and_on_record(api: Api):
    api.post([native("n1", 5), native("n2", 2)])
    key = api.key(Scope.INGEST)

    first, again = voided(api, VOID, key=key), voided(api, VOID, key=key)

    assert (first.status_code, first.json()["state"]) == (200, "voided")
    assert (again.status_code, again.json()["state"]) == (200, "already")
    assert api.value() == 2
    kept = api.store.events.event("acme", first.json()["void_key"])
    (stored,) = [k for k in api.store.keys.list() if k.used_at and k.scopes == (Scope.INGEST,)][1:]
    assert kept.attributes() == {"who": f"key {stored.id}", "why": "a test call"}
    assert api.letters() == []


def test_an_event_is_named_by_its_source_and_id(api: Api):
    api.post(cloud_event("e1", 7))

    response = voided(api, {"tenant": "acme", "source": "gateway", "id": "e1", "why": "twice"})

    assert response.json() == {
        "state": "voided",
        "tenant": "acme",
        "event_key": "7:gateway2:e1",
        "void_key": "void:7:gateway2:e1",
    }
    assert api.value() == 0


def test_a_void_that_comes_first_waits_and_wins(api: Api):
    assert voided(api, VOID).json()["state"] == "waiting"

    api.post(native("n1", 5))

    assert api.value() == 0
    assert voided(api, VOID).json()["state"] == "already"


def test_a_void_takes_no_other_events_key(api: Api):
    api.post([native("n1", 5), native("n2", 2)])

    taken = voided(api, {**VOID, "key": "n2"})

    assert problem(taken) == (409, "key-taken")
    assert (api.value(), api.letters()) == (7, [])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"why": " "}, 400),
        ({"event_key": ""}, 400),
        ({"source": "a", "id": "b"}, 400),
        ({"event_key": "", "source": "a"}, 400),
        ({"colour": "red"}, 400),
        ({"tenant": "nobody"}, 404),
        ({"event_key": "k" * 600}, 422),
        ({"key": "n1"}, 422),
    ],
)
def test_a_void_that_cannot_be_meant_stores_nothing(api: Api, change, status):
    api.post(native("n1", 5))

    response = voided(api, {**VOID, **change})

    assert response.status_code == status
    assert (api.value(), api.letters()) == (5, [])
    assert len(api.store.events.events().elements) == 1


def test_a_tenants_key_voids_nothing_of_another_tenant(api: Api):
    api.post(native("n1", 5))

    response = voided(api, VOID, key=api.key(Scope.INGEST, tenant="beta"))

    assert problem(response) == (404, "not-found")
    assert api.value() == 5
