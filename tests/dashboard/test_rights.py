"""Each page asks for its scope, and a key of one tenant finds that tenant and nothing else."""

import re

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.dashboard.rendering import environment
from tallystick.entrypoints.dashboard.site import EMBEDDED, PAGES
from tests.dashboard.conftest import Person, signed_in
from tests.dashboard.markup import read
from tests.http.conftest import AUDIT, Api, native

OPEN = ("/sign-in", "/sign-out", "/static/{name:path}")
SEEN = [r.path for r in PAGES if "GET" in (r.methods or ()) and r.path not in OPEN]
DONE = [r.path for r in PAGES if "POST" in (r.methods or ()) and r.path not in OPEN]
FOR_ADMINS = {"/keys"}
NEEDS = {
    "/sending": Scope.PUBLISH,
    "/settle": Scope.PUBLISH,
    "/reconciliation": Scope.PUBLISH,
    "/dead-letters": Scope.ADMIN,
    "/meters": Scope.ADMIN,
    "/keys": Scope.ADMIN,
    "/keys/revoke": Scope.ADMIN,
}
SHARED = {"/live", "/publications", "/publication", "/entry", "/reconciliation",
          "/reconciliation/run"}  # fmt: skip


def status_of(person: Person, method: str, path: str) -> int:
    url = f"/dashboard{path}?id=acme"
    names = {"cookie": person.cookie}
    sent = {"csrf": person.csrf()} if method == "POST" else None
    return person.api.client.request(
        method, url, data=sent, headers=names, follow_redirects=False
    ).status_code


@pytest.mark.parametrize("path", SEEN)
def test_who_may_read_sees_every_page_but_the_keys(api: Api, path):
    reader = signed_in(api, Scope.READ)

    refused = 403 if path in FOR_ADMINS else None
    found = status_of(reader, "GET", path)
    assert found == (refused or (404 if path in ("/publication", "/entry") else 200))
    assert status_of(signed_in(api), "GET", path) in (200, 404)


@pytest.mark.parametrize("path", DONE)
def test_what_is_done_asks_for_its_scope(api: Api, path):
    assert set(NEEDS) == set(DONE)
    publisher = signed_in(api, Scope.READ, Scope.PUBLISH)

    assert status_of(signed_in(api, Scope.READ), "POST", path) == 403
    assert (status_of(publisher, "POST", path) == 403) is (NEEDS[path] is Scope.ADMIN)
    assert status_of(signed_in(api), "POST", path) != 403


@pytest.mark.parametrize("path", SEEN)
def test_a_key_of_one_tenant_finds_nothing_that_tenants_share(api: Api, path):
    bound = signed_in(api, Scope.READ, tenant="acme")

    wanted = 404 if path in SHARED else 403 if path in FOR_ADMINS else 200
    assert status_of(bound, "GET", path) == (303 if path == "/" else wanted)


@pytest.mark.parametrize("path", ["/tenant", "/tenant/now", "/tenant/usage.csv"])
def test_another_tenant_is_not_there_for_a_key_of_one(api: Api, path):
    api.store.catalog.save(Tenant(id="beta", name="Secret Ltd"), AUDIT)
    bound = signed_in(api, Scope.READ, tenant="acme")

    there, nowhere = (
        bound.get(f"{path}?id={name}", status=404).text for name in ("beta", "nobody")
    )

    assert re.sub("[0-9a-f]{16}", "", there) == re.sub("[0-9a-f]{16}", "", nowhere)
    assert "Secret" not in there


def test_listings_show_a_key_of_one_tenant_its_own(api: Api):
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    api.post([{**native("a"), "ProductCode": "odd"},
              {**native("b"), "ProductCode": "odd", "TenantID": "beta"}])  # fmt: skip
    bound = signed_in(api, Scope.READ, tenant="acme")

    assert [row[0] for row in bound.main("/tenants?q=beta").table()] == ["acme"]
    letters = bound.main("/dead-letters")
    assert len(letters.all("li", **{"class": "letter"})) == 1
    assert "beta" not in letters.text


def test_a_key_of_one_tenant_pauses_that_one_alone(api: Api):
    bound = signed_in(api, Scope.READ, Scope.PUBLISH, tenant="acme")

    bound.post("/sending", action="pause", tenant="acme", why="they asked")
    for other in ("", "beta"):
        bound.post("/sending", action="pause", tenant=other, why="they asked", status=404)

    assert set(api.store.catalog.switches()) == {"pause:acme"}


# ── What a browser is told ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [*SEEN, "/sign-in", "/nothing", "/static/style.css"])
def test_every_answer_keeps_a_browser_from_foreign_things(admin: Person, path):
    answer = admin.api.client.get(f"/dashboard{path}", headers={"cookie": admin.cookie})

    policy = dict(
        p.strip().split(" ", 1) for p in answer.headers["content-security-policy"].split(";")
    )
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
    assert set(policy.values()) == {"'self'"}
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert path.startswith("/static") or answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", sorted(environment().list_templates(extensions=["html"])))
def test_no_template_holds_a_script_a_style_or_a_foreign_address(name):
    source = environment().loader.get_source(environment(), name)[0]

    assert not re.search(
        r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|\shx-on|javascript:", source
    )
    assert not re.search(r"(?:src|href|action|hx-get|hx-post)=\"(?:https?:)?//", source)
    assert "|safe" not in source
    assert "autoescape" not in source


def test_what_callers_named_is_text_on_every_page(api: Api):
    name = "<script>alert('x')</script>&'"
    api.store.catalog.save(Tenant(id=name, name=name), AUDIT)
    api.post([{**native("a"), "TenantID": name},
              {**native("b"), "ProductCode": name}, {**native("c"), "Quantity": name}])  # fmt: skip
    admin = signed_in(api)
    admin.post("/meters", slug=name, aggregation="SUM", path="$.quantity")
    admin.post("/keys", name=name, scope="read", status=200)

    for path in ("/", "/live", "/tenants", "/dead-letters?all=1", "/meters", "/keys"):
        page = read(admin.get(path).text)
        assert all(script.attributes.get("src") for script in page.all("script")), path
        assert name in page.text, path
    link = admin.main("/tenants").links()[name]
    assert name in read(admin.get(link.removeprefix("/dashboard")).text).one("h1").text


def test_an_error_is_a_page_that_says_what_to_do(admin: Person):
    nowhere = admin.see("/nothing", status=404)
    assert nowhere.one("h1").text == "There is no such thing"
    assert nowhere.links()["Back to the overview"] == "/dashboard/"

    wrong = admin.see("/tenants?cursor=x", status=400)
    assert "begin without one" in wrong.one("p", role="alert").text
    assert admin.get("/meters/", status=307)


def test_the_front_door_leads_to_the_pages(api: Api):
    answer = api.client.get("/", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
    assert {route.path for route in EMBEDDED} == {"/usage", "/usage/now"}
