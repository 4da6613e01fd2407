"""Draws who is billed, by which meters, and to which slots: settings of every kind."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final
from zlib import crc32

from tallystick.domain.instant import DAY, EARLIEST, HOUR, MINUTE, SECOND, floor_hour
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import WHOLE, Aggregation, Closed, Filter, Meter, Operator, Span
from tallystick.domain.period import Interval, Unit
from tallystick.domain.slot import Route
from tallystick.domain.tenant import Tenant, Terms
from tallystick.testing.fakes import HOUR_METER, ONE_RECORD, SUM_METER, USAGE_RECORD
from tallystick.testing.simulation.calendars import Calendar, instant

STARTS: Final = (
    instant(2026, 3, 28, 12),
    instant(2026, 10, 24, 9),
    instant(2026, 4, 4, 2),
    instant(2026, 1, 30, 22),
    instant(2026, 2, 27, 20),
    instant(2026, 11, 1, 0),
    instant(2026, 7, 14, 15),
)
"""Around changes of clocks, ends of months, and nothing in particular."""

ZONES: Final = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Auckland",
)
ODD: Final = (17 * MINUTE + 23 * SECOND, 30 * MINUTE, SECOND, 59 * MINUTE + 59 * SECOND)
CODES: Final = ("api", "gb")
NEGATIVE_CODE: Final = "gb"
PLAIN_CODE: Final = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A tenant, and who it is at the provider (`name`): several may be one customer there."""

    tenant: str
    name: str
    calendar: Calendar

    def destination(self, route: Route, meter: str) -> str:
        return f"si_{self.name}_{meter}" if route is USAGE_RECORD else f"cus_{self.name}"


def customer_named(destination: str) -> str:
    """Whose destination it is: the other way round."""
    return destination.split("_")[1]


def drawn_customers(draws: Random, start: int, hours: int) -> tuple[Customer, ...]:
    found: list[Customer] = []
    for n in range(draws.choice((1, 1, 2, 3, 4))):
        if found and draws.random() < 0.4:
            other = draws.choice(found)
            found.append(Customer(tenant=f"t{n}", name=other.name, calendar=other.calendar))
        else:
            calendar = _drawn_calendar(draws, start, hours)
            found.append(Customer(tenant=f"t{n}", name=f"c{n}", calendar=calendar))
    return tuple(found)


def _drawn_calendar(draws: Random, start: int, hours: int) -> Calendar:
    """Periods that end inside the run more often than not."""
    unit = draws.choice(("month", "month", "month", "week", "day"))
    anchor = floor_hour(start + draws.randint(0, hours + 48) * HOUR)
    if draws.random() < 0.3:
        anchor += draws.choice(ODD)
    if unit == "month" and draws.random() < 0.3:
        anchor = instant(2025, 10, 31, draws.choice((0, 10)))
    return Calendar(draws.choice(ZONES), anchor, unit)


def terms_of(calendar: Calendar) -> Terms:
    interval = Interval(Unit(calendar.unit))
    return Terms(zone=calendar.zone, anchor=calendar.anchor, interval=interval)


def tenant_of(customer: Customer) -> Tenant:
    """The tenant as it begins, before its terms change."""
    return Tenant(id=customer.tenant, versions=(terms_of(customer.calendar),))


def drawn_meters(draws: Random) -> tuple[Meter, ...]:
    return tuple(_drawn_meter(draws, n) for n in range(draws.choice((1, 2, 2, 3, 4, 5))))


def narrow_meter(draws: Random) -> Meter:
    """One whose totals come back to what they were, again and again."""
    aggregation = draws.choice((Aggregation.SUM, Aggregation.COUNT, Aggregation.LATEST))
    closed = draws.choice((Closed.HOLD, Closed.CARRY))
    return Meter(
        id="m0", code=draws.choice(CODES), aggregation=aggregation, negatives=True, closed=closed
    )


def _drawn_meter(draws: Random, n: int) -> Meter:
    aggregation = draws.choice((*Aggregation, Aggregation.SUM, Aggregation.COUNT))
    members = aggregation is Aggregation.UNIQUE_COUNT
    only_eu = Filter("region", Operator.EQUAL, ("eu",))
    return Meter(
        id=f"m{n}",
        code=draws.choice(CODES),
        aggregation=aggregation,
        span=draws.choice((Span.HOUR, Span.HOUR, Span.DAY, Span.PERIOD)),
        value_path="who" if members else "quantity",
        filters=(only_eu,) if draws.random() < 0.2 else (),
        dimensions=("region",) if draws.random() < 0.3 else (),
        negatives=True,
        closed=draws.choice((Closed.HOLD, Closed.CARRY)),
    )


def plain_meter(draws: Random, name: str) -> Meter:
    """One that only adds up, of a code that no other reads."""
    return Meter(
        id=name,
        code=PLAIN_CODE,
        aggregation=draws.choice((Aggregation.SUM, Aggregation.COUNT)),
        span=draws.choice((Span.HOUR, Span.HOUR, Span.DAY, Span.PERIOD)),
        negatives=True,
        closed=draws.choice((Closed.HOLD, Closed.CARRY)),
    )


def drawn_mappings(
    draws: Random,
    customers: tuple[Customer, ...],
    meters: tuple[Meter, ...],
    start: int,
    hours: int,
    *,
    narrow: bool = False,
) -> tuple[tuple[int, Mapping], ...]:
    """(when it is made, the mapping): most before the start, some late, some changed."""
    if narrow:
        since = start - 90 * DAY
        one = _drawn_mapping(
            draws, customers[0], meters[0], group=WHOLE, publish_from=since, effective_from=EARLIEST
        )
        return ((start, one),)
    found: list[tuple[int, Mapping]] = []
    for customer in customers:
        for meter in meters:
            group = '{"region":"eu"}' if meter.dimensions and draws.random() < 0.4 else WHOLE
            found += _drawn_versions(draws, customer, meter, group=group, start=start, hours=hours)
    return tuple(sorted(found, key=lambda made: made[0]))


def _drawn_versions(
    draws: Random, customer: Customer, meter: Meter, *, group: str, start: int, hours: int
) -> list[tuple[int, Mapping]]:
    if draws.random() < 0.1:
        return []
    made = start if draws.random() < 0.8 else start + draws.randint(0, hours) * HOUR
    publish_from = draws.choice((made, start - 90 * DAY, start - 90 * DAY))
    first = _drawn_mapping(
        draws, customer, meter, group=group, publish_from=publish_from, effective_from=EARLIEST
    )
    versions = [(made, first)]
    if draws.random() < 0.15:
        changed = made + draws.randint(0, hours) * HOUR
        effective = floor_hour(changed) + draws.choice((1, 24)) * HOUR
        second = _drawn_mapping(
            draws, customer, meter, group=group, publish_from=publish_from, effective_from=effective
        )
        versions.append((changed, second))
    return versions


def _drawn_mapping(
    draws: Random,
    customer: Customer,
    meter: Meter,
    *,
    group: str,
    publish_from: int,
    effective_from: int,
) -> Mapping:
    route = draws.choice((HOUR_METER, SUM_METER, USAGE_RECORD))
    destination, counter = customer.destination(route, meter.id), _counter(route, meter)
    # Who shares a slot must bill a cut hour in the same period; `mappings add` insists on it.
    whose = ("previous", "next")[crc32(f"{destination} {counter}".encode()) % 2]
    boundary_hour = draws.choice(("refuse", "previous", "next"))
    return Mapping(
        tenant=customer.tenant,
        meter=meter.id,
        group=group,
        route=route.name,
        destination=destination,
        counter=counter,
        publish_from=publish_from,
        boundary_hour=boundary_hour if boundary_hour == "refuse" else whose,
        effective_from=effective_from,
    )


def _counter(route: Route, meter: Meter) -> str:
    """The provider's meter: one for each way, since a meter there adds up or keeps the last."""
    if route is USAGE_RECORD:
        return ""
    return meter.id if route is HOUR_METER else f"{meter.id}_sum"


def with_one_record(
    draws: Random, mappings: tuple[tuple[int, Mapping], ...]
) -> tuple[tuple[int, Mapping], ...]:
    """The same, some of them to a provider that takes one record for each hour: all of a tenant's
    meter, or now and then one version of it alone."""
    chosen: dict[tuple[str, str], bool] = {}
    found: list[tuple[int, Mapping]] = []
    for made, mapping in mappings:
        whole = chosen.setdefault((mapping.tenant, mapping.meter), draws.random() < 0.6)
        is_chosen = whole is not (draws.random() < 0.1)
        found.append((made, _to_one_record(mapping) if is_chosen else mapping))
    return tuple(found)


def _to_one_record(mapping: Mapping) -> Mapping:
    name = customer_named(mapping.destination)
    destination, counter = f"cus_{name}", f"{mapping.meter}_once"
    whose = ("previous", "next")[crc32(f"{destination} {counter}".encode()) % 2]
    return replace(
        mapping,
        route=ONE_RECORD.name,
        destination=destination,
        counter=counter,
        boundary_hour="refuse" if mapping.boundary_hour == "refuse" else whose,
    )
