"""`/api/v1/tenants/{tenant}/mappings`: through what a tenant's meters are billed, and since when.

A series is a tenant's meter and `?group=`, a dimension set as listings show it ('' for the whole).
"""

import json
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.instant import EARLIEST, format_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import WHOLE, group_of
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.editing import (
    OVER_HTTP,
    audit,
    check_match,
    check_why,
    etag_of,
    read_as,
    unread,
)
from tallystick.entrypoints.http.parameters import check_known, instant, read_json, tenants_seen
from tallystick.entrypoints.http.problems import invalid_parameter, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.ports import Account, Catalog
from tallystick.publishers import check_target
from tallystick.stages.configuring import end_mapping, map_meter, versions_of
from tallystick.stages.ingesting import replay

PARAMETERS: Final = ("group",)
NAMES_LENGTH_MAX: Final = 2_048

Series = tuple[str, str, str]
"""(tenant, meter, group)."""


class Target(msgspec.Struct, forbid_unknown_fields=True):
    """Where at the provider the quantity goes. Without `publish_from`, a first mapping publishes
    what comes from now on, and a changed one goes on as before."""

    route: str
    destination: str
    counter: str = ""
    publish_from: str | None = None
    boundary_hour: Literal["refuse", "previous", "next"] = "refuse"
    why: str = OVER_HTTP


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is billed no longer, for the audit trail."""

    why: str


_TARGET: Final = msgspec.json.Decoder(Target)
_ENDING: Final = msgspec.json.Decoder(Ending)


async def list_mappings(request: Request) -> Response:
    """All of a tenant's mappings with all their versions."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    tenant = _tenant(request, key)
    check_known(request, ())
    account = await service.in_thread(lambda: _account(service.app.store.catalog, tenant))
    names = sorted({(m.meter, m.group) for m in account.mappings})
    elements = [_body(versions_of(account, meter, group)) for meter, group in names]
    return json_response({"elements": elements, "cursor": ""})


async def get_mapping(request: Request) -> Response:
    """One of them, and the ETag that an edit names."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    series = _series(request, key)
    versions = await service.in_thread(lambda: _versions(service, series))
    return _answer(versions)


async def put_mapping(request: Request) -> Response:
    """201; 200 where there is one. The same again changes nothing; another target holds from the
    next full hour, and needs If-Match. What was held for want of a mapping is released."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    series = _series(request, key)
    sent, read = await read_json(request, _TARGET), read_as(request)
    check_target(sent.route, sent.destination, sent.counter)
    check_why(sent.why)
    was_there = await service.in_thread(lambda: _map(service, series, sent, read, key))
    versions = await service.in_thread(lambda: _versions(service, series))
    return _answer(versions, status=200 if was_there else 201)


async def unmap(request: Request) -> Response:
    """Bill it no longer, from the next full hour. What was counted until then is billed; what
    comes after is counted, and held until it is mapped again."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    series = _series(request, key)
    sent, read = await read_json(request, _ENDING), read_as(request)
    line = audit(
        key, service.app.clock.now(), check_why(sent.why), "mappings end", _subject(series)
    )
    catalog = service.app.store.catalog

    def check(own: tuple[Mapping, ...]) -> None:
        check_match(read, etag_of(_body(own)) if own else None)

    await service.in_thread(lambda: end_mapping(catalog, series, line, check=check))
    return _answer(await service.in_thread(lambda: _versions(service, series)))


# ── The series ────────────────────────────────────────────────────────────────────────────────────


def _tenant(request: Request, key: ApiKey) -> str:
    return tenants_seen(key, [request.path_params["tenant"]])[0]


def _series(request: Request, key: ApiKey) -> Series:
    tenant = _tenant(request, key)
    check_known(request, PARAMETERS)
    return tenant, request.path_params["meter"], _group(request.query_params.get("group", WHOLE))


def _group(text: str) -> str:
    """The dimension set in its canonical text."""
    if text == WHOLE:
        return WHOLE
    try:
        values = json.loads(text) if len(text) <= NAMES_LENGTH_MAX else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not values or not all(map(_is_value, values.values())):
        raise invalid_parameter("group", 'must be a dimension set, such as {"model":"large"}')
    return group_of(values)


def _is_value(found: object) -> bool:
    return found is None or isinstance(found, str)


def _subject(series: Series) -> str:
    tenant, meter, group = series
    return f"{tenant}/{meter}{f'/{group}' if group else ''}"


def _account(catalog: Catalog, tenant: str) -> Account:
    account = catalog.account(tenant)
    if account is None:
        raise not_found("there is no such tenant")
    return account


def _versions(service: Service, series: Series) -> tuple[Mapping, ...]:
    tenant, meter, group = series
    found = versions_of(_account(service.app.store.catalog, tenant), meter, group)
    if not found:
        raise not_found(f"{meter[:80]!r} of this tenant is not mapped")
    return found


def _map(service: Service, series: Series, sent: Target, read: str | None, key: ApiKey) -> bool:
    """Whether there was one before."""
    tenant, meter, group = series
    now = service.app.clock.now()
    wanted = Mapping(
        tenant=tenant,
        meter=meter,
        group=group,
        route=sent.route,
        destination=sent.destination,
        counter=sent.counter,
        publish_from=instant("publish_from", sent.publish_from, now),
        boundary_hour=sent.boundary_hour,
    )
    seen: list[bool] = []

    def check(own: tuple[Mapping, ...]) -> None:
        seen.append(bool(own))
        check_match(read, etag_of(_body(own)) if own else None)
        if own and read is None and _differs(own[-1], sent):
            raise unread()

    map_meter(
        service.app.store.catalog,
        wanted,
        audit(key, now, sent.why, "mappings add", _subject(series)),
        keep_start=sent.publish_from is None,
        check=check,
    )
    # What named no code goes to the tenant's only meter.
    replay(service.intake(), now, waits_for=f"tenant:{wanted.tenant}")
    return seen[-1]


def _differs(newest: Mapping, sent: Target) -> bool:
    """Whether what was sent says anything else than the newest version."""
    kept = newest.publish_from
    told = (newest.route, newest.destination, newest.counter, newest.boundary_hour, kept)
    start = instant("publish_from", sent.publish_from, kept)
    return told != (sent.route, sent.destination, sent.counter, sent.boundary_hour, start)


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────


def _answer(versions: tuple[Mapping, ...], *, status: int = 200) -> Response:
    body = _body(versions)
    return json_response(body, status=status, headers={"ETag": etag_of(body)})


def _body(versions: tuple[Mapping, ...]) -> dict[str, object]:
    newest = versions[-1]
    return {
        "tenant": newest.tenant,
        "meter": newest.meter,
        "group": newest.group,
        "is_ended": newest.is_end,
        "versions": list(_version_bodies(versions)),
    }


def _version_bodies(versions: Iterable[Mapping]) -> Iterable[dict[str, object]]:
    for mapping in versions:
        first = mapping.effective_from == EARLIEST
        yield {
            "route": mapping.route,
            "destination": mapping.destination,
            "counter": mapping.counter,
            "publish_from": format_instant(mapping.publish_from),
            "boundary_hour": mapping.boundary_hour,
            "effective_from": None if first else format_instant(mapping.effective_from),
        }
