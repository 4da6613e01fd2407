"""One tenant's usage in somebody else's page, for whoever holds a read token of that tenant.

The page itself holds nothing: it is a shell that anybody may fetch. The token stands in the
address after the `#`, which no browser sends to a server, no log keeps and no referrer tells; a
script takes it out of the address and sends it as the API's own header.
"""

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.usage import (
    REACHES,
    SIZES,
    choice_of,
    open_windows,
    usage_values,
)
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.entrypoints.http.tenants import known_tenant


async def show_shell(request: Request) -> Response:
    return rendered("embed.html", {})


async def show_usage(request: Request) -> Response:
    """The usage of the token's tenant, and of no other."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    if not key.tenant:
        detail = "this page shows one tenant; send a token that is bound to it"
        raise Problem(status=403, kind="scope-missing", detail=detail)
    asked = dict(request.query_params)
    return await service.in_thread(lambda: _shown(service, key, asked))


def _shown(service: Service, key: ApiKey, asked: dict[str, str]) -> Response:
    store, now = service.app.store, service.app.clock.now()
    tenant, meters = known_tenant(store.catalog, key.tenant), store.catalog.meters()
    names = [versions[-1].id for versions in meters]
    choice = choice_of(asked, tenant, names, now)
    values = {
        **usage_values(store, tenant, choice),
        "open_windows": open_windows(store, tenant, meters, now),
        "meters": names,
        "reaches": REACHES,
        "sizes": SIZES,
        "now": now,
    }
    return rendered("embed_usage.html", values)
