"""Who may do what: keys, scopes, ends, tenants."""

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import HOUR, SECOND
from tests.http.conftest import AUDIT, NOW, Api, cloud_event, counts, envelope, native
from tests.http.test_bad_input import nothing_is_stored, problem


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer nobody",
        "Bearer " + "x" * 10_000,
        "tally_test_0",
    ],
)
def test_without_a_key_nothing_opens(api: Api, header):
    api.key(Scope.INGEST)
    names = {"content-type": "application/json"}
    if header is not None:
        names["authorization"] = header

    response = api.client.post("/api/v1/events", content=b"no json", headers=names)

    assert problem(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ((Scope.INGEST,), 204),
        ((Scope.ADMIN,), 204),
        ((Scope.READ, Scope.INGEST), 204),
        ((Scope.READ,), 403),
        ((Scope.PUBLISH,), 403),
    ],
)
def test_a_key_does_only_what_its_scopes_say(api: Api, scopes, status):
    response = api.post(native(), key=api.key(*scopes))

    assert response.status_code == status
    assert nothing_is_stored(api) is (status != 204)


def test_a_key_ends(api: Api):
    key = api.key(Scope.INGEST, expires_at=NOW + HOUR)
    assert api.post(native(), key=key).status_code == 204

    api.clock.sleep(HOUR)

    assert problem(api.post(native(), key=key)) == (401, "unauthorized")


def test_a_revoked_key_opens_nothing_after_two_seconds(api: Api):
    key = api.key(Scope.INGEST)
    api.post(native(), key=key)
    (stored,) = api.store.keys.list()

    api.store.keys.revoke(stored.id, NOW, AUDIT)
    api.clock.sleep(2 * SECOND)

    assert problem(api.post(native(), key=key)) == (401, "unauthorized")


def test_the_use_of_a_key_is_noted_once_an_hour(api: Api):
    key = api.key(Scope.INGEST)
    noted = []
    for _ in range(4):
        api.post(native(), key=key)
        noted.append(api.store.keys.list()[0].used_at)
        api.clock.sleep(HOUR // 2)

    assert noted == [NOW, NOW, NOW + HOUR, NOW + HOUR]


def test_the_text_of_a_key_is_in_no_answer(api: Api):
    key = api.key(Scope.READ)

    assert key not in api.post(native(), key=key).text


# ── One tenant's keys ─────────────────────────────────────────────────────────────────────────────

LAGO = {"transaction_id": "l", "code": "requests", "external_subscription_id": "other"}
FOREIGN = (
    cloud_event(subject="other"),
    {**native(), "TenantID": "other"},
    {"tenant": "other", "code": "requests", "key": "k"},
    {"event": LAGO},
    LAGO,
    {"tenant": "other", "key": "v", "voids": "n1"},
    {**native(quantity="much"), "TenantID": "other"},
    {"event": {"external_subscription_id": "other"}},
    envelope({**native(), "TenantID": "other"}),
    envelope({"TenantID": "other", "Quantity": "much"}),
    envelope({"TenantID": "other"}, "ONBOARD"),
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_tenants_key_reports_for_no_other_tenant(api: Api, foreign):
    key = api.key(Scope.INGEST, tenant="acme")

    alone, among = api.post(foreign, key=key), api.post([native(), foreign], key=key)

    assert problem(alone) == problem(among) == (404, "not-found")
    assert among.json()["errors"][0]["pointer"] == "/1"
    assert nothing_is_stored(api)


def test_whether_the_other_tenant_exists_does_not_show(api: Api):
    key = api.key(Scope.INGEST, tenant="nobody")

    known = api.post({**native(), "TenantID": "acme"}, key=key).json()
    unknown = api.post({**native(), "TenantID": "zzz"}, key=key).json()

    assert {**known, "instance": ""} == {**unknown, "instance": ""}


def test_a_tenants_key_reports_for_its_own_tenant(api: Api):
    key = api.key(Scope.INGEST, tenant="acme")

    assert counts(api.post([native(), cloud_event()], key=key)) == {"recorded": 2}
    assert counts(api.post(native("x", "much"), key=key)) == {"dead_letter": 1}


def test_lines_for_another_tenant_end_the_request_and_say_what_is_stored(api: Api):
    key = api.key(Scope.INGEST, tenant="acme")
    ours = b'{"TenantID":"acme","ProductCode":"requests","EventID":"%d"}\n'
    lines = b"".join(ours % n for n in range(1_000)) + ours.replace(b"acme", b"other") % 9

    response = api.post(lines, key=key, content_type="application/x-ndjson")

    assert problem(response) == (404, "not-found")
    assert response.json()["lines_stored"] == 1_000
    assert response.json()["errors"][0]["pointer"] == "/1000"
    assert api.value() == 1_000


# ── Health ────────────────────────────────────────────────────────────────────────────────────────


def test_health_needs_no_key_and_names_what_is_not_ready(api: Api):
    assert api.client.get("/healthz").json() == {"status": "ok"}
    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)

    api.store.close()

    broken = api.client.get("/readyz")
    assert broken.status_code == 503
    assert broken.json() == {"ready": False, "parts": {"store": "does not answer"}}
    assert api.client.get("/healthz").status_code == 200
