"""One tenant's usage: what is counted right now, and a meter over time as a chart and a table.

The choice of a meter, a reach and a length of windows becomes a query of the API's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.responses import Response

from tallystick.domain.aggregate import Aggregate
from tallystick.domain.instant import DAY, HOUR, floor_hour
from tallystick.domain.meter import WHOLE, Meter
from tallystick.domain.tenant import Tenant, local_day
from tallystick.domain.window import Window
from tallystick.entrypoints.dashboard.links import linked
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.parameters import tenants_seen
from tallystick.entrypoints.http.queries import csv_answer
from tallystick.entrypoints.http.tenants import known_tenant
from tallystick.ports import Store
from tallystick.stages.publishing import PAUSE
from tallystick.stages.querying import Query, Row, Size, ask

OPEN_WINDOWS_MAX: Final = 4
"""A meter has one whole window open at a time; where its span was changed, two."""


class Reach(StrEnum):
    """How far back one looks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    PERIOD = "period"
    BEFORE = "before"


REACHES: Final[Mapping[Reach, str]] = {
    Reach.DAY: "24 hours",
    Reach.WEEK: "7 days",
    Reach.MONTH: "30 days",
    Reach.PERIOD: "This billing period",
    Reach.BEFORE: "The billing period before",
}
SIZES: Final[Mapping[Size, str]] = {
    Size.HOUR: "Hours",
    Size.DAY: "Days",
    Size.MONTH: "Months",
}
USUAL: Final[Mapping[Reach, Size]] = {
    reach: Size.HOUR if reach is Reach.DAY else Size.DAY for reach in Reach
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody wants to see of a tenant."""

    meter: str
    reach: Reach
    size: Size
    zone: str
    span: Window

    def query(self, tenant: str, *, size: Size | None) -> Query:
        return Query(meter=self.meter, span=self.span, size=size, zone=self.zone, tenants=(tenant,))


def choice_of(asked: Mapping[str, str], tenant: Tenant, meters: list[str], now: int) -> Choice:
    """What the parameters choose; whatever they do not say, or cannot mean, is the usual."""
    reach = Reach(asked["reach"]) if asked.get("reach") in list(Reach) else Reach.DAY
    size = Size(asked["size"]) if asked.get("size") in list(SIZES) else USUAL[reach]
    meter = asked.get("meter", "")
    return Choice(
        meter=meter if meter in meters else next(iter(meters), ""),
        reach=reach,
        size=size,
        zone=tenant.terms_at(now).zone,
        span=span_of(reach, tenant, now),
    )


def span_of(reach: Reach, tenant: Tenant, now: int) -> Window:
    """From the start of a window of the tenant's to the end of the one that runs."""
    zone = tenant.terms_at(now).zone
    match reach:
        case Reach.DAY:
            end = floor_hour(now) + HOUR
            return Window(end - DAY, end)
        case Reach.WEEK:
            return Window(local_day(zone, now - 6 * DAY).start, local_day(zone, now).end)
        case Reach.MONTH:
            return Window(local_day(zone, now - 29 * DAY).start, local_day(zone, now).end)
        case Reach.PERIOD:
            return tenant.period_at(now)
        case Reach.BEFORE:
            return tenant.period_at(tenant.period_at(now).start - 1)


def show_tenant(visit: Visit) -> Response:
    tenant = _tenant(visit)
    store, meters = visit.service.app.store, visit.service.app.store.catalog.meters()
    choice = choice_of(visit.asked, tenant, [versions[-1].id for versions in meters], visit.now)
    account, switches = store.catalog.account(tenant.id), store.catalog.switches()
    return visit.render(
        "tenant.html",
        {
            **usage_values(store, tenant, choice),
            "open_windows": open_windows(store, tenant, meters, visit.now),
            "meters": [versions[-1].id for versions in meters],
            "mappings": () if account is None or visit.key.tenant else account.mappings,
            "period": tenant.period_at(visit.now),
            "terms": tenant.terms_at(visit.now),
            "paused_since": switches.get(f"{PAUSE}:{tenant.id}", ""),
            "reaches": REACHES,
            "sizes": SIZES,
            "csv": linked(
                "/dashboard/tenant/usage.csv",
                id=tenant.id,
                meter=choice.meter,
                reach=choice.reach,
                size=choice.size,
            ),
            "live": linked("/dashboard/tenant/now", id=tenant.id),
            "now": visit.now,
        },
    )


def show_now(visit: Visit) -> Response:
    """What the tenant's open windows hold, to be fetched again and again."""
    tenant = _tenant(visit)
    store = visit.service.app.store
    found = open_windows(store, tenant, store.catalog.meters(), visit.now)
    return rendered("usage_now.html", {"open_windows": found})


def download(visit: Visit) -> Response:
    """The table as CSV, by the API's own writer."""
    tenant = _tenant(visit)
    store = visit.service.app.store
    meters = [versions[-1].id for versions in store.catalog.meters()]
    choice = choice_of(visit.asked, tenant, meters, visit.now)
    query = choice.query(tenant.id, size=choice.size)
    return csv_answer(query, ask(store, query) if choice.meter else ())


def usage_values(store: Store, tenant: Tenant, choice: Choice) -> dict[str, object]:
    """What the chart and the table show; the total is folded anew, since not all meters add up."""
    rows: tuple[Row, ...] = ()
    total: tuple[Row, ...] = ()
    if choice.meter:
        rows = ask(store, choice.query(tenant.id, size=choice.size))
        total = ask(store, choice.query(tenant.id, size=None))
    return {
        "tenant": tenant,
        "choice": choice,
        "rows": rows,
        "total": total[0].quantity if total else None,
    }


def open_windows(
    store: Store, tenant: Tenant, meters: tuple[tuple[Meter, ...], ...], now: int
) -> list[Aggregate]:
    """The whole Aggregates of the tenant whose window runs now."""
    found: list[Aggregate] = []
    for versions in meters:
        page = store.events.aggregates(
            tenant=tenant.id,
            meter=versions[-1].id,
            window=Window(now, now + 1),
            limit=OPEN_WINDOWS_MAX,
        )
        found += [a for a in page.elements if a.key.group == WHOLE and a.tally.count]
    return found


def _tenant(visit: Visit) -> Tenant:
    name = visit.asked.get("id", "")
    tenants_seen(visit.key, [name])
    return known_tenant(visit.service.app.store.catalog, name)
