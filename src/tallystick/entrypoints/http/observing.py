"""Around each request: an id that its answer and its log lines carry, safe headers, a line of the
log, a count and a duration, and where OpenTelemetry is asked for, a span."""

import logging
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallystick.clock import seconds
from tallystick.entrypoints.http.headers import known_headers
from tallystick.entrypoints.http.metrics import HttpMetrics
from tallystick.entrypoints.logs import CONTEXT, note

NO_ROUTE: Final = "(none)"
"""What stands for every path that leads nowhere, so that nobody can make us keep a new name."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD: Final = "(other)"
KEY_ID: Final = "tallystick.key"
"""Where a request's scope says by whose key it was granted."""

REQUEST_ID: Final = "tallystick.request_id"

NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
NO_STORE: Final = (b"cache-control", b"no-store")

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?"
)


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as far as they have come."""

    scope: Scope
    method: str
    request_id: str
    status: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    ids: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The trace that it belongs to."""


class Spans(Protocol):
    """What makes a span of an exchange; its ids are then on the exchange."""

    def request(self, exchange: Exchange, routes: "Routes") -> AbstractContextManager[None]: ...


class Routes:
    """Which route answered: its path with its parameters' names, never their values."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._paths: dict[object, str] = {}
        self._learn(routes, "")

    def _learn(self, routes: Iterable[BaseRoute], prefix: str) -> None:
        for route in routes:
            if isinstance(route, Route):
                self._paths.setdefault(route.endpoint, prefix + route.path)
            elif isinstance(route, Mount):
                self._paths.setdefault(route.app, f"{prefix}{route.path}/…")
                self._learn(route.routes, prefix + route.path)

    def of(self, scope: Scope) -> str:
        return self._paths.get(scope.get("endpoint"), NO_ROUTE)


class Observing:
    """The outermost layer of the application."""

    def __init__(
        self, app: ASGIApp, routes: Routes, metrics: HttpMetrics, spans: Spans | None = None
    ) -> None:
        self._app = app
        self._routes = routes
        self._metrics = metrics
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _exchange(scope)
        begun = seconds()
        self._metrics.begun()
        span = self._spans.request(exchange, self._routes) if self._spans else nullcontext()
        try:
            with span:
                CONTEXT.set({"request_id": exchange.request_id, **exchange.ids})
                await self._app(scope, _received(exchange, receive), _sent(exchange, send))
        finally:
            self._ended(exchange, seconds() - begun)

    def _ended(self, exchange: Exchange, took: float) -> None:
        route = self._routes.of(exchange.scope)
        self._metrics.ended(exchange.method, route, exchange.status, took)
        note(
            logging.INFO,
            "request",
            method=exchange.method,
            route=route,
            status=exchange.status,
            seconds=round(took, 6),
            key=exchange.scope.get(KEY_ID),
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
        )


def _exchange(scope: Scope) -> Exchange:
    headers = known_headers(scope)
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    request_id = given if _SANE_ID.fullmatch(given) else next(_new_ids)
    scope[REQUEST_ID] = request_id
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    exchange = Exchange(scope, method, request_id)
    traced = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b"").decode("latin-1"))
    if traced is not None:
        exchange.ids = {"trace_id": traced[1], "parent_id": traced[2]}
    return exchange


def _ids() -> Iterator[str]:
    """Request ids without end. The system is asked for the randomness of many at once: a call for
    each would hand the interpreter to another thread in the middle of every request."""
    while True:
        drawn = secrets.token_hex(8 * 256)
        yield from (drawn[at : at + 16] for at in range(0, len(drawn), 16))


_new_ids: Final = _ids()


def _received(exchange: Exchange, receive: Receive) -> Receive:
    async def counted() -> Message:
        message = await receive()
        exchange.bytes_in += len(message.get("body", b""))
        return message

    return counted


def _sent(exchange: Exchange, send: Send) -> Send:
    async def completed(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            headers = [
                *message["headers"],
                (b"x-request-id", exchange.request_id.encode()),
                NOSNIFF,
            ]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append(NO_STORE)
            message["headers"] = headers
        else:
            exchange.bytes_out += len(message.get("body", b""))
        await send(message)

    return completed
