"""`/healthz` says that the process answers, `/readyz` which part of it is not ready."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.errors import StoreUnavailable
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.service import Service, service_of

OK: Final = "ok"
STORE_SECONDS: Final = 5


async def healthz(_: Request) -> Response:
    return json_response({"status": OK})


async def readyz(request: Request) -> Response:
    """200 where every part is ready, else 503. Open to all: it says nothing that is secret."""
    service = service_of(request)
    parts = {"store": await _store_state(service)}
    parts |= {name: state() or OK for name, state in service.parts.items()}
    is_ready = set(parts.values()) == {OK}
    body = {"ready": is_ready, "parts": parts}
    return json_response(body, status=200 if is_ready else 503)


async def _store_state(service: Service) -> str:
    try:
        async with asyncio.timeout(STORE_SECONDS):
            await service.in_thread(service.app.store.catalog.revision)
    except (StoreUnavailable, Problem, TimeoutError):
        return "does not answer"
    return OK
