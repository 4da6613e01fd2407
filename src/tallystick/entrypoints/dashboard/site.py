"""The pages' routes, and the headers that every one of them is sent with."""

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from tallystick.domain.api_key import Scope
from tallystick.entrypoints.dashboard import (
    embedding,
    keys,
    letters,
    meters,
    overview,
    publications,
    reconciliation,
    signing_in,
    tenants,
    usage,
)
from tallystick.entrypoints.dashboard.rendering import MEDIA_TYPES, assets
from tallystick.entrypoints.dashboard.sessions import Guesses, Sessions
from tallystick.entrypoints.dashboard.visiting import HOME, Desk, action, page, show_problem
from tallystick.entrypoints.http.failing import FAILURES
from tallystick.entrypoints.http.problems import not_found
from tallystick.entrypoints.http.service import Service

STATIC_CACHED: Final = "public, max-age=31536000, immutable"

SAFE: Final = (
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)


async def static_file(request: Request) -> Response:
    """The address holds the content's hash, so whoever has it need not ask again."""
    name = request.path_params["name"]
    content = assets().get(name)
    if content is None:
        raise not_found("there is nothing at this path")
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    headers = {"Cache-Control": STATIC_CACHED}
    return Response(content, media_type=media_type, headers=headers)


async def go_home(_: Request) -> Response:
    return RedirectResponse(HOME, status_code=303)


PAGES: Final = (
    Route("/", page(Scope.READ, overview.show_overview), methods=["GET"]),
    Route("/live", page(Scope.READ, overview.show_live), methods=["GET"]),
    Route("/tenants", page(Scope.READ, tenants.list_tenants), methods=["GET"]),
    Route("/tenant", page(Scope.READ, usage.show_tenant), methods=["GET"]),
    Route("/tenant/now", page(Scope.READ, usage.show_now), methods=["GET"]),
    Route("/tenant/usage.csv", page(Scope.READ, usage.download), methods=["GET"]),
    Route("/sending", action(Scope.PUBLISH, tenants.change_sending), methods=["POST"]),
    Route("/publications", page(Scope.READ, publications.list_publications), methods=["GET"]),
    Route("/publication", page(Scope.READ, publications.show_publication), methods=["GET"]),
    Route("/entry", page(Scope.READ, publications.show_entry), methods=["GET"]),
    Route("/settle", action(Scope.PUBLISH, publications.settle_publication), methods=["POST"]),
    Route("/reconciliation", page(Scope.READ, reconciliation.show_reconciliation), methods=["GET"]),
    Route("/reconciliation", action(Scope.PUBLISH, reconciliation.begin), methods=["POST"]),
    Route("/reconciliation/run", page(Scope.READ, reconciliation.show_run), methods=["GET"]),
    Route("/dead-letters", page(Scope.READ, letters.list_letters), methods=["GET"]),
    Route("/dead-letters", action(Scope.ADMIN, letters.replay_some), methods=["POST"]),
    Route("/meters", page(Scope.READ, meters.list_meters), methods=["GET"]),
    Route("/meters", action(Scope.ADMIN, meters.make_meter), methods=["POST"]),
    Route("/keys", page(Scope.ADMIN, keys.list_keys), methods=["GET"]),
    Route("/keys", action(Scope.ADMIN, keys.make_key), methods=["POST"]),
    Route("/keys/revoke", action(Scope.ADMIN, keys.revoke_key), methods=["POST"]),
    Route("/sign-in", signing_in.show_sign_in, methods=["GET"]),
    Route("/sign-in", signing_in.sign_in, methods=["POST"]),
    Route("/sign-out", signing_in.sign_out, methods=["POST"]),
    Route("/static/{name:path}", static_file, methods=["GET"]),
)
EMBEDDED: Final = (
    Route("/usage", embedding.show_shell, methods=["GET"]),
    Route("/usage/now", embedding.show_usage, methods=["GET"]),
)


class SafeHeaders:
    """What keeps a browser from running, loading or framing anything that is not ours."""

    def __init__(self, app: ASGIApp, ancestors: Sequence[str] = ()) -> None:
        self._app = app
        policy = POLICY.format(ancestors=" ".join(ancestors) or "'none'")
        framed = () if ancestors else (("X-Frame-Options", "DENY"),)
        self._headers = (*SAFE, ("Content-Security-Policy", policy), *framed)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, text in self._headers:
                    headers[name] = text
            await send(message)

        await self._app(scope, receive, send_safely)


def dashboard_routes(service: Service) -> tuple[BaseRoute, ...]:
    """What the application mounts beside the API."""
    clock = service.app.clock
    pages, ancestors = _site(service, PAGES, ()), service.app.settings.embed_origins
    pages.state.desk = Desk(sessions=Sessions(clock), guesses=Guesses(clock))
    return (
        Route("/", go_home, methods=["GET"]),
        Mount("/dashboard", pages),
        Mount("/embed", _site(service, EMBEDDED, ancestors)),
    )


def _site(service: Service, routes: Sequence[Route], ancestors: Sequence[str]) -> Starlette:
    site = Starlette(
        routes=routes,
        middleware=[Middleware(SafeHeaders, ancestors=ancestors)],
        exception_handlers=dict.fromkeys(FAILURES, show_problem),
    )
    site.state.service = service
    return site
