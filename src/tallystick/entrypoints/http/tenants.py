"""`/api/v1/tenants`: who is billed, and how their time is cut. An edit names the ETag it read."""

from dataclasses import replace
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import format_instant, parse_instant
from tallystick.domain.period import parse_interval
from tallystick.domain.tenant import Tenant, Terms, check_name, check_zone, with_terms
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.editing import (
    OVER_HTTP,
    audit,
    check_match,
    etag_of,
    must_match,
)
from tallystick.entrypoints.http.parameters import (
    check_known,
    cursor,
    number,
    read_json,
    tenants_seen,
)
from tallystick.entrypoints.http.problems import Problem, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.ports import Catalog
from tallystick.stages.configuring import configure
from tallystick.stages.ingesting import replay


class Terming(msgspec.Struct, forbid_unknown_fields=True):
    """What `PUT` takes; what is left out stays as it is."""

    name: str | None = None
    zone: str | None = None
    anchor: str | None = None
    interval: str | None = None
    why: str = OVER_HTTP


class NewTenant(Terming, forbid_unknown_fields=True, kw_only=True):
    """What `POST` takes."""

    id: str


_NEW: Final = msgspec.json.Decoder(NewTenant)
_TERMS: Final = msgspec.json.Decoder(Terming)


async def list_tenants(request: Request) -> Response:
    """A page of tenants in order of id; a tenant's key sees that one."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, ("cursor", "limit"))
    limit, after = number(request, "limit", default=100, most=1_000), cursor(request)
    catalog = service.app.store.catalog
    if key.tenant:
        own = await service.in_thread(lambda: catalog.account(key.tenant))
        found = [] if own is None else [body_of(own.tenant)]
        return json_response({"elements": found, "cursor": ""})
    page = await service.in_thread(lambda: catalog.accounts(cursor=after, limit=limit))
    elements = [body_of(account.tenant) for account in page.elements]
    return json_response({"elements": elements, "cursor": page.cursor})


async def get_tenant(request: Request) -> Response:
    """A tenant with all its terms, and the ETag that an edit needs."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    name = request.path_params["tenant"]
    tenants_seen(key, [name])
    tenant = await service.in_thread(lambda: known_tenant(service.app.store.catalog, name))
    return _answer(tenant)


async def create_tenant(request: Request) -> Response:
    """201; 200 where it is so already, 409 where there is another of this id. Dead letters that
    waited for it are counted."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    sent = await read_json(request, _NEW)
    terms = _terms(sent, Terms())
    wanted = Tenant(id=check_name("id", sent.id), name=sent.name or "", versions=(terms,))
    is_new = await service.in_thread(lambda: _create(service, wanted, key, sent.why))
    location = {"Location": f"/api/v1/tenants/{wanted.id}"} if wanted.id.isascii() else {}
    return _answer(wanted, status=201 if is_new else 200, headers=location)


async def change_tenant(request: Request) -> Response:
    """New terms from its next billing period. `If-Match` must be the ETag that was read."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    read = must_match(request)
    sent = await read_json(request, _TERMS)
    name = request.path_params["tenant"]
    changed = await service.in_thread(lambda: _change(service, name, sent, read, key))
    return _answer(changed)


def known_tenant(catalog: Catalog, name: str) -> Tenant:
    account = catalog.account(name)
    if account is None:
        raise not_found("there is no such tenant")
    return account.tenant


def _create(service: Service, wanted: Tenant, key: ApiKey, why: str) -> bool:
    catalog, now = service.app.store.catalog, service.app.clock.now()

    def decide() -> Tenant | None:
        known = catalog.account(wanted.id)
        if known is not None and known.tenant != wanted:
            detail = "there is a tenant of this id that differs; change it by PUT"
            raise Problem(status=409, kind="already-there", detail=detail)
        return wanted if known is None else None

    made = configure(catalog, decide, audit(key, now, why, "tenants add", wanted.id))
    replay(service.intake(), now, waits_for=f"tenant:{wanted.id}")
    return made is not None


def _change(service: Service, name: str, sent: Terming, read: str, key: ApiKey) -> Tenant:
    catalog, now = service.app.store.catalog, service.app.clock.now()

    def decide() -> Tenant | None:
        before = known_tenant(catalog, name)
        check_match(read, etag_of(body_of(before)))
        after = with_terms(before, _terms(sent, before.versions[-1]), now)
        after = after if sent.name is None else replace(after, name=sent.name)
        return None if after == before else after

    changed = configure(catalog, decide, audit(key, now, sent.why, "tenants change", name))
    return known_tenant(catalog, name) if changed is None else changed


def _terms(sent: Terming, known: Terms) -> Terms:
    try:
        anchor = known.anchor if sent.anchor is None else parse_instant(sent.anchor)
        interval = known.interval if sent.interval is None else parse_interval(sent.interval)
    except (ValueError, OverflowError) as error:
        raise InvalidSetting(f"/anchor or /interval: {error}") from error
    zone = known.zone if sent.zone is None else check_zone(sent.zone)
    return replace(known, zone=zone, anchor=anchor, interval=interval)


def body_of(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.id,
        "name": tenant.name,
        "terms": [
            {
                "zone": terms.zone,
                "anchor": format_instant(terms.anchor),
                "interval": str(terms.interval),
                "effective_from": format_instant(terms.effective_from) if index else None,
            }
            for index, terms in enumerate(tenant.versions)
        ],
    }


def _answer(
    tenant: Tenant, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    body = body_of(tenant)
    tagged = {**(headers or {}), "ETag": etag_of(body)}
    return json_response(body, status=status, headers=tagged)
