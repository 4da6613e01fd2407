"""`POST /api/v1/void`: take one event out of every total that it counts in."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.errors import InvalidReport
from tallystick.domain.event import key_of
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.editing import check_why
from tallystick.entrypoints.http.parameters import read_json, tenants_seen
from tallystick.entrypoints.http.problems import Problem, invalid_parameter
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.stages.voiding import Void, Voided, take_out


class Voiding(msgspec.Struct, forbid_unknown_fields=True):
    """Which event: by its key, or by the source and id that it came with. `key` is the void's own;
    made from the event's if empty."""

    tenant: str
    why: str
    event_key: str = ""
    source: str = ""
    id: str = ""
    key: str = ""


_DECODER: Final = msgspec.json.Decoder(Voiding)


async def post_void(request: Request) -> Response:
    """Take one event out again, on record. What was published already is corrected; the key stays
    taken. Voiding twice is voiding once; an event that has not come yet counts nowhere."""
    service = service_of(request)
    key = await service.granted(request, Scope.INGEST)
    sent = await read_json(request, _DECODER)
    check_why(sent.why)
    tenants_seen(key, [sent.tenant])
    wanted = Void(
        tenant=sent.tenant,
        event_key=_event_key(sent),
        key=sent.key,
        who=f"key {key.id}",
        why=sent.why,
        origin=_origin(request, key),
    )
    state = await service.in_thread(lambda: _voided(service, wanted))
    return json_response(
        {
            "state": str(state),
            "tenant": wanted.tenant,
            "event_key": wanted.event_key,
            "void_key": wanted.own_key,
        }
    )


def _origin(request: Request, key: ApiKey) -> str:
    return f"POST {request.url.path} by key {key.id}"


def _event_key(sent: Voiding) -> str:
    by_parts = bool(sent.source and sent.id)
    if bool(sent.event_key) is by_parts or bool(sent.source) is not bool(sent.id):
        raise invalid_parameter("/event_key", "give it, or source and id, one of them")
    return key_of(sent.source, sent.id) if by_parts else sent.event_key


def _voided(service: Service, wanted: Void) -> Voided:
    try:
        became = take_out(wanted, service.intake(), service.app.clock.now())
    except InvalidReport as error:
        raise Problem(
            status=422, kind="not-countable", detail=str(error), errors=error.errors
        ) from error
    if became is Voided.KEY_TAKEN:
        detail = f"{wanted.own_key[:80]!r} is another event's key; give the void a key of its own"
        raise Problem(status=409, kind="key-taken", detail=detail)
    return became
