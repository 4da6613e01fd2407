"""The application: its routes, what each request is wrapped in, and what errors become."""

import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.domain.errors import InvalidSetting, NotFound, StoreUnavailable
from tallystick.entrypoints.http.books import (
    get_lineage,
    get_usage,
    list_entries,
    list_letters,
    list_publications,
    pause,
    replay_letters,
    resume,
)
from tallystick.entrypoints.http.events import post_events, post_lago_batch
from tallystick.entrypoints.http.health import healthz, readyz
from tallystick.entrypoints.http.listings import list_events
from tallystick.entrypoints.http.meters import create_meter, get_meter, list_meters
from tallystick.entrypoints.http.openapi import document, get_openapi
from tallystick.entrypoints.http.problems import (
    Problem,
    not_found,
    problem_response,
    request_id,
    unavailable,
)
from tallystick.entrypoints.http.queries import get_query, post_query
from tallystick.entrypoints.http.service import Service
from tallystick.entrypoints.http.settling import settle
from tallystick.entrypoints.http.tenants import (
    change_tenant,
    create_tenant,
    get_tenant,
    list_tenants,
)

ROUTES: Final = (
    Route("/api/v1/events", post_events, methods=["POST"]),
    Route("/api/v1/events", list_events, methods=["GET"]),
    Route("/api/v1/events/batch", post_lago_batch, methods=["POST"]),
    Route("/api/v1/meters", list_meters, methods=["GET"]),
    Route("/api/v1/meters", create_meter, methods=["POST"]),
    Route("/api/v1/meters/{meter}", get_meter, methods=["GET"]),
    Route("/api/v1/meters/{meter}/query", get_query, methods=["GET"]),
    Route("/api/v1/meters/{meter}/query", post_query, methods=["POST"]),
    Route("/api/v1/tenants", list_tenants, methods=["GET"]),
    Route("/api/v1/tenants", create_tenant, methods=["POST"]),
    Route("/api/v1/tenants/{tenant}", get_tenant, methods=["GET"]),
    Route("/api/v1/tenants/{tenant}", change_tenant, methods=["PUT"]),
    Route("/api/v1/usage", get_usage, methods=["GET"]),
    Route("/api/v1/ledger", list_entries, methods=["GET"]),
    Route("/api/v1/publications", list_publications, methods=["GET"]),
    Route("/api/v1/publications/{identifier}/lineage", get_lineage, methods=["GET"]),
    Route("/api/v1/publications/{identifier}/settle", settle, methods=["POST"]),
    Route("/api/v1/dead-letters", list_letters, methods=["GET"]),
    Route("/api/v1/dead-letters/replay", replay_letters, methods=["POST"]),
    Route("/api/v1/pause", pause, methods=["POST"]),
    Route("/api/v1/resume", resume, methods=["POST"]),
    Route("/openapi.json", get_openapi, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
)


def build_api(service: Service) -> ASGIApp:
    """The ASGI application; when it is shut down, what was asked for is done first."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    api = Starlette(
        routes=ROUTES,
        exception_handlers={
            Problem: _problem,
            StoreUnavailable: _store_away,
            NotFound: _nothing_there,
            InvalidSetting: _cannot_be_meant,
            HTTPException: _refused_by_routing,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    api.state.service = service
    api.state.openapi = document(ROUTES)
    return Wrapping(api)


class Wrapping:
    """Gives each request an id that its answer and its log lines carry, and safe headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = secrets.token_hex(8)
        scope["tallystick.request_id"] = name

        async def send_wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = name
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_wrapped)


# ── What errors become ────────────────────────────────────────────────────────────────────────────


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  # registered for no other
    return problem_response(request, error)


def _store_away(request: Request, error: Exception) -> Response:
    _log(request, "store unavailable", error)
    return problem_response(request, unavailable())


def _nothing_there(request: Request, error: Exception) -> Response:
    return problem_response(request, not_found(str(error)))


def _cannot_be_meant(request: Request, error: Exception) -> Response:
    problem = Problem(status=400, kind="invalid-parameter", detail=str(error))
    return problem_response(request, problem)


def _refused_by_routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for no other
    if error.status_code == 405:
        detail = f"{request.method} is not for this path"
        headers = error.headers or {}
        problem = Problem(status=405, kind="method-not-allowed", detail=detail, headers=headers)
        return problem_response(request, problem)
    return problem_response(request, not_found("there is nothing at this path"))


def _broken(request: Request, error: Exception) -> Response:
    _log(request, "unexpected error", error)
    detail = "a bug: please report it with the request's id; nothing was acknowledged"
    return problem_response(request, Problem(status=500, kind="out-of-order", detail=detail))


def _log(request: Request, what: str, error: Exception) -> None:
    line = {
        "event": what,
        "request": request_id(request),
        "method": request.method,
        "path": request.url.path,
        "error": f"{type(error).__name__}: {error}",
    }
    print(json.dumps(line), file=sys.stderr)
