"""What a stranger writes into a request steers neither the answer's headers nor other's rows."""

import csv
import io

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tests.http.conftest import AUDIT, Api, api, cloud_event, make_api, native

__all__ = ["api", "make_api"]

RUN_BY_A_SPREADSHEET = ("=1+1", "+1", "-1+2", "@SUM(A1)", "\uff1d1+1")
EVIL = "x%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0aevil"


def test_a_line_end_in_a_parameter_ends_no_header(api: Api):
    key = api.key(Scope.READ, Scope.INGEST)
    for number in range(3):
        api.post(cloud_event(f"e{number}"), key=key)

    for path in (
        f"/api/v1/events?limit=1&subject=acme&id={EVIL}",
        f"/api/v1/events?limit=1&cursor={EVIL}",
        "/api/v1/events?limit=1&subject=acme",
        f"/nothing/{EVIL}",
    ):
        names = {"authorization": f"Bearer {key}", "x-request-id": "a\tb", "traceparent": EVIL}
        answer = api.client.get(path, headers=names)
        assert "set-cookie" not in answer.headers
        assert not any("\r" in text or "\n" in text for text in answer.headers.values())


def test_a_forged_cursor_shows_a_tenants_key_no_other_tenant(api: Api):
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    for number in range(4):
        api.post(cloud_event(f"e{number}", subject="acme"))
        api.post(cloud_event(f"e{number}", subject="beta"))
    bound = api.key(Scope.READ, tenant="beta")

    def subjects(cursor: str) -> list[object]:
        answer = api.client.get(
            "/api/v1/events",
            params={"from": "2026-01-31T00:00:00Z", "cursor": cursor},
            headers={"authorization": f"Bearer {bound}"},
        )
        return [row["event"]["subject"] for row in answer.json()] if answer.is_success else []

    assert subjects("") == ["beta"] * 4
    for cursor in ("[0]", "[-1]", "[1]", '["acme"]', '["acme","requests",0]', "[0,0]", "null"):
        assert set(subjects(cursor)) <= {"beta"}


@pytest.mark.parametrize("path", ["events", "tenants", "ledger", "publications", "dead-letters"])
def test_a_key_of_one_tenant_does_not_even_learn_that_another_exists(api: Api, path):
    api.store.catalog.save(Tenant(id="beta"), AUDIT)
    api.post(cloud_event("e1", subject="beta"))
    bound = api.key(Scope.READ, tenant="acme")

    def asked(tenant: str) -> tuple[int, str]:
        names = {"authorization": f"Bearer {bound}", "x-request-id": "same"}
        query = {"tenant": tenant, "subject": tenant}
        wanted = {"events": "subject"}.get(path, "tenant")
        answer = api.client.get(f"/api/v1/{path}", params={wanted: query[wanted]}, headers=names)
        return answer.status_code, answer.text.replace(tenant, "TENANT")

    assert asked("beta") == asked("nobody")
    assert "e1" not in asked("beta")[1]


@pytest.mark.parametrize("text", RUN_BY_A_SPREADSHEET)
def test_no_cell_of_a_table_runs_in_a_spreadsheet(api: Api, text: str):
    api.store.catalog.save(Tenant(id=text), AUDIT)
    api.store.catalog.save(Meter(id="calls", code="calls", dimensions=(text,)), AUDIT)
    api.post(cloud_event("e1", subject=text, type="calls", data={"quantity": 1, text: text}))

    answer = api.client.get(
        "/api/v1/meters/calls/query",
        params=[("groupBy", "subject"), ("groupBy", text)],
        headers={"authorization": f"Bearer {api.key(Scope.READ)}", "accept": "text/csv"},
    )

    cells = [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert cells.count(f"'{text}") == 3
    assert text not in cells


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/static/../../../../etc/passwd",
        "/dashboard/static/..%2f..%2f..%2fetc/passwd",
        "/dashboard/static/%2e%2e/%2e%2e/rendering.py",
        "/dashboard/static//etc/passwd",
        "/dashboard/static/..\\\\rendering.py",
        "/dashboard/static/dashboard.css%00.html",
    ],
)
def test_no_path_leads_out_of_the_static_files(api: Api, path: str):
    answer = api.client.get(path)

    assert answer.status_code in (303, 307, 404)
    assert "root:" not in answer.text
    assert "import " not in answer.text


def test_what_may_report_may_not_set_or_read_anything(api: Api):
    key = api.key(Scope.INGEST)
    names = {"authorization": f"Bearer {key}"}

    for path in ("tenants", "keys", "ledger", "publications", "dead-letters", "events"):
        assert api.client.get(f"/api/v1/{path}", headers=names).status_code in (403, 404)
    assert api.post(native(), key=key).is_success


@pytest.mark.parametrize("name", ["id", "digest", "revoked_at", "scopes", "incarnation", "version"])
def test_a_body_sets_no_field_that_is_not_the_callers(api: Api, name: str):
    """Mass assignment: a field that nobody documented is refused, and nothing is stored."""
    names = {"authorization": f"Bearer {api.key(Scope.ADMIN)}"}
    body = {"id": "gamma", name: 1} if name == "id" else {"id": "gamma", name: "x"}

    answer = api.client.post("/api/v1/tenants", json=body, headers=names)

    assert 400 <= answer.status_code < 500
    assert api.store.catalog.account("gamma") is None
