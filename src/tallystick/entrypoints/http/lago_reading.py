"""What Lago's clients read: `events.find` and `customers.current_usage`.

A Lago subscription, and its customer, is one of our tenants. We count and do not price: amounts are
zero, in the currency whose code means none.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import Scope
from tallystick.domain.event import Event
from tallystick.domain.instant import format_instant
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.quantity import ZERO, format_quantity
from tallystick.domain.window import Window
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.lago import id_of, stored_event
from tallystick.entrypoints.http.parameters import check_known, tenants_seen
from tallystick.entrypoints.http.problems import invalid_parameter, not_found
from tallystick.entrypoints.http.service import service_of
from tallystick.entrypoints.http.tenants import known_tenant
from tallystick.ports import Store
from tallystick.stages.recounting import pages
from tallystick.stages.totalling import By, Total, totals

SUBSCRIPTION: Final = "external_subscription_id"
FINDING: Final = (SUBSCRIPTION,)
USAGE: Final = ("apply_taxes", "billable_metric_code", SUBSCRIPTION)
NO_CURRENCY: Final = "X" * 3
"""ISO 4217's code where no currency is involved."""

TENANTS_MAX: Final = 10_000
"""So many tenants are looked through for an event whose subscription is not named."""

AGGREGATIONS: Final[Mapping[Aggregation, str]] = MappingProxyType(
    {kind: f"{kind.value}_agg" for kind in Aggregation}
)


async def find_lago_event(request: Request) -> Response:
    """An event by its transaction_id, in Lago's shape. Where several tenants may have it, name one
    by `?external_subscription_id=`."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, FINDING)
    named = tenants_seen(key, request.query_params.getlist(SUBSCRIPTION))
    event_key, store = request.path_params["transaction_id"], service.app.store
    found = await service.in_thread(lambda: _found(store, named, event_key))
    return json_response({"event": stored_event(found)})


def _found(store: Store, named: tuple[str, ...], event_key: str) -> Event:
    found = [e for t in named or _tenants(store) if (e := store.events.event(t, event_key))]
    if not found:
        raise not_found("there is no event of this transaction_id")
    if len(found) > 1:
        raise invalid_parameter(SUBSCRIPTION, "is needed: several tenants have an event of this id")
    return found[0]


def _tenants(store: Store) -> list[str]:
    listed = pages(lambda cursor: store.catalog.accounts(cursor=cursor))
    found: list[str] = []
    for account in listed:
        if len(found) == TENANTS_MAX:
            raise invalid_parameter(SUBSCRIPTION, f"is needed with more than {TENANTS_MAX} tenants")
        found.append(account.tenant.id)
    return found


async def get_current_usage(request: Request) -> Response:
    """What each meter of a tenant came to in its billing period of now, in Lago's shape."""
    service = service_of(request)
    key = await service.granted(request, Scope.READ)
    check_known(request, USAGE)
    names = request.query_params
    tenant, metric = names.get(SUBSCRIPTION, ""), names.get("billable_metric_code", "")
    tenants_seen(key, [request.path_params["customer"]])
    if tenant != request.path_params["customer"]:
        raise not_found("the customer has no such subscription: both are the tenant here")
    store, now = service.app.store, service.app.clock.now()
    body = await service.in_thread(lambda: _usage(store, tenant, metric, now))
    return json_response({"customer_usage": body})


def _usage(store: Store, name: str, metric: str, now: int) -> dict[str, object]:
    period = known_tenant(store.catalog, name).period_at(now)
    came_to = {
        total.meter: total
        for total in totals(store, By.PERIOD, tenant=name, meter=metric, window=period)
        if total.span == period
    }
    meters = [versions[-1] for versions in store.catalog.meters()]
    shown = [m for m in meters if m.id in came_to or not (m.archived or metric not in ("", m.id))]
    return {
        "from_datetime": format_instant(period.start),
        "to_datetime": format_instant(period.end),
        "issuing_date": _day_of(period),
        "lago_invoice_id": None,
        "currency": NO_CURRENCY,
        "amount_cents": 0,
        "taxes_amount_cents": 0,
        "total_amount_cents": 0,
        "charges_usage": [_charge(meter, came_to.get(meter.id)) for meter in shown],
    }


def _day_of(period: Window) -> str:
    return format_instant(period.end)[:10]


def _charge(meter: Meter, total: Total | None) -> dict[str, object]:
    units = format_quantity(ZERO if total is None else total.quantity)
    identity = id_of("meter", meter.id)
    return {
        "units": units,
        "total_aggregated_units": units,
        "events_count": 0 if total is None else total.events,
        "amount_cents": 0,
        "amount_currency": NO_CURRENCY,
        "charge": {"lago_id": identity, "charge_model": "none", "invoice_display_name": meter.id},
        "billable_metric": {
            "lago_id": identity,
            "name": meter.id,
            "code": meter.id,
            "aggregation_type": AGGREGATIONS[meter.aggregation],
        },
        "filters": [],
        "grouped_usage": [],
    }
