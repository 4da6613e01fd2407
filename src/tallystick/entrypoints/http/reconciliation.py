"""`/api/v1/reconciliation`: what was found when our books were held beside the provider's.

What this process has looked at since its start, that is: nothing of it is stored.
"""

import json
from bisect import bisect_right
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.discrepancy import Comparison, Discrepancy
from tallystick.domain.instant import format_instant
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.checking import SHARE, Check, Checks
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.books import LIMIT, LIMIT_MAX, check_unbound
from tallystick.entrypoints.http.parameters import check_known, cursor, number
from tallystick.entrypoints.http.problems import invalid_parameter
from tallystick.entrypoints.http.service import service_of
from tallystick.stages.reconciling import COMPARED_FOR

LINES: Final = ("cursor", "limit")
SHOWN_MAX: Final = 1_000

Place = tuple[str, str, int]
"""(destination, counter, start of the period)."""


async def get_reconciliation(request: Request) -> Response:
    """The last runs, and each difference that they found. Null where there was none since the
    start: the hourly loop compares a share of the tenants each hour, `POST` everything."""
    service = service_of(request)
    check_unbound(await service.granted(request, Scope.READ))
    check_known(request, ())
    return json_response(_body(service.checks))


async def begin_reconciling(request: Request) -> Response:
    """Compare everything now, in the background; one that is under way goes on. A subscription
    that differs is held, and one that agrees again released."""
    service = service_of(request)
    key: ApiKey = await service.granted(request, Scope.PUBLISH)
    check_unbound(key)
    service.checks.begin()
    headers = {"Location": request.url.path}
    return json_response(_body(service.checks), status=202, headers=headers)


async def list_lines(request: Request) -> Response:
    """Ours beside the provider's for each line of a bill: a destination, a counter, a period."""
    service = service_of(request)
    check_unbound(await service.granted(request, Scope.READ))
    check_known(request, LINES)
    limit, after = number(request, "limit", default=LIMIT, most=LIMIT_MAX), _place(cursor(request))
    found = service.checks.lines()
    start = 0 if after is None else bisect_right(found, after, key=_place_of)
    shown = found[start : start + limit]
    onward = json.dumps(_place_of(shown[-1])) if start + limit < len(found) else ""
    return json_response({"elements": [line_body(line) for line in shown], "cursor": onward})


def _place(text: str) -> Place | None:
    if not text:
        return None
    match json.loads(text):
        case [str(destination), str(counter), int(start)]:
            return destination, counter, start
    raise invalid_parameter("cursor", "is none of ours; begin without one")


def _place_of(line: Comparison) -> Place:
    return line.destination, line.counter, line.period.start


# ── Shapes ────────────────────────────────────────────────────────────────────────────────────────


def _body(checks: Checks) -> dict[str, object]:
    runs = checks.runs()
    whole = next((run for run in runs if run.what != SHARE), None)
    share = next((run for run in reversed(runs) if run.what == SHARE), None)
    found = checks.discrepancies()
    left_out = sum(run.discrepancies_left_out for run in runs) + max(0, len(found) - SHOWN_MAX)
    under_way = checks.under_way
    return {
        "under_way_since": None if under_way is None else format_instant(under_way.began_at),
        "whole": None if whole is None else _run(whole),
        "share": None if share is None else _run(share),
        "discrepancies": [discrepancy_body(one) for one in found[:SHOWN_MAX]],
        "discrepancies_left_out": left_out,
    }


def _run(run: Check) -> dict[str, object]:
    return {
        "what": run.what,
        "began_at": format_instant(run.began_at),
        "ended_at": None if run.ended_at is None else format_instant(run.ended_at),
        "left_out_before": format_instant(run.began_at - COMPARED_FOR),
        "lines": len(run.lines) + run.lines_left_out,
        "discrepancies": len(run.discrepancies) + run.discrepancies_left_out,
        "trouble": run.trouble,
    }


def discrepancy_body(found: Discrepancy) -> dict[str, object]:
    return {
        "kind": str(found.kind),
        "tenant": found.tenant,
        "meter": found.meter,
        "subject": found.subject,
        "ours": format_quantity(found.ours),
        "theirs": format_quantity(found.theirs),
        "difference": format_quantity(found.difference),
        "detail": found.detail,
        "found_at": format_instant(found.found_at),
    }


def line_body(line: Comparison) -> dict[str, object]:
    difference = line.difference
    return {
        "destination": line.destination,
        "counter": line.counter,
        "start": format_instant(line.period.start),
        "end": format_instant(line.period.end),
        "ours": format_quantity(line.ours),
        "theirs": None if line.theirs is None else format_quantity(line.theirs),
        "difference": None if difference is None else format_quantity(difference),
        "compared_at": format_instant(line.compared_at),
    }
