"""`POST /api/v1/tokens`: a key for minutes, with which a page of your own reads one tenant."""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import (
    TOKEN_KEPT,
    TOKEN_LASTS,
    TOKEN_LASTS_MAX,
    ApiKey,
    Scope,
    lent,
)
from tallystick.domain.instant import SECOND, format_instant
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.parameters import read_json
from tallystick.entrypoints.http.problems import Problem, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.entrypoints.issuing import issued

PURGED_AT_ONCE: Final = 100
"""So many expired tokens go where one comes: they cannot pile up, and no request waits for long."""


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """Whose usage may be read, and for how many seconds."""

    tenant: str
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=TOKEN_LASTS_MAX // SECOND)] = (
        TOKEN_LASTS // SECOND
    )


_DECODER: Final = msgspec.json.Decoder(NewToken)


async def make_token(request: Request) -> Response:
    """Make a token that reads one tenant's usage, for embedding its page elsewhere. The answer is
    the only time that its text is shown."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    if key.is_token:
        raise Problem(status=403, kind="scope-missing", detail="a token cannot make tokens")
    asked = await read_json(request, _DECODER)
    if not key.sees(asked.tenant):
        raise not_found("there is no such tenant")
    token, text = await service.in_thread(lambda: _made(service, key, asked))
    body = {
        "token": text,
        "id": token.id,
        "tenant": token.tenant,
        "expires_at": format_instant(token.expires_at or 0),
    }
    return json_response(body, status=201)


def _made(service: Service, key: ApiKey, asked: NewToken) -> tuple[ApiKey, str]:
    store, now = service.app.store, service.app.clock.now()
    if store.catalog.account(asked.tenant) is None:
        raise not_found("there is no such tenant")
    fresh, text = issued([Scope.READ], now)
    token = lent(fresh, key, asked.tenant, asked.expires_in * SECOND)
    store.keys.purge(now - TOKEN_KEPT, PURGED_AT_ONCE)
    if not store.keys.add(token, None):
        # What was remembered of the key is older than its end.
        detail = "this key was revoked or has expired meanwhile; use its successor"
        raise Problem(status=401, kind="unauthorized", detail=detail)
    return token, text
