"""Ours beside the provider's: each line of a bill, each difference, and when they were compared.

What this server has looked at since it started, as the API shows it; nothing of it is stored.
"""

from typing import Final

from starlette.responses import Response

from tallystick.domain.discrepancy import Kind
from tallystick.entrypoints.checking import SHARE, Checks
from tallystick.entrypoints.dashboard.links import linked
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.visiting import Visit

LISTING: Final = "/dashboard/reconciliation"
LINES: Final = 50
DIFFERENCES: Final = 50

WAITING: Final = (Kind.HELD, Kind.CREDIT, Kind.AMBIGUOUS, Kind.UNDELIVERED)
"""What time, or a mapping, may settle; everything else is a difference."""


def show_reconciliation(visit: Visit) -> Response:
    visit.check_unbound()
    checks, start = visit.service.checks, _start(visit.asked.get("from", ""))
    lines = checks.lines()
    following = start + LINES
    return visit.render(
        "reconciliation.html",
        {
            **_runs(checks),
            "lines": lines[start:following],
            "is_first": not start,
            "first": LISTING,
            "onward": linked(LISTING, **{"from": str(following)}) if following < len(lines) else "",
            "has_provider": visit.service.app.has_provider,
        },
    )


def show_run(visit: Visit) -> Response:
    """How far the run under way is; when it is over, the page is to be loaded again."""
    visit.check_unbound()
    checks = visit.service.checks
    answer = rendered("reconciliation_run.html", _runs(checks))
    if checks.under_way is None:
        answer.headers["HX-Refresh"] = "true"
    return answer


def begin(visit: Visit) -> Response:
    """Compare everything now; one that is under way goes on."""
    visit.check_unbound()
    is_new = visit.service.checks.begin()
    return visit.back_to(LISTING, "Comparing everything." if is_new else "It is under way already.")


def _runs(checks: Checks) -> dict[str, object]:
    runs, found = checks.runs(), checks.discrepancies()
    shares = [run for run in runs if run.what == SHARE]
    return {
        "under_way": checks.under_way,
        "whole": next((run for run in runs if run.what != SHARE), None),
        "waiting": WAITING,
        "is_urgent": any(one.kind not in WAITING for one in found),
        "share": shares[-1] if shares else None,
        "differences": found[:DIFFERENCES],
        "left_out": sum(run.discrepancies_left_out for run in runs)
        + max(0, len(found) - DIFFERENCES),
    }


def _start(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
