"""Tenants, usage, ledger, publications, dead letters, pausing: over HTTP as on the command line."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import HOUR, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import PAUSE, Publishing
from tallystick.stages.targeting import SealLimits
from tallystick.testing.fakes import SUM_METER, FakeProvider, FakePublisher
from tests.http.conftest import AUDIT, Api, counts, native
from tests.http.test_bad_input import problem

TENANT = {"id": "beta", "name": "Beta Ltd", "zone": "Europe/Berlin", "interval": "3 months"}


def called(api: Api, method: str, path: str, body: object = None, *, key: str = "", **names: str):
    headers = {"authorization": f"Bearer {key or api.key(Scope.ADMIN)}", **names}
    return api.client.request(method, path, json=body, headers=headers)


def elements(api: Api, path: str, *, key: str = "") -> list[dict[str, object]]:
    """All elements of a listing, page after page."""
    found, cursor = [], ""
    while True:
        joint = "&" if "?" in path else "?"
        page = api.client.get(
            path + (f"{joint}cursor={cursor}" if cursor else ""),
            headers={"authorization": f"Bearer {key or api.key(Scope.READ)}"},
        )
        assert page.status_code == 200, page.text
        found += page.json()["elements"]
        cursor = page.json()["cursor"]
        if not cursor:
            return found


# ── Tenants ───────────────────────────────────────────────────────────────────────────────────────


def test_a_tenant_is_made_once_and_counts_what_waited_for_it(api: Api):
    assert counts(api.post({**native(), "TenantID": "beta"})) == {"dead_letter": 1}

    made = called(api, "POST", "/api/v1/tenants", TENANT)
    again = called(api, "POST", "/api/v1/tenants", TENANT)
    other = called(api, "POST", "/api/v1/tenants", {**TENANT, "zone": "UTC"})

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert made.json()["terms"][0]["interval"] == "3 months"
    assert problem(other) == (409, "already-there")
    assert (api.value("beta"), api.letters()) == (5, [])
    shown = called(api, "GET", made.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])


def test_a_tenant_is_changed_by_who_read_it_last(api: Api):
    path = "/api/v1/tenants/acme"
    read = called(api, "GET", path).headers["etag"]

    unread = called(api, "PUT", path, {"zone": "Asia/Tokyo"})
    first = called(api, "PUT", path, {"zone": "Asia/Tokyo", "why": "moved"}, **{"if-match": read})
    late = called(api, "PUT", path, {"name": "Acme"}, **{"if-match": read})

    assert problem(unread) == (428, "precondition-required")
    assert problem(late) == (412, "changed-meanwhile")
    assert [terms["zone"] for terms in first.json()["terms"]] == ["UTC", "Asia/Tokyo"]
    assert first.json()["terms"][1]["effective_from"] == "2026-02-01T00:00:00Z"
    assert first.headers["etag"] == called(api, "GET", path).headers["etag"] != read
    line = next(o for o in api.store.catalog.overrides().elements if o.action == "tenants change")
    assert (line.who[:4], line.why, line.subject) == ("key ", "moved", "acme")


def test_of_several_edits_at_once_one_is_made(api: Api):
    path, key = "/api/v1/tenants/acme", api.key(Scope.ADMIN)
    read = called(api, "GET", path).headers["etag"]

    def edit(number: int) -> int:
        body = {"name": f"Acme {number}"}
        return called(api, "PUT", path, body, key=key, **{"if-match": read}).status_code

    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(edit, range(4)))

    assert sorted(codes) == [200, 412, 412, 412]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"id": ""}, "1 to 255"),
        ({"id": "b", "zone": "Mars/Base"}, "IANA"),
        ({"id": "b", "anchor": "soon"}, "RFC 3339"),
        ({"id": "b", "interval": "fortnight"}, "interval"),
        ({"id": "b", "colour": "red"}, "colour"),
        ({"name": "nobody"}, "id"),
        ([], "cannot be meant"),
    ],
)
def test_a_tenant_that_cannot_be_meant_is_not_made(api: Api, body, sentence):
    response = called(api, "POST", "/api/v1/tenants", body)

    assert problem(response)[0] == 400
    assert sentence in response.json()["detail"]
    assert len(api.store.catalog.accounts().elements) == 1


def test_tenants_come_in_pages(api: Api):
    for number in range(5):
        api.store.catalog.save(Tenant(id=f"t{number}"), AUDIT)

    found = elements(api, "/api/v1/tenants?limit=2")

    assert [tenant["id"] for tenant in found] == ["acme", "t0", "t1", "t2", "t3", "t4"]


# ── The books ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def billed(api: Api) -> Api:
    """Two tenants' usage, sealed and told to a provider; one dead letter each."""
    start = parse_instant("2026-01-01T00:00:00Z")
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    api.store.catalog.save(Meter(id="other", code="other"), AUDIT)
    for tenant in ("acme", "beta"):
        mapping = Mapping(
            tenant=tenant,
            meter="requests",
            route=SUM_METER.name,
            account="acct",
            destination=f"cus_{tenant}",
            counter="requests",
            publish_from=start,
            effective_from=start,
        )
        api.store.catalog.save(mapping, AUDIT)
        api.post([{**native(f"{tenant}1", 5), "TenantID": tenant}])
        api.post([{**native(f"{tenant}2", "much"), "TenantID": tenant}])
    api.clock.sleep(2 * HOUR)
    publisher = FakePublisher(FakeProvider(api.clock), api.clock)
    publishing = Publishing(store=api.store, publisher=publisher, clock=api.clock, limits=Limits())
    one_pass(publishing, SealLimits())
    return api


def test_usage_ledger_and_lineage_agree(billed: Api):
    usage = elements(billed, "/api/v1/usage?tenant=acme")
    (entry,) = elements(billed, "/api/v1/ledger?tenant=acme&limit=1")
    told = elements(billed, "/api/v1/publications?limit=1")

    assert [(u["meter"], u["quantity"], u["events"]) for u in usage] == [("requests", "5", 1)]
    assert (entry["total"], entry["kind"], entry["slots"][0]["quantity"]) == ("5", "seal", "5")
    assert len(told) == 2
    ours = next(p for p in told if "cus_acme" in p["slot"])
    lineage = called(billed, "GET", f"/api/v1/publications/{ours['identifier']}/lineage").json()
    assert (lineage["total"], lineage["slot"]) == ("5", ours["slot"])
    assert [event["key"] for event in lineage["lines"][0]["events"]] == ["acme1"]
    assert lineage["lines"][0]["line"] == entry["line"]


def test_dead_letters_are_listed_and_given_another_try(billed: Api):
    billed.post({**native("w", 2), "ProductCode": "new"})
    waiting = elements(billed, "/api/v1/dead-letters?waits_for=code:new")
    billed.store.catalog.save(Meter(id="new", code="new"), AUDIT)

    replayed = called(billed, "POST", "/api/v1/dead-letters/replay", {"id": waiting[0]["id"]})

    assert waiting[0]["reason"] == "unknown_code"
    assert waiting[0]["origin"].startswith("POST /api/v1/events by key ")
    assert replayed.json()["recorded"] == 1
    assert len(elements(billed, "/api/v1/dead-letters?limit=1")) == 2
    assert len(elements(billed, "/api/v1/dead-letters?all=true")) == 3
    absent = called(billed, "POST", "/api/v1/dead-letters/replay", {"id": "nothing"})
    assert problem(absent) == (404, "not-found")


@pytest.mark.parametrize("tenant", ["", "acme"])
def test_publishing_is_paused_and_resumed_on_record(billed: Api, tenant: str):
    key, body = billed.key(Scope.PUBLISH), {"why": "a bill looks wrong", "tenant": tenant}
    switch = f"{PAUSE}:{tenant}" if tenant else PAUSE

    paused = called(billed, "POST", "/api/v1/pause", body, key=key)
    assert switch in billed.store.catalog.switches()
    called(billed, "POST", "/api/v1/resume", body, key=key)

    assert paused.json() == {"paused": True, "tenant": tenant}
    assert billed.store.catalog.switches() == {}
    lines = [o for o in billed.store.catalog.overrides().elements if o.why == body["why"]]
    assert [line.action for line in lines] == ["pause", "resume"]


@pytest.mark.parametrize("body", [{}, {"why": " "}, {"why": "x", "tenat": "acme"}])
def test_a_pause_without_a_reason_is_refused(billed: Api, body):
    assert problem(called(billed, "POST", "/api/v1/pause", body))[0] == 400
    assert billed.store.catalog.switches() == {}


@pytest.mark.parametrize(("verdict", "state"), [("arrived", "confirmed"), ("absent", "rejected")])
def test_an_unsettled_publication_is_decided_once_and_on_record(billed: Api, verdict, state):
    first = elements(billed, "/api/v1/publications?unsettled=true")[0]
    path = f"/api/v1/publications/{first['identifier']}/settle"
    body = {"verdict": verdict, "why": "ticket 7"}

    decided = called(billed, "POST", path, body, key=billed.key(Scope.PUBLISH))
    again = called(billed, "POST", path, body)

    assert (decided.status_code, decided.json()["state"]) == (200, state)
    assert problem(again) == (409, "already-there")
    lines = [o for o in billed.store.catalog.overrides().elements if o.action == "settle"]
    assert [(line.why, line.subject) for line in lines] == [("ticket 7", first["identifier"])]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"verdict": "maybe", "why": "x"}, 400),
        ({"verdict": "absent", "why": ""}, 400),
        ({"verdict": "absent"}, 400),
        ({"verdict": "absent", "why": "x"}, 404),
    ],
)
def test_a_decision_that_cannot_be_meant_is_refused(billed: Api, body, status):
    path = "/api/v1/publications/nothing/settle"

    assert problem(called(billed, "POST", path, body))[0] == status
    bound = billed.key(Scope.PUBLISH, tenant="acme")
    assert problem(called(billed, "POST", path, body, key=bound))[0] == 404


# ── Who sees what ─────────────────────────────────────────────────────────────────────────────────

READS = ("tenants", "usage", "ledger", "dead-letters")


@pytest.mark.parametrize("what", READS)
def test_a_tenants_key_sees_only_its_tenant(billed: Api, what: str):
    key = billed.key(Scope.READ, tenant="beta")

    own = elements(billed, f"/api/v1/{what}", key=key)

    assert [found.get("tenant", found.get("id")) for found in own] == ["beta"]
    assert len(elements(billed, f"/api/v1/{what}")) == 2


@pytest.mark.parametrize(
    "path",
    [
        "tenants/acme",
        "tenants/zzz",
        "usage?tenant=acme",
        "ledger?tenant=acme",
        "dead-letters?tenant=acme",
        "publications",
        "publications/any/lineage",
    ],
)
def test_another_tenants_things_are_not_there(billed: Api, path: str):
    key = billed.key(Scope.READ, tenant="beta")

    assert problem(called(billed, "GET", f"/api/v1/{path}", key=key)) == (404, "not-found")


def test_a_tenants_key_pauses_its_tenant_only(billed: Api):
    key = billed.key(Scope.PUBLISH, tenant="beta")

    for tenant in ("acme", ""):
        body = {"why": "x", "tenant": tenant}
        assert problem(called(billed, "POST", "/api/v1/pause", body, key=key))[0] == 404
    assert billed.store.catalog.switches() == {}
    body = {"why": "x", "tenant": "beta"}
    assert called(billed, "POST", "/api/v1/pause", body, key=key).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        *(("GET", f"/api/v1/{what}", Scope.READ) for what in (*READS, "publications")),
        ("GET", "/api/v1/tenants/acme", Scope.READ),
        ("GET", "/api/v1/publications/x/lineage", Scope.READ),
        ("POST", "/api/v1/tenants", Scope.ADMIN),
        ("PUT", "/api/v1/tenants/acme", Scope.ADMIN),
        ("POST", "/api/v1/dead-letters/replay", Scope.ADMIN),
        ("POST", "/api/v1/pause", Scope.PUBLISH),
        ("POST", "/api/v1/resume", Scope.PUBLISH),
    ],
)
def test_each_route_asks_for_its_scope(api: Api, method: str, path: str, scope: Scope):
    for other in set(Scope) - {scope, Scope.ADMIN}:
        response = called(api, method, path, {}, key=api.key(other))
        assert problem(response) == (403, "scope-missing")
    assert problem(api.client.request(method, path)) == (401, "unauthorized")


@pytest.mark.parametrize(
    "path",
    [
        "usage?by=year",
        "usage?from=now",
        "usage?tenat=acme",
        "usage?tenant=acme&tenant=beta",
        "ledger?limit=0",
        "publications?unsettled=maybe",
        "dead-letters?cursor=x",
    ],
)
def test_a_listing_that_cannot_be_meant_is_refused(api: Api, path: str):
    assert problem(called(api, "GET", f"/api/v1/{path}")) == (400, "invalid-parameter")


def test_pages_go_on_in_the_store_that_is_used_in_earnest(make_api: Callable[..., Api], tmp_path):
    api = make_api(url=f"sqlite:///{tmp_path / 'tally.db'}")
    for number in range(5):
        api.store.catalog.save(Tenant(id=f"t{number}"), AUDIT)
        api.post({**native("x", 1), "TenantID": f"t{number}"})

    assert len(elements(api, "/api/v1/tenants?limit=2")) == 5
    assert len(elements(api, "/api/v1/dead-letters?limit=2")) == 5
    wrong = called(api, "GET", '/api/v1/tenants?cursor=[1,2,"x"]')
    assert problem(wrong) == (400, "invalid-parameter")
