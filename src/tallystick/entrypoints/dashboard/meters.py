"""Meters: what is counted of which code, and a form that makes another."""

from typing import Final

from starlette.responses import Response

from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.meters import KINDS, NewMeter, meter_wanted, save_meter
from tallystick.entrypoints.http.problems import Problem

FIELDS: Final = ("slug", "code", "aggregation", "path", "dimensions")
USUAL: Final = {
    "slug": "",
    "code": "",
    "aggregation": "SUM",
    "path": "$.quantity",
    "dimensions": "",
}


def list_meters(visit: Visit) -> Response:
    return _shown(visit, dict(USUAL))


def make_meter(visit: Visit) -> Response:
    """By the API's own rules; where they refuse it, the form comes back as it was filled in."""
    given = {name: visit.posted(name) for name in FIELDS}
    paths = [path for path in given["dimensions"].replace(",", " ").split() if path]
    sent = NewMeter(
        slug=given["slug"],
        event_type=given["code"] or given["slug"],
        aggregation=given["aggregation"],
        value_property=given["path"] or None,
        group_by={path.removeprefix("$."): f"$.{path.removeprefix('$.')}" for path in paths},
    )
    try:
        wanted = meter_wanted(sent)
        save_meter(visit.service, wanted, who=f"key {visit.key.id}")
    except InvalidSetting as error:
        return _shown(visit, given, fault=str(error), status=400)
    except Problem as problem:
        return _shown(visit, given, fault=problem.detail, status=problem.status)
    notice = f"The meter {wanted.id} counts {wanted.code} from now on."
    return visit.back_to("/dashboard/meters", notice)


def _shown(visit: Visit, given: dict[str, str], *, fault: str = "", status: int = 200) -> Response:
    return visit.render(
        "meters.html",
        {
            "meters": [versions[-1] for versions in visit.service.app.store.catalog.meters()],
            "kinds": KINDS,
            "given": given,
            "fault": fault,
        },
        status=status,
    )
