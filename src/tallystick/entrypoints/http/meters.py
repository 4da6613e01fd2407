"""`/api/v1/meters`: made, listed and shown in OpenMeter's shape."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import Scope
from tallystick.domain.errors import FieldError
from tallystick.domain.instant import EARLIEST, format_instant
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.tenant import check_name
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.parameters import check_known, read_json
from tallystick.entrypoints.http.problems import Problem, not_found
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.ports import Catalog, Override
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


_DECODER: Final = msgspec.json.Decoder(NewMeter)


async def list_meters(request: Request) -> Response:
    """All meters, each in its newest version."""
    service = service_of(request)
    await service.granted(request, Scope.READ)
    check_known(request, LISTING)
    found = await service.in_thread(service.app.store.catalog.meters)
    return json_response([_body(versions[-1]) for versions in found])


async def get_meter(request: Request) -> Response:
    """A meter in its newest version."""
    service = service_of(request)
    await service.granted(request, Scope.READ)
    name = request.path_params["meter"]
    meter = await service.in_thread(lambda: known_meter(service.app.store.catalog, name))
    return json_response(_body(meter))


async def create_meter(request: Request) -> Response:
    """201; the same meter again changes nothing, another of its name is a conflict."""
    service = service_of(request)
    key = await service.granted(request, Scope.ADMIN)
    wanted = meter_wanted(await read_json(request, _DECODER))
    await service.in_thread(lambda: save_meter(service, wanted, who=f"key {key.id}"))
    return json_response(
        _body(wanted), status=201, headers={"Location": f"/api/v1/meters/{wanted.id}"}
    )


def known_meter(catalog: Catalog, name: str) -> Meter:
    """The meter's newest version, by its id."""
    for versions in catalog.meters():
        if versions[0].id == name:
            return versions[-1]
    raise not_found(f"there is no meter {name[:80]!r}")


def save_meter(service: Service, wanted: Meter, *, who: str) -> None:
    """Make the meter and count what waited for it; the problem where its name is taken."""
    store, now = service.app.store, service.app.clock.now()
    with service.editing:
        known = next((v for v in store.catalog.meters() if v[0].id == wanted.id), None)
        if known and replace(known[-1], version=1, effective_from=EARLIEST) != wanted:
            detail = f"there is a meter {wanted.id!r} of another definition"
            raise Problem(status=409, kind="already-there", detail=detail)
        if known is None:
            line = Override(
                at=now, who=who, why="over HTTP", action="meters add", subject=wanted.id
            )
            store.catalog.save(wanted, line)
    replay(service.intake(), now, waits_for=f"code:{wanted.code}")


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
        dimensions=tuple(_dimension(name, path) for name, path in sent.group_by.items()),
    )


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


def _body(meter: Meter) -> dict[str, object]:
    made = format_instant(max(meter.effective_from, 0))
    return {
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
