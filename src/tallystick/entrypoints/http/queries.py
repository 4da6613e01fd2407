"""`GET` and `POST /api/v1/meters/{meter}/query`, in OpenMeter's shape: JSON or CSV."""

import ast
import csv
import io
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.instant import EARLIEST, LATEST, format_instant
from tallystick.domain.meter import Meter
from tallystick.domain.quantity import format_quantity
from tallystick.domain.tenant import check_zone
from tallystick.entrypoints.http.meters import known_meter
from tallystick.entrypoints.http.parameters import (
    check_known,
    read_json,
    span,
    tenants_seen,
)
from tallystick.entrypoints.http.problems import invalid_parameter
from tallystick.entrypoints.http.service import service_of
from tallystick.stages.querying import Query, Row, Size, ask

SUBJECT: Final = "subject"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
PARAMETERS: Final = (
    "clientId",
    "filterGroupBy",
    "from",
    "groupBy",
    "subject",
    "to",
    "windowSize",
    "windowTimeZone",
)

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class Asked(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A query as the parameters or the body of a POST say it."""

    client_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    window_size: str | None = None
    window_time_zone: str | None = None
    subject: list[str] | None = None
    group_by: list[str] | None = None
    filter_group_by: dict[str, list[str]] | None = None


_DECODER: Final = msgspec.json.Decoder(Asked)


async def get_query(request: Request) -> Response:
    """What a meter came to, by window, tenant and dimension; JSON, or CSV by `Accept`."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, PARAMETERS)
    names = request.query_params
    asked = Asked(
        from_=names.get("from"),
        to=names.get("to"),
        window_size=names.get("windowSize"),
        window_time_zone=names.get("windowTimeZone"),
        subject=names.getlist("subject"),
        group_by=names.getlist("groupBy"),
        filter_group_by=_filters(names.multi_items()),
    )
    return await _answered(request, key, asked)


async def post_query(request: Request) -> Response:
    """The same, asked by a body."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    asked = await read_json(request, _DECODER)
    return await _answered(request, key, asked)


def _filters(parameters: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """`filterGroupBy[model]=gpt`, and `filterGroupBy={'model': 'gpt'}` as OpenMeter's own SDK
    writes it."""
    found: dict[str, list[str]] = {}
    for name, text in parameters:
        outer, _, inner = name.partition("[")
        if outer != "filterGroupBy":
            continue
        pairs = {inner.removesuffix("]"): text} if inner else _written_as_dict(text)
        for dimension, wanted in pairs.items():
            found.setdefault(dimension, []).append(wanted)
    return found


def _written_as_dict(text: str) -> dict[str, str]:
    try:
        found = ast.literal_eval(text) if len(text) <= 2_048 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(part, str) for pair in found.items() for part in pair
    ):
        raise invalid_parameter("filterGroupBy", "write it as filterGroupBy[model]=large")
    return found


async def _answered(request: Request, key: ApiKey, asked: Asked) -> Response:
    service = service_of(request)
    store, name = service.app.store, request.path_params["meter"]

    def answer() -> tuple[Query, tuple[Row, ...]]:
        query = _query(known_meter(store.catalog, name), key, asked)
        return query, ask(store, query)

    query, rows = await service.in_thread(answer)
    if "text/csv" in request.headers.get("accept", ""):
        return csv_answer(query, rows)
    return Response(_ENCODER.encode(_body(query, rows)), media_type="application/json")


def _query(meter: Meter, key: ApiKey, asked: Asked) -> Query:
    subjects, groups = asked.subject or [], asked.group_by or []
    by = tuple(dict.fromkeys(name for name in groups if name != SUBJECT))
    only = {name: frozenset(wanted) for name, wanted in (asked.filter_group_by or {}).items()}
    for name in (*by, *only):
        if name not in meter.dimensions:
            known = ", ".join((SUBJECT, *meter.dimensions))
            raise invalid_parameter("groupBy", f"{name[:80]!r} is no dimension; there are {known}")
    size = _size(asked.window_size)
    return Query(
        meter=meter.id,
        span=span(asked.from_, asked.to),
        size=size,
        zone=check_zone(asked.window_time_zone or "UTC"),
        tenants=tenants_seen(key, subjects),
        by_tenant=bool(subjects) or SUBJECT in groups,
        by=by,
        only=only,
    )


def _size(text: str | None) -> Size | None:
    if text is None:
        return None
    if text.upper() not in list(Size):
        raise invalid_parameter("windowSize", f"must be one of {', '.join(Size)}")
    return Size(text.upper())


def _body(query: Query, rows: Iterable[Row]) -> dict[str, object]:
    shown: dict[str, object] = {
        "from": None if query.span.start == EARLIEST else format_instant(query.span.start),
        "to": None if query.span.end == LATEST else format_instant(query.span.end),
        "windowSize": query.size,
    }
    body = {name: found for name, found in shown.items() if found is not None}
    return body | {"data": [_row(query, row) for row in rows]}


def _row(query: Query, row: Row) -> Mapping[str, object]:
    return {
        "value": row.quantity,
        "windowStart": format_instant(row.window.start),
        "windowEnd": format_instant(row.window.end),
        "subject": row.tenant if query.by_tenant else None,
        "groupBy": dict(row.group),
    }


def csv_answer(query: Query, rows: Iterable[Row]) -> Response:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    subject = ("subject",) if query.by_tenant else ()
    by = map(_cell, query.by)
    writer.writerow(("window_start", "window_end", *subject, *by, "value"))
    for row in rows:
        tenant = (_cell(row.tenant),) if query.by_tenant else ()
        group = (_cell(value or "") for _, value in row.group)
        start, end = format_instant(row.window.start), format_instant(row.window.end)
        writer.writerow((start, end, *tenant, *group, format_quantity(row.quantity)))
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(query.meter)}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


def _cell(text: str) -> str:
    """What a spreadsheet would run as a formula begins with a quote, as text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _file_name(meter: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in meter)
