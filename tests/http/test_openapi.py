"""The OpenAPI document says what the routes do."""

import json

import pytest
from starlette.routing import Route

from tallystick.domain.api_key import Scope
from tallystick.entrypoints.http.api import ROUTES
from tallystick.entrypoints.http.openapi import OPERATIONS, document
from tests.docs.test_quickstart import ROOT
from tests.http.conftest import Api

FILE = ROOT / "docs" / "openapi.json"
DOCUMENT = document(ROUTES)
CLOSED = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if "security" in operation
]
each_closed = pytest.mark.parametrize(
    ("path", "method", "operation"), CLOSED, ids=[f"{m} {p}" for p, m, _ in CLOSED]
)


def test_the_committed_document_is_the_one_that_is_served(api: Api):
    served = api.client.get("/openapi.json")

    assert served.json() == DOCUMENT
    assert json.loads(FILE.read_text(encoding="utf-8")) == DOCUMENT, (
        "docs/openapi.json is stale: fetch /openapi.json into it"
    )


def test_every_route_is_described_and_nothing_else():
    names = {route.endpoint.__name__ for route in ROUTES if isinstance(route, Route)}

    assert names == set(OPERATIONS)
    assert all("description" in operation for _, _, operation in CLOSED)


def test_every_reference_leads_somewhere():
    schemas = DOCUMENT["components"]["schemas"]
    text = json.dumps(DOCUMENT)
    found = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert found <= set(schemas)


@each_closed
def test_a_route_opens_for_its_scope_only_and_answers_what_is_written(
    api: Api, path: str, method: str, operation
):
    path = path.replace("{tenant}", "acme").replace("{meter}", "requests").replace("{", "x{")
    written = set(operation["responses"])

    for scope in Scope:
        names = {
            "authorization": f"Bearer {api.key(scope)}",
            "content-type": "application/json",
            "if-match": "*",
        }
        response = api.client.request(method.upper(), path, content=b"{}", headers=names)
        is_open = scope in (operation["x-scope"], Scope.ADMIN)
        assert (response.status_code != 403) is is_open
        assert str(response.status_code) in written, response.text


@pytest.mark.parametrize(
    "path",
    [
        path
        for path, method, operation in CLOSED
        if method == "get" and any(p["in"] == "query" for p in operation.get("parameters", ()))
    ],
)
def test_a_parameter_that_is_not_written_is_refused(api: Api, path: str):
    names = {"authorization": f"Bearer {api.key(Scope.READ)}"}
    path = path.replace("{meter}", "requests")

    assert api.client.get(f"{path}?nobody=knows", headers=names).status_code == 400
