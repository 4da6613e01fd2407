"""A token reads one tenant for a while, and does nothing else."""

import pytest

from tallystick.domain.api_key import Scope, digest_of
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant
from tallystick.domain.tenant import Tenant
from tests.http.conftest import AUDIT, NOW, Api, native
from tests.http.test_bad_input import nothing_is_stored, problem


def asked(api: Api, key: str = "", **body: object):
    sent = {"tenant": "acme", **body}
    return api.post(sent, "/api/v1/tokens", key=key or api.key(Scope.READ))


def read(api: Api, token: str, path: str = "/api/v1/usage?tenant=acme"):
    return api.client.get(path, headers={"authorization": f"Bearer {token}"})


def test_a_token_reads_its_tenant_for_a_quarter_of_an_hour(api: Api):
    made = asked(api)
    token = made.json()["token"]

    assert made.status_code == 201
    assert made.json()["expires_at"] == format_instant(NOW + 15 * MINUTE)
    assert read(api, token).status_code == 200
    api.clock.sleep(15 * MINUTE - 1)
    assert read(api, token).status_code == 200
    api.clock.sleep(1)
    assert problem(read(api, token)) == (401, "unauthorized")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/usage?tenant=globex",
        "/api/v1/tenants/globex",
        "/api/v1/ledger?tenant=globex",
        "/api/v1/events?subject=globex",
        "/api/v1/dead-letters?tenant=globex",
        "/api/v1/meters/requests/query?subject=globex",
    ],
)
def test_every_other_tenant_is_not_there(api: Api, path: str):
    api.store.catalog.save(Tenant(id="globex"), AUDIT)

    assert problem(read(api, asked(api).json()["token"], path)) == (404, "not-found")


def test_a_token_reports_changes_and_makes_nothing(api: Api):
    token = asked(api).json()["token"]

    assert problem(api.post(native(), key=token)) == (403, "scope-missing")
    assert problem(asked(api, token)) == (403, "scope-missing")
    for path in ("/api/v1/pause", "/api/v1/tenants", "/api/v1/dead-letters/replay"):
        assert problem(api.post({}, path, key=token)) == (403, "scope-missing")
    assert nothing_is_stored(api)


@pytest.mark.parametrize("scope", [Scope.INGEST, Scope.PUBLISH])
def test_who_may_not_read_makes_no_token(api: Api, scope: Scope):
    assert problem(asked(api, api.key(scope))) == (403, "scope-missing")


def test_a_tenants_own_key_makes_tokens_for_that_tenant_only(api: Api):
    api.store.catalog.save(Tenant(id="globex"), AUDIT)
    bound = api.key(Scope.READ, tenant="acme")

    assert asked(api, bound).status_code == 201
    assert problem(asked(api, bound, tenant="globex")) == (404, "not-found")
    assert problem(asked(api, bound, tenant="nobody")) == (404, "not-found")


def test_for_a_tenant_that_is_not_there_is_no_token(api: Api):
    assert problem(asked(api, tenant="nobody")) == (404, "not-found")


@pytest.mark.parametrize("seconds", [1, 86_400])
def test_it_lasts_as_long_as_was_asked(api: Api, seconds: int):
    made = asked(api, expires_in=seconds)

    assert made.json()["expires_at"] == format_instant(NOW + seconds * SECOND)


@pytest.mark.parametrize("seconds", [0, -1, 86_401, 1.5, "900", None, 10**30])
def test_a_time_that_cannot_be_meant_is_refused(api: Api, seconds: object):
    assert problem(asked(api, expires_in=seconds)) == (400, "unreadable")


@pytest.mark.parametrize("body", [{"tenant": 5}, {"scope": "admin"}, {"tenant": ""}])
def test_what_nobody_can_mean_is_refused(api: Api, body: dict):
    assert asked(api, **body).status_code in (400, 404)


def test_it_ends_with_the_key_that_made_it(api: Api):
    made = asked(api, api.key(Scope.READ, expires_at=NOW + MINUTE), expires_in=900)

    assert made.json()["expires_at"] == format_instant(NOW + MINUTE)


def test_it_is_revoked_with_the_key_that_made_it(api: Api):
    token = asked(api).json()["token"]
    assert read(api, token).status_code == 200
    (maker,) = api.store.keys.list()

    api.store.keys.revoke(maker.id, NOW, AUDIT)
    api.clock.sleep(2 * SECOND)

    assert problem(read(api, token)) == (401, "unauthorized")


def test_a_key_that_was_revoked_a_moment_ago_makes_none(api: Api):
    key = api.key(Scope.READ)
    read(api, key)
    (maker,) = api.store.keys.list()

    api.store.keys.revoke(maker.id, NOW, AUDIT)

    assert problem(asked(api, key)) == (401, "unauthorized")


def test_only_its_hash_is_kept_and_it_is_in_no_listing_or_trail(api: Api):
    key = api.key(Scope.READ)
    trail = api.store.catalog.overrides().elements
    token = asked(api, key).json()["token"]

    (maker,) = api.store.keys.list()
    (kept,) = api.store.keys.list(maker=maker.id)
    assert kept.digest == digest_of(token)
    assert token not in repr(kept)
    assert api.store.catalog.overrides().elements == trail


def test_expired_ones_do_not_pile_up(api: Api):
    key = api.key(Scope.READ)
    for _ in range(48):
        asked(api, key)
        api.clock.sleep(HOUR)
    (maker,) = api.store.keys.list()

    kept = api.store.keys.list(maker=maker.id)

    assert 24 <= len(kept) <= 25
    assert all(one.expires_at > api.clock.now() - HOUR - DAY for one in kept)
