"""What the demo bills: sixteen airlines, four meters, and the months they are billed by."""

from dataclasses import dataclass
from typing import Final

from tallystick.domain.instant import parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Aggregation, Meter, Span
from tallystick.domain.period import Interval, boundary
from tallystick.domain.tenant import Tenant, Terms
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.flights import CODE
from tallystick.ports import Catalog, Override
from tallystick.publishers import HOUR_METER

ZONE: Final = "America/New_York"
ANCHOR: Final = parse_instant("2013-01-01T05:00:00Z")
"""Midnight in New York, and a full UTC hour, as Stripe's hour meters need it."""

MONTHLY: Final = Interval()
MONTHS: Final = 12

AIRLINES: Final = (
    ("9E", "Endeavor Air"),
    ("AA", "American Airlines"),
    ("AS", "Alaska Airlines"),
    ("B6", "JetBlue Airways"),
    ("DL", "Delta Air Lines"),
    ("EV", "ExpressJet Airlines"),
    ("F9", "Frontier Airlines"),
    ("FL", "AirTran Airways"),
    ("HA", "Hawaiian Airlines"),
    ("MQ", "Envoy Air"),
    ("OO", "SkyWest Airlines"),
    ("UA", "United Air Lines"),
    ("US", "US Airways"),
    ("VX", "Virgin America"),
    ("WN", "Southwest Airlines"),
    ("YV", "Mesa Airlines"),
)

METERS: Final = (
    Meter(id="flights", code=CODE, aggregation=Aggregation.COUNT),
    Meter(id="flight-miles", code=CODE, value_path="distance"),
    Meter(
        id="aircraft",
        code=CODE,
        aggregation=Aggregation.UNIQUE_COUNT,
        span=Span.PERIOD,
        value_path="tailnum",
    ),
    Meter(
        id="longest-delay",
        code=CODE,
        aggregation=Aggregation.MAX,
        span=Span.PERIOD,
        value_path="arr_delay",
    ),
)


def period(number: int, interval: Interval = MONTHLY) -> Window:
    """The n-th billing period of 2013, from 1."""
    return Window(boundary(ANCHOR, interval, number - 1), boundary(ANCHOR, interval, number))


@dataclass(frozen=True, slots=True)
class Customer:
    """What the provider calls an airline."""

    carrier: str
    destination: str


def fill(catalog: Catalog, customers: tuple[Customer, ...], now: int, interval: Interval) -> None:
    """Save the tenants, the meters and a mapping for each tenant and meter."""

    def audit(subject: str) -> Override:
        return Override(at=now, who="demo", why="set up", action="add", subject=subject)

    names = dict(AIRLINES)
    for meter in METERS:
        catalog.save(meter, audit(meter.id))
    for customer in customers:
        terms = Terms(zone=ZONE, anchor=ANCHOR, interval=interval)
        tenant = Tenant(id=customer.carrier, name=names[customer.carrier], versions=(terms,))
        catalog.save(tenant, audit(tenant.id))
        for meter in METERS:
            catalog.save(_mapping(customer, meter, now), audit(f"{tenant.id}/{meter.id}"))


def _mapping(customer: Customer, meter: Meter, now: int) -> Mapping:
    return Mapping(
        tenant=customer.carrier,
        meter=meter.id,
        route=HOUR_METER.name,
        destination=customer.destination,
        counter=meter.id,
        publish_from=now,
    )
