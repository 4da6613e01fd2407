"""What an error becomes that a route did not answer itself: the problem, and a line in the log."""

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from tallystick.domain.errors import InvalidSetting, NotFound, StoreLost, StoreUnavailable
from tallystick.entrypoints.http.problems import Problem, not_found, unavailable
from tallystick.entrypoints.http.service import service_of
from tallystick.entrypoints.logs import note

EXPECTED: Final = (Problem, StoreUnavailable, NotFound, InvalidSetting, HTTPException)
FAILURES: Final = (*EXPECTED, Exception)
"""All that an application answers; what is not expected is a bug of ours."""


def problem_for(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case StoreLost():
            service_of(request).running.lose(error)
            log_failure("the store is lost; this process ends", error)
            return unavailable()
        case StoreUnavailable():
            log_failure("store unavailable", error)
            return unavailable()
        case NotFound():
            return not_found(str(error))
        case InvalidSetting():
            return Problem(status=400, kind="invalid-parameter", detail=str(error))
        case HTTPException():
            return _refused_by_routing(request, error)
    log_failure("unexpected error", error)
    detail = "a bug: please report it with the request's id; nothing was acknowledged"
    return Problem(status=500, kind="out-of-order", detail=detail)


def _refused_by_routing(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 405:
        detail = f"{request.method} is not for this path"
        headers = {"Allow": ", ".join(sorted(_allowed(request)))}
        return Problem(status=405, kind="method-not-allowed", detail=detail, headers=headers)
    return not_found("there is nothing at this path")


def _allowed(request: Request) -> set[str]:
    """The methods of all routes at this path: routing itself tells those of the first only."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    matching = (route for route in routes if route.path_regex.match(request.url.path))
    return {method for route in matching for method in route.methods or ()}


def log_failure(what: str, error: Exception) -> None:
    note(logging.ERROR, what, error=f"{type(error).__name__}: {error}")
