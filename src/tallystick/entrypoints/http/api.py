"""The application: its routes, and what each request is wrapped in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallystick.entrypoints.dashboard.site import dashboard_routes
from tallystick.entrypoints.http.auditing import list_overrides
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
from tallystick.entrypoints.http.failing import FAILURES, problem_for
from tallystick.entrypoints.http.health import healthz, readyz
from tallystick.entrypoints.http.lago_reading import find_lago_event, get_current_usage
from tallystick.entrypoints.http.listings import list_events
from tallystick.entrypoints.http.mappings import (
    get_mapping,
    list_mappings,
    put_mapping,
    unmap,
)
from tallystick.entrypoints.http.meters import (
    create_meter,
    delete_meter,
    get_meter,
    list_meters,
    update_meter,
)
from tallystick.entrypoints.http.observing import Observing, Routes
from tallystick.entrypoints.http.openapi import document, get_openapi
from tallystick.entrypoints.http.problems import problem_response
from tallystick.entrypoints.http.queries import get_query, post_query
from tallystick.entrypoints.http.reconciliation import (
    begin_reconciling,
    get_reconciliation,
    list_lines,
)
from tallystick.entrypoints.http.scraping import get_metrics
from tallystick.entrypoints.http.service import Service
from tallystick.entrypoints.http.settling import settle
from tallystick.entrypoints.http.straight import Straight
from tallystick.entrypoints.http.tenants import (
    change_tenant,
    create_tenant,
    get_tenant,
    list_tenants,
)
from tallystick.entrypoints.http.tokens import make_token
from tallystick.entrypoints.http.voids import post_void
from tallystick.entrypoints.http.webhooks import post_stripe

ROUTES: Final = (
    Route("/api/v1/events", post_events, methods=["POST"]),
    Route("/api/v1/events", list_events, methods=["GET"]),
    Route("/api/v1/events/batch", post_lago_batch, methods=["POST"]),
    Route("/api/v1/events/{transaction_id:path}", find_lago_event, methods=["GET"]),
    Route("/api/v1/customers/{customer}/current_usage", get_current_usage, methods=["GET"]),
    Route("/api/v1/meters", list_meters, methods=["GET"]),
    Route("/api/v1/meters", create_meter, methods=["POST"]),
    Route("/api/v1/meters/{meter}", get_meter, methods=["GET"]),
    Route("/api/v1/meters/{meter}", update_meter, methods=["PUT"]),
    Route("/api/v1/meters/{meter}", delete_meter, methods=["DELETE"]),
    Route("/api/v1/meters/{meter}/query", get_query, methods=["GET"]),
    Route("/api/v1/meters/{meter}/query", post_query, methods=["POST"]),
    Route("/api/v1/tenants", list_tenants, methods=["GET"]),
    Route("/api/v1/tenants", create_tenant, methods=["POST"]),
    Route("/api/v1/tenants/{tenant}", get_tenant, methods=["GET"]),
    Route("/api/v1/tenants/{tenant}", change_tenant, methods=["PUT"]),
    Route("/api/v1/tenants/{tenant}/mappings", list_mappings, methods=["GET"]),
    Route("/api/v1/tenants/{tenant}/mappings/{meter}", get_mapping, methods=["GET"]),
    Route("/api/v1/tenants/{tenant}/mappings/{meter}", put_mapping, methods=["PUT"]),
    Route("/api/v1/tenants/{tenant}/mappings/{meter}/end", unmap, methods=["POST"]),
    Route("/api/v1/usage", get_usage, methods=["GET"]),
    Route("/api/v1/ledger", list_entries, methods=["GET"]),
    Route("/api/v1/publications", list_publications, methods=["GET"]),
    Route("/api/v1/publications/{identifier}/lineage", get_lineage, methods=["GET"]),
    Route("/api/v1/publications/{identifier}/settle", settle, methods=["POST"]),
    Route("/api/v1/reconciliation", get_reconciliation, methods=["GET"]),
    Route("/api/v1/reconciliation", begin_reconciling, methods=["POST"]),
    Route("/api/v1/reconciliation/lines", list_lines, methods=["GET"]),
    Route("/api/v1/dead-letters", list_letters, methods=["GET"]),
    Route("/api/v1/dead-letters/replay", replay_letters, methods=["POST"]),
    Route("/api/v1/void", post_void, methods=["POST"]),
    Route("/api/v1/pause", pause, methods=["POST"]),
    Route("/api/v1/resume", resume, methods=["POST"]),
    Route("/api/v1/tokens", make_token, methods=["POST"]),
    Route("/webhooks/stripe", post_stripe, methods=["POST"]),
    Route("/api/v1/audit", list_overrides, methods=["GET"]),
    Route("/openapi.json", get_openapi, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", get_metrics, methods=["GET"]),
)


def build_api(service: Service) -> ASGIApp:
    """The ASGI application; when it is shut down, what was asked for is done first."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    api = Starlette(
        routes=(*ROUTES, *dashboard_routes(service)),
        exception_handlers=dict.fromkeys(FAILURES, _refused),
        lifespan=lifespan,
    )
    api.state.service = service
    api.state.openapi = document(ROUTES)
    straight = Straight(api, "/api/v1/events", post_events, _refused)
    return Observing(straight, Routes(api.routes), service.metrics, service.running.spans)


async def _refused(request: Request, error: Exception) -> Response:
    # Not in a thread: the pool's first use opens files, and this answers also where none can be.
    return problem_response(request, problem_for(request, error))
