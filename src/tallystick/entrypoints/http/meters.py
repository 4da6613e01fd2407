"""`/api/v1/meters`: made, listed, shown, changed and deleted in OpenMeter's shape."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.errors import FieldError, InvalidSetting
from tallystick.domain.instant import format_instant
from tallystick.domain.meter import Aggregation, Meter, same_rule
from tallystick.domain.tenant import check_name
from tallystick.entrypoints.http.answers import flag, json_response
from tallystick.entrypoints.http.editing import (
    OVER_HTTP,
    audit,
    changed_meanwhile,
    check_match,
    etag_of,
    read_as,
)
from tallystick.entrypoints.http.parameters import check_known, read_json
from tallystick.entrypoints.http.problems import NO_HEADERS, Problem, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.ports import Catalog, Override
from tallystick.stages import configuring
from tallystick.stages.ingesting import replay

NAMES: Final[Mapping[Aggregation, str]] = {
    kind: "AVG" if kind is Aggregation.AVERAGE else kind.value.upper() for kind in Aggregation
}
KINDS: Final[Mapping[str, Aggregation]] = {name: kind for kind, name in NAMES.items()}
LISTING: Final = ("page", "pageSize", "order", "orderBy", "includeDeleted")

_PATH: Final = re.compile(r"\$\.([^\s.\[\]*?@()]+(?:\.[^\s.\[\]*?@()]+)*)")


class NewMeter(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What `POST /api/v1/meters` takes; a field that nobody knows is refused.

    The last three are OpenMeter's own: taken, so that its clients work unchanged, and not kept.
    """

    slug: str
    event_type: str
    aggregation: str
    value_property: str | None = None
    group_by: dict[str, str] = {}
    name: str | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None


class MeterChange(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What `PUT /api/v1/meters/{meter}` takes: as OpenMeter's clients send it."""

    group_by: dict[str, str] | None = None
    name: str | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None


_DECODER: Final = msgspec.json.Decoder(NewMeter)
_UPDATE: Final = msgspec.json.Decoder(MeterChange)


async def list_meters(request: Request) -> Response:
    """All meters, each in its newest version; deleted ones with `?includeDeleted=true`."""
    service = service_of(request)
    await service.granted(request, Scope.READ)
    check_known(request, LISTING)
    with_deleted = flag(request, "includeDeleted")
    found = await service.in_thread(service.app.store.catalog.meters)
    newest = (versions[-1] for versions in found)
    return json_response([_body(meter) for meter in newest if with_deleted or not meter.archived])


async def get_meter(request: Request) -> Response:
    """A meter in its newest version, with the ETag that an edit may name; a deleted one too, since
    what it counted stays."""
    service = service_of(request)
    await service.granted(request, Scope.READ)
    name = request.path_params["meter"]
    return _answer(await service.in_thread(lambda: known_meter(service.app.store.catalog, name)))


async def create_meter(request: Request) -> Response:
    """201; the same meter again changes nothing, another of its name is a conflict. A deleted one
    is taken up again, and counts what waited for it."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    wanted = meter_wanted(await read_json(request, _DECODER))
    await service.in_thread(lambda: save_meter(service, wanted, who=f"key {key.id}"))
    made = await service.in_thread(lambda: known_meter(service.app.store.catalog, wanted.id))
    location = {"Location": f"/api/v1/meters/{wanted.id}"} if wanted.id.isascii() else {}
    return _answer(made, status=201, headers=location)


async def update_meter(request: Request) -> Response:
    """Other dimensions (`groupBy`) from each tenant's next billing period on. OpenMeter's other
    fields are taken, and not kept."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    sent, read = await read_json(request, _UPDATE), read_as(request)
    name = request.path_params["meter"]
    return _answer(await service.in_thread(lambda: _updated(service, name, sent, read, key)))


async def delete_meter(request: Request) -> Response:
    """204: it counts until each tenant's billing period ends, and what it counted stays. 409 while
    it bills somebody: end its mappings first."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    check_known(request, ())
    name, read = request.path_params["meter"], read_as(request)
    await service.in_thread(lambda: _archive(service, name, read, key))
    return Response(status_code=204)


def known_meter(catalog: Catalog, name: str) -> Meter:
    """The meter's newest version, by its id; NotFound where there is none."""
    return configuring.known_meter(catalog, name)[-1]


def save_meter(service: Service, wanted: Meter, *, who: str) -> None:
    """Make the meter and count what waited for it; the problem where its name is taken."""
    catalog, now = service.app.store.catalog, service.app.clock.now()

    def check(known: Meter) -> None:
        if not known.archived and not same_rule(known, wanted):
            detail = f"there is a meter {wanted.id!r} of another definition"
            raise Problem(status=409, kind="already-there", detail=detail)

    line = Override(at=now, who=who, why=OVER_HTTP, action="meters add", subject=wanted.id)
    configuring.save_meter(catalog, wanted, line, check=check)
    replay(service.intake(), now, waits_for=f"code:{wanted.code}")


def _updated(
    service: Service, name: str, sent: MeterChange, read: str | None, key: ApiKey
) -> Meter:
    catalog, now = service.app.store.catalog, service.app.clock.now()
    before = known_meter(catalog, name)
    wanted = before
    if sent.group_by is not None:
        wanted = replace(before, dimensions=_dimensions(sent.group_by))

    def check(known: Meter) -> None:
        check_match(read, etag_of(_body(known)))
        if known.archived:
            raise not_found(f"the meter {name[:80]!r} is deleted; create it to take it up again")
        if known != before:
            raise changed_meanwhile()

    line = audit(key, now, OVER_HTTP, "meters change", name)
    return configuring.save_meter(catalog, wanted, line, check=check) or before


def _archive(service: Service, name: str, read: str | None, key: ApiKey) -> None:
    catalog, now = service.app.store.catalog, service.app.clock.now()
    line = audit(key, now, OVER_HTTP, "meters archive", name)

    def check(known: Meter) -> None:
        check_match(read, etag_of(_body(known)))

    try:
        configuring.archive_meter(catalog, name, line, check=check)
    except InvalidSetting as error:
        raise Problem(status=409, kind="still-billed", detail=str(error)) from error


def meter_wanted(sent: NewMeter) -> Meter:
    """The meter that was described; the problem names the field that cannot be meant."""
    aggregation = KINDS.get(sent.aggregation.upper())
    if aggregation is None:
        raise _invalid("/aggregation", f"must be one of {', '.join(KINDS)}")
    if sent.value_property is None and aggregation is not Aggregation.COUNT:
        raise _invalid("/valueProperty", "is missing; say where the value is, such as $.tokens")
    return Meter(
        id=check_name("slug", sent.slug),
        code=check_name("eventType", sent.event_type),
        aggregation=aggregation,
        value_path=_path("/valueProperty", sent.value_property or "$.quantity"),
        dimensions=_dimensions(sent.group_by),
    )


def _dimensions(group_by: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_dimension(name, path) for name, path in group_by.items())


def _dimension(name: str, path: str) -> str:
    """Dimensions go by their path here, so a name of its own cannot be kept."""
    found = _path(f"/groupBy/{name}", path)
    if found != name:
        raise _invalid(f"/groupBy/{name}", f"must be $.{name}: a dimension is named by its path")
    return found


def _path(pointer: str, path: str) -> str:
    match = _PATH.fullmatch(path) if len(path) <= 255 else None
    if match is None:
        raise _invalid(pointer, "must be a plain path, such as $.tokens or $.usage.tokens")
    return match[1]


def _invalid(pointer: str, detail: str) -> Problem:
    error = FieldError(pointer=pointer, code="invalid", detail=f"{pointer} {detail}")
    return Problem(status=400, kind="invalid-parameter", detail=error.detail, errors=(error,))


def _answer(
    meter: Meter, *, status: int = 200, headers: Mapping[str, str] = NO_HEADERS
) -> Response:
    body = _body(meter)
    return json_response(body, status=status, headers={**headers, "ETag": etag_of(body)})


def _body(meter: Meter) -> dict[str, object]:
    made = format_instant(max(meter.effective_from, 0))
    body: dict[str, object] = {
        "id": meter.id,
        "slug": meter.id,
        "name": meter.id,
        "eventType": meter.code,
        "aggregation": NAMES[meter.aggregation],
        "valueProperty": f"$.{meter.value_path.removeprefix('$.')}",
        "groupBy": {name: f"$.{name}" for name in meter.dimensions},
        "createdAt": made,
        "updatedAt": made,
    }
    return body | {"deletedAt": made} if meter.archived else body
