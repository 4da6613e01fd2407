"""The one route that nearly all requests ask for, reached without the framework's walk.

To match a path against every route, and to pass through the framework's layers, takes as long as
all that `POST /api/v1/events` does itself. Nothing else is different: the route is the same
function, and what it raises is answered by the same table.
"""

from collections.abc import Awaitable, Callable
from functools import cached_property

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tallystick.entrypoints.http.failing import EXPECTED
from tallystick.entrypoints.http.headers import FoundHeaders

Endpoint = Callable[[Request], Awaitable[Response]]
Refusing = Callable[[Request, Exception], Awaitable[Response]]


class _StraightRequest(Request):
    @cached_property
    def headers(self) -> Headers:
        return FoundHeaders(self.scope)


class Straight:
    """Answers POST to one path by its endpoint; all else is the application's."""

    def __init__(self, api: Starlette, path: str, endpoint: Endpoint, refusing: Refusing) -> None:
        self._api: ASGIApp = api
        self._path = path
        self._endpoint = endpoint
        self._refusing = refusing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            await self._api(scope, receive, send)
            return
        scope["app"], scope["endpoint"] = self._api, self._endpoint
        request = _StraightRequest(scope, receive, send)
        try:
            response = await self._endpoint(request)
        except EXPECTED as error:
            response = await self._refusing(request, error)
        except Exception as error:
            await (await self._refusing(request, error))(scope, receive, send)
            raise  # the server logs where it happened
        await response(scope, receive, send)
