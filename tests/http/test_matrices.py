"""Who sees what, by every operation of the OpenAPI document: no key of one tenant reaches another's
things, and each scope opens what the document says.

The requests are made from the document: a new operation is asked too, without a line here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import HOUR
from tallystick.domain.mapping import Mapping
from tallystick.domain.tenant import Tenant
from tallystick.publishers import ROUTES
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tallystick.testing.factories import publication
from tests.http.conftest import AUDIT, NOW, Api, native
from tests.http.test_bad_input import problem
from tests.http.test_openapi import CLOSED, DOCUMENT

OWN, OTHER, NOBODY = "acme", "rival4711", "nobody4711"
EVENT, REASON = f"{OTHER}-event", f"a word of {OTHER}"
PLACES = ("customer", "external_subscription_id", "subject", "tenant")
"""What names a tenant, in a path, a query or a body."""

PATHS = {"meter": "requests", "transaction_id": EVENT, "identifier": "any"}
BODIES: dict[str, Any] = {
    "post_events": lambda tenant: {**native(), "TenantID": tenant},
    "post_lago_batch": lambda tenant: {
        "events": [{"transaction_id": "l", "external_subscription_id": tenant, "code": "requests"}]
    },
}
"""Bodies that the document leaves open, being of many formats."""

VALUES = {"string": "x", "integer": 60, "boolean": False, "array": [], "object": {}}


@dataclass(frozen=True)
class Asked:
    """One request."""

    operation: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: object = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.query or ''}"


def of_schema(schema: Any, tenant: str) -> object:
    """The least body that the schema takes, with the tenant wherever it may be named."""
    if "$ref" in schema:
        return of_schema(DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]], tenant)
    found: dict[str, object] = {}
    for name, part in schema.get("properties", {}).items():
        kinds = [one.get("type") for one in part.get("anyOf", [part])]
        if name in PLACES and tenant:
            found[name] = [tenant] if "array" in kinds else tenant
        elif name in schema.get("required", ()):
            found[name] = part["enum"][0] if "enum" in part else VALUES[kinds[0]]
    return found


def asked(path: str, method: str, operation: Any, tenant: str) -> Iterator[Asked]:
    """The requests that name this tenant, one for each place; for '' the one that names none."""
    name, parameters = operation["operationId"], operation.get("parameters", ())
    names = [p["name"] for p in parameters if p["in"] == "path"]
    inside = {n: PATHS.get(n, OWN) for n in names}
    body = None
    if content := operation.get("requestBody", {}).get("content"):
        schema = next(iter(content.values()))["schema"]
        body = of_schema(schema, tenant) if schema else BODIES[name](tenant or OWN)
        names_one = schema and of_schema(schema, "") != body
        if tenant and (names_one or not schema):
            least = of_schema(schema, "") if schema else None
            yield Asked(name, method, path.format(**inside), body=body)
            body = least if schema else BODIES[name](OWN)
    plain = Asked(name, method, path.format(**inside), body=body)
    if not tenant:
        yield plain
        return
    for parameter in parameters:
        if parameter["name"] not in PLACES:
            continue
        if parameter["in"] == "path":
            named = path.format(**{**inside, parameter["name"]: tenant})
            yield replace(plain, path=named)
        else:
            yield replace(plain, query={parameter["name"]: tenant})


def sent(api: Api, request: Asked, key: str) -> Any:
    headers = {"authorization": f"Bearer {key}"}
    return api.client.request(
        request.method, request.path, params=request.query, json=request.body, headers=headers
    )


NAMING = [
    (operation["x-scope"], request)
    for path, method, operation in CLOSED
    for request in asked(path, method, operation, OTHER)
]
NOT_NAMING = [
    (operation["x-scope"], request)
    for path, method, operation in CLOSED
    for request in asked(path, method, operation, "")
]


@pytest.fixture
def shared(api: Api) -> Api:
    """A second tenant with something of every kind, each of which shows its name."""
    api.store.catalog.save(Tenant(id=OTHER), replace(AUDIT, why=REASON, subject=OTHER))
    mapping = Mapping(
        tenant=OTHER,
        meter="requests",
        route="stripe.hour_meter",
        destination=f"cus_{OTHER}",
        counter="requests",
        publish_from=NOW,
    )
    api.store.catalog.save(mapping, AUDIT)
    api.post({**native(EVENT, 5), "TenantID": OTHER})
    api.post({**native("bad", "much"), "TenantID": OTHER})
    api.clock.sleep(2 * HOUR)
    seal(api.store, ROUTES, api.clock.now(), limits=SealLimits())
    (due,) = api.store.outbox.slots_due().elements
    assert api.store.outbox.intend([publication(due.slot)]) == (True,)
    return api


def test_every_way_to_name_a_tenant_is_asked():
    operations = {operation["operationId"] for _, _, operation in CLOSED}

    assert {request.operation for _, request in NOT_NAMING} == operations
    assert len({request.operation for _, request in NAMING}) >= 18


@pytest.mark.parametrize(("scope", "request_"), NAMING, ids=str)
def test_a_tenants_key_that_names_another_tenant_finds_nothing(
    shared: Api, scope: str, request_: Asked
):
    scopes = [s for s in Scope if s is not Scope.ADMIN]
    before = len(shared.store.events.events(OTHER).elements)

    answer = sent(shared, request_, shared.key(*scopes, tenant=OWN))

    if scope == Scope.ADMIN:  # no key of one tenant has it
        assert problem(answer) == (403, "scope-missing")
        return
    assert problem(answer) == (404, "not-found")
    assert len(shared.store.events.events(OTHER).elements) == before
    unknown = Asked(
        request_.operation,
        request_.method,
        request_.path.replace(OTHER, NOBODY),
        dict.fromkeys(request_.query, NOBODY),
        _renamed(request_.body),
    )
    nothing = sent(shared, unknown, shared.key(*scopes, tenant=OWN))
    assert {**answer.json(), "instance": ""} == {**nothing.json(), "instance": ""}


def _renamed(body: object) -> object:
    match body:
        case dict():
            return {name: _renamed(part) for name, part in body.items()}
        case list():
            return [_renamed(part) for part in body]
    return NOBODY if body == OTHER else body


@pytest.mark.parametrize(("scope", "request_"), NOT_NAMING, ids=str)
def test_a_tenants_key_is_shown_nothing_of_another(shared: Api, scope: str, request_: Asked):
    scopes = [s for s in Scope if s is not Scope.ADMIN]

    answer = sent(shared, request_, shared.key(*scopes, tenant=OWN))

    assert OTHER not in answer.text.replace(EVENT, "")
    if scope == Scope.ADMIN:
        assert problem(answer) == (403, "scope-missing")


def test_what_a_tenants_key_must_not_see_is_there_to_be_seen(shared: Api):
    key = shared.key(Scope.ADMIN)
    shown = {
        request.operation
        for scope, request in NOT_NAMING
        if scope == Scope.READ and OTHER in sent(shared, request, key).text
    }

    assert shown >= {
        "find_lago_event",
        "list_entries",
        "list_events",
        "list_letters",
        "list_overrides",
        "list_publications",
        "list_tenants",
        "get_usage",
    }


@pytest.mark.parametrize(("scope", "request_"), NOT_NAMING, ids=str)
def test_each_scope_opens_what_the_document_says(shared: Api, scope: str, request_: Asked):
    for one in Scope:
        answer = sent(shared, request_, shared.key(one))
        is_open = one in (scope, Scope.ADMIN)
        assert (answer.status_code in (401, 403)) is not is_open, answer.text
    assert sent(shared, request_, "nobody").status_code == 401
