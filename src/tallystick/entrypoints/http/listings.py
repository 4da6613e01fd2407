"""`GET /api/v1/events`: stored events in OpenMeter's shape, in the order they were recorded."""

import re
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import Scope
from tallystick.domain.event import Event
from tallystick.domain.instant import DAY, format_instant
from tallystick.domain.window import Window
from tallystick.entrypoints.http.parameters import (
    check_known,
    cursor,
    number,
    span,
    tenants_seen,
)
from tallystick.entrypoints.http.problems import invalid_parameter
from tallystick.entrypoints.http.service import service_of
from tallystick.ports import EventLog

PARAMETERS: Final = ("cursor", "from", "id", "limit", "subject", "to")
SINCE: Final = 3 * DAY
PAGES_MAX: Final = 20
"""So many pages are read for one answer; where more may match, the answer's Link goes on."""

OWN_SOURCE: Final = "tallystick"
"""The source of events that came with a key of one part."""

_PART: Final = re.compile(r"([0-9]{1,4}):")
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


async def list_events(request: Request) -> Response:
    """Those of the last 72 hours if no `from` is given; a `Link` header names the next page."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, PARAMETERS)
    names = request.query_params
    since = service.app.clock.now() - SINCE
    asked = span(names.get("from"), names.get("to"), since)
    limit = number(request, "limit", default=100, most=1_000)
    tenants = tenants_seen(key, names.getlist("subject"))
    if len(tenants) > 1:
        raise invalid_parameter("subject", "can be given once here")
    wanted, after = names.get("id", ""), cursor(request)
    log, tenant = service.app.store.events, tenants[0] if tenants else ""
    found, onward = await service.in_thread(
        lambda: _page(log, tenant, asked, wanted=wanted, after=after, limit=limit)
    )
    headers = {}
    if onward:
        query = request.url.remove_query_params("cursor").query
        path = f"{request.url.path}?{query}{'&' if query else ''}cursor={quote(onward)}"
        headers["Link"] = f'<{path}>; rel="next"'
    body = _ENCODER.encode([_body(event) for event in found])
    return Response(body, media_type="application/json", headers=headers)


def _page(
    log: EventLog, tenant: str, window: Window, *, wanted: str, after: str, limit: int
) -> tuple[list[Event], str]:
    """Up to `limit` events and the cursor to go on with, after bounded work."""
    found: list[Event] = []
    for _ in range(PAGES_MAX):
        page = log.events(
            tenant, window=window, cursor=after, limit=1_000 if wanted else limit - len(found)
        )
        found += (e for e in page.elements if not wanted or identity(e)[1] == wanted)
        after = page.cursor
        if not after or len(found) >= limit:
            break
    return found, after


def identity(event: Event) -> tuple[str, str]:
    """(source, id) as the sender gave them; a key of one part is the id."""
    parts, rest = [], event.key
    while match := _PART.match(rest):
        end = match.end() + int(match[1])
        parts.append(rest[match.end() : end])
        rest = rest[end:]
    if rest or len(parts) != 2:
        return OWN_SOURCE, event.key
    return parts[0], parts[1]


def _body(event: Event) -> dict[str, object]:
    source, id_ = identity(event)
    stored_at = format_instant(event.received_at)
    return {
        "event": {
            "specversion": "1.0",
            "id": id_,
            "source": source,
            "type": event.code,
            "subject": event.tenant,
            "time": format_instant(event.occurred_at),
            "datacontenttype": "application/json",
            "data": {**event.attributes(), "quantity": event.quantity},
        },
        "ingestedAt": stored_at,
        "storedAt": stored_at,
    }
