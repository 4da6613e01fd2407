"""One January week of the airlines' flights, as events in the native form, and who is billed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tallystick.domain.instant import DAY, HOUR, SECOND, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant, Terms
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.flights import Flight, read_flights
from tallystick.ports import Catalog, Override
from tallystick.publishers import HOUR_METER
from tests.sandbox.shop import Shop

CODE = "flight"
MONTH = parse_instant("2013-01-01T00:00:00Z")
MONDAY = parse_instant("2013-01-07T00:00:00Z")
WEEK = Window(MONDAY, MONDAY + 7 * DAY)
TWICE = 0.2
MILLISECOND = SECOND // 1_000

Detail = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of a flight: its miles, by the airline, at departure."""

    tenant: str
    key: str
    occurred_at: int
    miles: int

    @property
    def detail(self) -> Detail:
        return {
            "TenantID": self.tenant,
            "ProductCode": CODE,
            "Quantity": self.miles,
            "Timestamp": self.occurred_at // MILLISECOND,
            "EventID": self.key,
        }


def reports_of(span: Window, *, prefix: str = "") -> list[Report]:
    """A report of each flight that left in the span."""
    return [reported(flight, prefix) for flight in read_flights(span)]


def reported(flight: Flight, prefix: str = "") -> Report:
    return Report(
        tenant=f"{prefix}{flight.carrier}",
        key=flight.key,
        occurred_at=flight.occurred_at,
        miles=flight.distance,
    )


def as_sent(reports: Iterable[Report], seed: int) -> list[Report]:
    """Shuffled, and a fifth of them twice, as services do it that are not sure."""
    dice = random.Random(seed)  # noqa: S311  # a plan that can be repeated
    sent = list(reports)
    sent += [report for report in sent if dice.random() < TWICE]
    dice.shuffle(sent)
    return sent


def sums_of(reports: Iterable[Report]) -> dict[str, Decimal]:
    """An independent count: the miles by tenant."""
    sums: dict[str, Decimal] = {}
    for report in {(one.tenant, one.key): one for one in reports}.values():
        sums[report.tenant] = sums.get(report.tenant, Decimal(0)) + report.miles
    return sums


def subscribe(shop: Shop, tenants: Sequence[str]) -> None:
    """What stands at Stripe: an hour meter, and a customer with a subscription for each tenant."""
    meter = shop.meter(CODE, event_time_window="hour")
    price = shop.price(meter, "0.1")
    for tenant in tenants:
        customer = shop.customer(id=customer_of(tenant))
        shop.subscribe(customer, price, billing_cycle_anchor=MONTH // SECOND)


def customer_of(tenant: str) -> str:
    return f"cus_{tenant}"


def fill(catalog: Catalog, tenants: Sequence[str], *, mapped: bool = True) -> None:
    """Save the meter, and each tenant, mapped to its customer where asked."""
    audit = Override(at=MONTH, who="a test", why="set up", action="add", subject="the week")
    assert catalog.save(Meter(id=CODE, code=CODE), audit)
    for tenant in tenants:
        catalog.save(Tenant(id=tenant, versions=(Terms(anchor=MONTH),)), audit)
        if mapped:
            catalog.save(mapping_of(tenant), audit)


def mapping_of(tenant: str) -> Mapping:
    return Mapping(
        tenant=tenant,
        meter=CODE,
        route=HOUR_METER.name,
        destination=customer_of(tenant),
        counter=CODE,
        publish_from=MONTH,
    )


def hours_of(span: Window) -> list[int]:
    return list(range(span.start + HOUR, span.end + HOUR, HOUR))
