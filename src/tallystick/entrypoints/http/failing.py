"""What an error becomes that a route did not answer itself: the problem, and a line in the log."""

import json
import sys
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tallystick.domain.errors import InvalidSetting, NotFound, StoreUnavailable
from tallystick.entrypoints.http.problems import Problem, not_found, request_id, unavailable

FAILURES: Final = (Problem, StoreUnavailable, NotFound, InvalidSetting, HTTPException, Exception)
"""All that an application answers; what is not named is a bug of ours."""


def problem_for(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case StoreUnavailable():
            log_failure(request, "store unavailable", error)
            return unavailable()
        case NotFound():
            return not_found(str(error))
        case InvalidSetting():
            return Problem(status=400, kind="invalid-parameter", detail=str(error))
        case HTTPException():
            return _refused_by_routing(request, error)
    log_failure(request, "unexpected error", error)
    detail = "a bug: please report it with the request's id; nothing was acknowledged"
    return Problem(status=500, kind="out-of-order", detail=detail)


def _refused_by_routing(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 405:
        detail = f"{request.method} is not for this path"
        headers = error.headers or {}
        return Problem(status=405, kind="method-not-allowed", detail=detail, headers=headers)
    return not_found("there is nothing at this path")


def log_failure(request: Request, what: str, error: Exception) -> None:
    line = {
        "event": what,
        "request": request_id(request),
        "method": request.method,
        "path": request.url.path,
        "error": f"{type(error).__name__}: {error}",
    }
    print(json.dumps(line), file=sys.stderr)
