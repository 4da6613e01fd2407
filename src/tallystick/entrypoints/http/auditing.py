"""`GET /api/v1/audit`: who changed or overrode what, when, and why. Kept for ever."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import Scope
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.books import LIMIT, LIMIT_MAX, check_unbound
from tallystick.entrypoints.http.parameters import check_known, cursor, number
from tallystick.entrypoints.http.service import service_of
from tallystick.ports import Override

PARAMETERS: Final = ("cursor", "limit")


async def list_overrides(request: Request) -> Response:
    """The audit trail, oldest first. It names all tenants, so a tenant's key sees none of it."""
    service = service_of(request)
    check_unbound(await service.granted(request, Scope.READ))
    check_known(request, PARAMETERS)
    limit, after = number(request, "limit", default=LIMIT, most=LIMIT_MAX), cursor(request)
    catalog = service.app.store.catalog
    page = await service.in_thread(lambda: catalog.overrides(cursor=after, limit=limit))
    elements = [override_body(line) for line in page.elements]
    return json_response({"elements": elements, "cursor": page.cursor})


def override_body(line: Override) -> dict[str, str]:
    return {
        "at": format_instant(line.at),
        "who": line.who,
        "why": line.why,
        "action": line.action,
        "subject": line.subject,
    }
