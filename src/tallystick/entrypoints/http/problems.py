"""What the API refuses, and how it says so: RFC 9457 problems with a pointer for each field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.errors import FieldError

PROBLEM_TYPE: Final = "application/problem+json"
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
NOTHING_MORE: Final[Mapping[str, object]] = MappingProxyType({})

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "already-there": "It is there already",
        "changed-meanwhile": "It is not what you read",
        "cut-off": "The request ended too early",
        "idempotency-key-required": "A report without a key of its own",
        "invalid-parameter": "A parameter that cannot be meant",
        "key-taken": "The key belongs to another event",
        "method-not-allowed": "Not by this method",
        "not-countable": "Not every report can be counted",
        "not-found": "There is no such thing",
        "not-now": "Not yet; send it again",
        "not-set-up": "This is not set up here",
        "not-signed": "Nobody we know signed this",
        "out-of-order": "Something broke here",
        "overloaded": "Too much at once",
        "precondition-required": "Say what you read",
        "scope-missing": "This key may not do that",
        "still-billed": "Somebody is billed by it",
        "too-large": "Too much in one request",
        "too-often": "More often than this key may ask",
        "too-slow": "The request did not arrive",
        "unauthorized": "No key that opens this",
        "unavailable": "The store does not answer",
        "unreadable": "This cannot be read",
        "unsupported-content": "This kind of content is not read",
    }
)
"""Every problem there is, by the last part of its type."""


@dataclass(eq=False, kw_only=True)
class Problem(Exception):
    """A refusal on its way to the caller."""

    status: int
    kind: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    more: Mapping[str, object] = field(default_factory=lambda: NOTHING_MORE)


def problem_response(request: Request, problem: Problem) -> Response:
    """The problem as its answer; `instance` names the request, as the logs do."""
    body: dict[str, object] = {
        "type": f"urn:tallystick:problem:{problem.kind}",
        "title": TITLES[problem.kind],
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:tallystick:request:{request_id(request)}",
    }
    if problem.errors:
        body["errors"] = [error_body(error) for error in problem.errors]
    return Response(
        json.dumps(body | dict(problem.more)),
        status_code=problem.status,
        media_type=PROBLEM_TYPE,
        headers=problem.headers,
    )


def error_body(error: FieldError) -> dict[str, str]:
    return {"pointer": error.pointer, "code": error.code, "detail": error.detail}


def request_id(request: Request) -> str:
    found = request.scope.get("tallystick.request_id", "")
    return found if isinstance(found, str) else ""


# ── The usual ones ────────────────────────────────────────────────────────────────────────────────


def unreadable(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    return Problem(status=400, kind="unreadable", detail=detail, errors=errors)


def invalid_parameter(name: str, detail: str) -> Problem:
    error = FieldError(pointer=name, code="invalid_parameter", detail=detail)
    return Problem(
        status=400, kind="invalid-parameter", detail=f"{name}: {detail}", errors=(error,)
    )


def not_found(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    return Problem(status=404, kind="not-found", detail=detail, errors=errors)


def too_large(detail: str) -> Problem:
    return Problem(status=413, kind="too-large", detail=detail)


def overloaded(detail: str) -> Problem:
    return Problem(status=503, kind="overloaded", detail=detail, headers={"Retry-After": "1"})


def unavailable() -> Problem:
    """The store's own words name files of this machine: they go to the log, not to callers."""
    detail = "nothing is lost: send it again, as it was; what was stored then counts once"
    return Problem(status=503, kind="unavailable", detail=detail, headers={"Retry-After": "2"})
