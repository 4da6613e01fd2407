"""What was counted, sealed, told and not counted: usage, the ledger, publications with their
lineage, dead letters, and pausing. Listings are `{"elements": […], "cursor": "…"}`.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.instant import format_instant
from tallystick.domain.ledger import Entry
from tallystick.domain.publication import Publication
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.composing import replay_everything
from tallystick.entrypoints.http.answers import flag, json_response
from tallystick.entrypoints.http.editing import audit, check_why
from tallystick.entrypoints.http.parameters import (
    check_known,
    cursor,
    number,
    read_json,
    span,
    tenants_seen,
)
from tallystick.entrypoints.http.problems import error_body, invalid_parameter, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.entrypoints.http.tenants import known_tenant
from tallystick.stages.publishing import PAUSE
from tallystick.stages.totalling import By, Total, totals
from tallystick.stages.tracing import Lineage, trace

LIMIT: Final = 100
LIMIT_MAX: Final = 1_000
TOTALS_MAX: Final = 10_000
LETTERS: Final = ("all", "cursor", "limit", "tenant", "waits_for")
PUBLICATIONS: Final = ("cursor", "limit", "unsettled")
ENTRIES: Final = ("cursor", "limit", "meter", "tenant")
USAGE: Final = ("by", "from", "groups", "meter", "tenant", "to")


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Why somebody does something, for the audit trail; and to whom."""

    why: str
    tenant: str = ""


class Replay(msgspec.Struct, forbid_unknown_fields=True):
    """Which open dead letters get another try; all where nothing is named."""

    id: str = ""
    tenant: str = ""
    waits_for: str = ""


_REASON: Final = msgspec.json.Decoder(Reason)
_REPLAY: Final = msgspec.json.Decoder(Replay)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


async def get_usage(request: Request) -> Response:
    """Totals by window, day, period or in all, of one tenant and meter where they are named."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, USAGE)
    names = request.query_params
    by = names.get("by", By.PERIOD)
    if by not in list(By):
        raise invalid_parameter("by", f"must be one of {', '.join(By)}")
    window, groups = span(names.get("from"), names.get("to")), flag(request, "groups")
    tenant, meter = _tenant_asked(request, key), names.get("meter", "")
    found = totals(
        service.app.store, By(by), tenant=tenant, meter=meter, window=window, groups=groups
    )
    rows = await service.in_thread(lambda: list(islice(found, TOTALS_MAX + 1)))
    if len(rows) > TOTALS_MAX:
        raise invalid_parameter("by", f"more than {TOTALS_MAX} totals; name a tenant or a span")
    return json_response({"elements": [_total(row) for row in rows], "cursor": ""})


async def list_entries(request: Request) -> Response:
    """The ledger's lines by tenant, meter and line."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, ENTRIES)
    tenant, meter = _tenant_asked(request, key), request.query_params.get("meter", "")
    limit, after = number(request, "limit", default=LIMIT, most=LIMIT_MAX), cursor(request)
    ledger = service.app.store.ledger
    page = await service.in_thread(
        lambda: ledger.entries(tenant=tenant, meter=meter, cursor=after, limit=limit)
    )
    return _listing(map(_entry, page.elements), page.cursor)


async def list_publications(request: Request) -> Response:
    """What the provider was told. Tenants may share a slot, so a tenant's key sees none of it."""
    service = service_of(request)
    check_unbound(await service.granted(request, Scope.READ))
    check_known(request, PUBLICATIONS)
    limit, after = number(request, "limit", default=LIMIT, most=LIMIT_MAX), cursor(request)
    unsettled, outbox = flag(request, "unsettled"), service.app.store.outbox
    page = await service.in_thread(
        lambda: outbox.publications(unsettled=unsettled, cursor=after, limit=limit)
    )
    return _listing(map(publication_body, page.elements), page.cursor)


async def get_lineage(request: Request) -> Response:
    """The events behind one publication, by its identifier."""
    service = service_of(request)
    check_unbound(await service.granted(request, Scope.READ))
    store, identifier = service.app.store, request.path_params["identifier"]
    lineage = await service.in_thread(lambda: trace(store, identifier))
    return json_response(_lineage(lineage))


async def list_letters(request: Request) -> Response:
    """Dead letters in the order they were kept; only open ones unless `?all=true`."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, LETTERS)
    tenant, waits_for = _tenant_asked(request, key), request.query_params.get("waits_for", "")
    limit, after = number(request, "limit", default=LIMIT, most=LIMIT_MAX), cursor(request)
    is_open, letters = not flag(request, "all"), service.app.store.dead_letters
    page = await service.in_thread(
        lambda: letters.list(
            tenant=tenant, waits_for=waits_for, open_only=is_open, cursor=after, limit=limit
        )
    )
    return _listing(map(_letter, page.elements), page.cursor)


# ── Doing ─────────────────────────────────────────────────────────────────────────────────────────


async def replay_letters(request: Request) -> Response:
    """Give open dead letters another try; how many became what."""
    service = service_of(request)
    await service.granted(request, Scope.ADMIN)
    asked = await read_json(request, _REPLAY)
    became: Counter[str] = await service.in_thread(
        lambda: replay_everything(
            service.intake(),
            service.app.clock.now(),
            tenant=asked.tenant,
            waits_for=asked.waits_for,
            letter_id=asked.id,
        )
    )
    if asked.id and not became:
        raise not_found("there is no open dead letter of this id that could be replayed")
    kinds = ("recorded", "duplicate", "late", "conflict", "onboarded", "still_dead")
    return json_response({kind: became[kind] for kind in kinds})


async def pause(request: Request) -> Response:
    """Send nothing more to the provider, for one tenant or for all. Counting goes on."""
    return await _switched(request, "pause")


async def resume(request: Request) -> Response:
    """Send again, what has piled up included."""
    return await _switched(request, "resume")


async def _switched(request: Request, action: str) -> Response:
    service = service_of(request)
    key = await service.granted(request, Scope.PUBLISH)
    asked = await read_json(request, _REASON)
    await service.in_thread(lambda: switch_sending(service, key, asked, action))
    return json_response({"paused": action == "pause", "tenant": asked.tenant})


def switch_sending(service: Service, key: ApiKey, asked: Reason, action: str) -> None:
    """Pause or resume, on record; the problem where the key may not, or no reason is given."""
    check_why(asked.why)
    if not key.sees(asked.tenant):
        raise not_found("there is no such tenant")
    catalog, now = service.app.store.catalog, service.app.clock.now()
    if asked.tenant:
        known_tenant(catalog, asked.tenant)
    name = f"{PAUSE}:{asked.tenant}" if asked.tenant else PAUSE
    since = format_instant(now) if action == "pause" else None
    catalog.switch(name, since, audit(key, now, asked.why, action, asked.tenant or "all"))


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────


def _tenant_asked(request: Request, key: ApiKey) -> str:
    """The one tenant to look at, or '' for all."""
    asked = request.query_params.getlist("tenant")
    if len(asked) > 1:
        raise invalid_parameter("tenant", "can be given once")
    return next(iter(tenants_seen(key, asked)), "")


def check_unbound(key: ApiKey) -> None:
    """Tenants may share a publication, so for a key of one tenant there are none."""
    if key.tenant:
        raise not_found("there is nothing at this path")


def _listing(elements: Iterable[dict[str, object]], onward: str) -> Response:
    return json_response({"elements": list(elements), "cursor": onward})


def _total(total: Total) -> dict[str, object]:
    return {
        "tenant": total.tenant,
        "meter": total.meter,
        "group": total.group,
        "start": format_instant(total.span.start),
        "end": format_instant(total.span.end),
        "quantity": format_quantity(total.quantity),
        "events": total.events,
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "tenant": entry.key.tenant,
        "meter": entry.key.meter,
        "line": entry.line,
        "kind": entry.kind,
        "group": entry.key.group,
        "start": format_instant(entry.key.window.start),
        "end": format_instant(entry.key.window.end),
        "revision": entry.revision,
        "delta": format_quantity(entry.delta),
        "total": format_quantity(entry.total),
        "held": entry.held,
        "slots": [
            {"slot": str(a.place.slot), "quantity": format_quantity(a.quantity)}
            for a in entry.allocations
        ],
        "sealed_at": format_instant(entry.sealed_at),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def publication_body(publication: Publication) -> dict[str, object]:
    return {
        "identifier": publication.identifier,
        "slot": str(publication.slot),
        "revision": publication.slot_revision,
        "state": str(publication.state),
        "value": format_quantity(publication.value),
        "total": format_quantity(publication.total),
        "intended_at": format_instant(publication.intended_at),
        "attempts": publication.attempts,
        "answer": publication.answer,
    }


def _lineage(lineage: Lineage) -> dict[str, object]:
    return {
        "slot": str(lineage.slot),
        "total": format_quantity(lineage.total),
        "lines": [
            {
                "tenant": line.entry.key.tenant,
                "meter": line.entry.key.meter,
                "line": line.entry.line,
                "kind": line.entry.kind,
                "slot_gets": format_quantity(line.quantity),
                "events": [
                    {
                        "key": change.contribution.event_key,
                        "counts": format_quantity(change.contribution.value),
                        "removed": change.removed,
                        "void": change.by,
                        "occurred_at": format_instant(change.contribution.occurred_at),
                    }
                    for change in line.changes
                ],
            }
            for line in lineage.lines
        ],
    }


def _letter(letter: DeadLetter) -> dict[str, object]:
    replayed_at = None if letter.replayed_at is None else format_instant(letter.replayed_at)
    return {
        "id": letter.id,
        "reason": str(letter.reason),
        "errors": [error_body(error) for error in letter.errors],
        "tenant": letter.tenant,
        "waits_for": letter.waits_for,
        "origin": letter.origin,
        "body": letter.body,
        "received_at": format_instant(letter.received_at),
        "replayed_at": replayed_at,
        "replayed_as": letter.replayed_as,
    }
