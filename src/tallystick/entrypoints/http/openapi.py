"""The OpenAPI 3.1 document, made from the routes and what is written down about each here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallystick import __version__
from tallystick.domain.api_key import Scope
from tallystick.entrypoints.http import (
    auditing,
    books,
    lago_reading,
    listings,
    mappings,
    meters,
    queries,
    reconciliation,
    settling,
    tenants,
    tokens,
    voids,
)
from tallystick.entrypoints.http.problems import PROBLEM_TYPE
from tallystick.entrypoints.http.reading import CLOUD_EVENT, CLOUD_EVENTS, JSON

LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv"
OPENAPI: Final = "application/vnd.oai.openapi+json"
REFUSED: Final = (400, 401, 403, 404, 408, 413, 415, 429, 503)
PAGE: Final = ("cursor", "limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What is to be known of one route beside its path: `answers` are the successes."""

    scope: Scope | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: type[msgspec.Struct] | None = None
    body_types: tuple[str, ...] = ()
    answers: tuple[int, ...] = (200,)
    answer_types: tuple[str, ...] = (JSON,)
    refusals: tuple[int, ...] = ()


READ, ADMIN, PUBLISH = Scope.READ, Scope.ADMIN, Scope.PUBLISH
SENT: Final = ("strict", "receipts")
OPERATIONS: Final[Mapping[str, Operation]] = {
    "post_events": Operation(
        scope=Scope.INGEST,
        query=SENT,
        headers=("Idempotency-Key", "Prefer", "Content-Encoding"),
        body_types=(JSON, CLOUD_EVENT, CLOUD_EVENTS, LINES),
        answers=(200, 204),
        refusals=(422,),
    ),
    "post_lago_batch": Operation(
        scope=Scope.INGEST, query=SENT, body_types=(JSON,), refusals=(422,)
    ),
    "list_events": Operation(scope=READ, query=listings.PARAMETERS),
    "find_lago_event": Operation(scope=READ, query=lago_reading.FINDING),
    "get_current_usage": Operation(scope=READ, query=lago_reading.USAGE),
    "list_overrides": Operation(scope=READ, query=auditing.PARAMETERS),
    "list_meters": Operation(scope=READ, query=meters.LISTING),
    "create_meter": Operation(
        scope=ADMIN, body=meters.NewMeter, body_types=(JSON,), answers=(201,), refusals=(409,)
    ),
    "get_meter": Operation(scope=READ),
    "update_meter": Operation(
        scope=ADMIN,
        headers=("If-Match",),
        body=meters.MeterChange,
        body_types=(JSON,),
        refusals=(412,),
    ),
    "delete_meter": Operation(
        scope=ADMIN, headers=("If-Match",), answers=(204,), refusals=(409, 412)
    ),
    "get_query": Operation(scope=READ, query=queries.PARAMETERS, answer_types=(JSON, CSV)),
    "post_query": Operation(
        scope=READ, body=queries.Asked, body_types=(JSON,), answer_types=(JSON, CSV)
    ),
    "list_tenants": Operation(scope=READ, query=PAGE),
    "create_tenant": Operation(
        scope=ADMIN,
        body=tenants.NewTenant,
        body_types=(JSON,),
        answers=(200, 201),
        refusals=(409,),
    ),
    "get_tenant": Operation(scope=READ),
    "change_tenant": Operation(
        scope=ADMIN,
        headers=("If-Match",),
        body=tenants.Terming,
        body_types=(JSON,),
        refusals=(412, 428),
    ),
    "list_mappings": Operation(scope=READ),
    "get_mapping": Operation(scope=READ, query=mappings.PARAMETERS),
    "put_mapping": Operation(
        scope=ADMIN,
        query=mappings.PARAMETERS,
        headers=("If-Match",),
        body=mappings.Target,
        body_types=(JSON,),
        answers=(200, 201),
        refusals=(412, 428),
    ),
    "unmap": Operation(
        scope=ADMIN,
        query=mappings.PARAMETERS,
        headers=("If-Match",),
        body=mappings.Ending,
        body_types=(JSON,),
        refusals=(412,),
    ),
    "get_usage": Operation(scope=READ, query=books.USAGE),
    "list_entries": Operation(scope=READ, query=books.ENTRIES),
    "list_publications": Operation(scope=READ, query=books.PUBLICATIONS),
    "get_lineage": Operation(scope=READ),
    "settle": Operation(
        scope=PUBLISH, body=settling.Verdict, body_types=(JSON,), refusals=(409, 412)
    ),
    "get_reconciliation": Operation(scope=READ),
    "begin_reconciling": Operation(scope=PUBLISH, answers=(202,)),
    "list_lines": Operation(scope=READ, query=reconciliation.LINES),
    "list_letters": Operation(scope=READ, query=books.LETTERS),
    "replay_letters": Operation(scope=ADMIN, body=books.Replay, body_types=(JSON,)),
    "post_void": Operation(
        scope=Scope.INGEST, body=voids.Voiding, body_types=(JSON,), refusals=(409, 422)
    ),
    "pause": Operation(scope=PUBLISH, body=books.Reason, body_types=(JSON,)),
    "resume": Operation(scope=PUBLISH, body=books.Reason, body_types=(JSON,)),
    "make_token": Operation(scope=READ, body=tokens.NewToken, body_types=(JSON,), answers=(201,)),
    "post_stripe": Operation(
        headers=("Stripe-Signature",),
        body_types=(JSON,),
        refusals=(400, 404, 408, 413, 415, 503),
    ),
    "healthz": Operation(),
    "readyz": Operation(answers=(200, 503)),
    "get_metrics": Operation(scope=READ, answer_types=("text/plain",)),
    "get_openapi": Operation(answer_types=(OPENAPI,)),
}
"""By the name of the function that answers."""


def document(routes: tuple[Route, ...]) -> dict[str, object]:
    """The whole document."""
    bodies = [o.body for o in OPERATIONS.values() if o.body is not None]
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        # Before Python 3.13 a docstring keeps its indentation.
        schema["description"] = _one_line(schema["description"])
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(route.path_format, {})[method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallystick",
            "version": __version__,
            "summary": "Count every usage event once, and tell the billing provider once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


PROBLEM: Final[Mapping[str, object]] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _operation(route: Route) -> dict[str, object]:
    name = route.endpoint.__name__
    known = OPERATIONS[name]
    told = _one_line(route.endpoint.__doc__ or "")
    found: dict[str, object] = {"operationId": name}
    if told:
        found["description"] = told
    parameters = _parameters(route, known)
    if parameters:
        found["parameters"] = parameters
    if known.body_types:
        found["requestBody"] = _request_body(known)
    found["responses"] = _responses(known)
    if known.scope is not None:
        found["security"] = [{"key": []}]
        found["x-scope"] = str(known.scope)
    return found


def _parameters(route: Route, known: Operation) -> list[dict[str, object]]:
    places = {"path": tuple(route.param_convertors), "query": known.query, "header": known.headers}
    return [
        {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
        for place, names in places.items()
        for name in names
    ]


def _request_body(known: Operation) -> dict[str, object]:
    schema: dict[str, object] = {}
    if known.body is not None:
        schema = {"$ref": f"#/components/schemas/{known.body.__name__}"}
    return {"required": True, "content": {kind: {"schema": schema} for kind in known.body_types}}


def _responses(known: Operation) -> dict[str, object]:
    refusals = (*(REFUSED if known.scope is not None else ()), *known.refusals)
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    content: dict[str, object] = {kind: {} for kind in known.answer_types}
    done = {"description": "Done.", "content": content}
    found: dict[int, object] = dict.fromkeys(known.answers, done)
    if 204 in found:
        found[204] = {"description": "Done; there is nothing to say."}
    found |= {status: {"description": "Refused.", "content": problem} for status in refusals}
    return {str(status): found[status] for status in sorted(found)}


async def get_openapi(request: Request) -> Response:
    """This document."""
    text = json.dumps(request.app.state.openapi)
    return Response(text, media_type=f"{OPENAPI};version=3.1")
