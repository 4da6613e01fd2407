"""Objects of the domain with everything given: a test names only what it is about.

The tenant is 'acme', billed monthly in UTC; the meter 'requests' sums the code 'requests' by the
hour; it is noon of 31 January 2026, and what happened happened in the hour from ten.
"""

from collections.abc import Mapping as Properties
from dataclasses import replace
from decimal import Decimal
from typing import Final

from tallystick.domain.aggregate import Aggregate, AggregateKey, contributions
from tallystick.domain.dead_letter import DeadLetter, Reason, dead_letter_id
from tallystick.domain.event import Event, canonical_json, fingerprint_of
from tallystick.domain.instant import EARLIEST, parse_instant
from tallystick.domain.ledger import Book, Entry, Holding, next_entries
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import WHOLE, Aggregation, Closed, Meter, Span
from tallystick.domain.publication import Limits, Publication, State, intended
from tallystick.domain.quantity import parse_quantity
from tallystick.domain.slot import Mode, Place, Reads, Route, Slot, place_for
from tallystick.domain.tenant import Tenant, Terms
from tallystick.domain.window import Window
from tallystick.ports import Override, Recording

at = parse_instant
"""The instant that an RFC 3339 text names."""

TEN: Final = at("2026-01-31T10:00:00Z")
ELEVEN: Final = at("2026-01-31T11:00:00Z")
NOON: Final = at("2026-01-31T12:00:00Z")
THE_HOUR: Final = Window(TEN, ELEVEN)
NEXT_HOUR: Final = Window(ELEVEN, NOON)
JANUARY: Final = Window(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"))
FEBRUARY: Final = Window(JANUARY.end, at("2026-03-01T00:00:00Z"))

ABSOLUTE: Final = Route(name="absolute", mode=Mode.ABSOLUTE, hourly=True)
DELTA: Final = Route(name="delta", mode=Mode.DELTA, hourly=False, reads=Reads.PERIOD)
LIMITS: Final = Limits()


def tenant(name: str = "acme", *, zone: str = "UTC", anchor: int = 0) -> Tenant:
    return Tenant(id=name, versions=(Terms(zone=zone, anchor=anchor),))


def meter(
    name: str = "requests",
    aggregation: Aggregation = Aggregation.SUM,
    *,
    code: str = "requests",
    span: Span = Span.HOUR,
    value_path: str = "quantity",
    dimensions: tuple[str, ...] = (),
    closed: Closed = Closed.HOLD,
    version: int = 1,
    effective_from: int = EARLIEST,
) -> Meter:
    return Meter(
        id=name,
        code=code,
        aggregation=aggregation,
        span=span,
        value_path=value_path,
        dimensions=dimensions,
        negatives=True,
        closed=closed,
        version=version,
        effective_from=effective_from,
    )


def mapping(
    tenant: str = "acme",
    meter: str = "requests",
    *,
    group: str = WHOLE,
    route: Route = ABSOLUTE,
    destination: str = "cus_acme",
    effective_from: int = EARLIEST,
) -> Mapping:
    return Mapping(
        tenant=tenant,
        meter=meter,
        group=group,
        route=route.name,
        destination=destination,
        counter="requests",
        publish_from=EARLIEST,
        effective_from=effective_from,
    )


def override(why: str = "a test", *, at: int = NOON) -> Override:
    return Override(at=at, who="ada", why=why, action="save", subject="acme")


def event(
    key: str = "e1",
    quantity: int | str | Decimal = 1,
    *,
    tenant: str = "acme",
    code: str = "requests",
    occurred_at: int = TEN,
    properties: Properties[str, object] | None = None,
    voids: str | None = None,
    received_at: int = NOON,
) -> Event:
    """The fingerprint is that of all that is given, but for `received_at`."""
    told = Event(
        tenant=tenant,
        key=key,
        code=code,
        quantity=parse_quantity(quantity),
        occurred_at=occurred_at,
        received_at=received_at,
        properties=canonical_json(properties or {}),
        fingerprint="",
        voids=voids,
    )
    sent = (tenant, key, code, told.quantity, occurred_at, told.properties, voids)
    return replace(told, fingerprint=fingerprint_of({"sent": sent}))


def recording(reported: Event, *meters: Meter, by: Tenant | None = None) -> Recording:
    """The event as the metering stage hands it over, by these meters or the usual one."""
    billed = by or tenant(reported.tenant)
    counted = () if reported.voids else contributions(reported, billed, meters or (meter(),))
    body = f"{reported.code} {reported.key} {reported.quantity}"
    return Recording(reported, counted, origin="a test", body=body)


def aggregate_key(
    tenant: str = "acme", meter: str = "requests", group: str = WHOLE, window: Window = THE_HOUR
) -> AggregateKey:
    return AggregateKey(tenant, meter, group, window)


def place(
    route: Route = ABSOLUTE,
    *,
    destination: str = "cus_acme",
    counter: str = "requests",
    at: int = TEN,
    period: Window = JANUARY,
) -> Place:
    return place_for(route, "default", destination, counter, at=at, period=period)


def entries(
    aggregate: Aggregate,
    book: Book,
    into: Place | None = None,
    *,
    route: Route = ABSOLUTE,
    onward: Place | None = None,
    holdings: tuple[Holding, ...] = (),
    now: int = NOON,
) -> tuple[Entry, ...]:
    """What the domain would append next, so that the ledger follows the Aggregate."""
    return next_entries(
        aggregate, book, into or place(route), route, onward=onward, holdings=holdings, now=now
    )


def publication(
    slot: Slot, *, route: Route = ABSOLUTE, incarnation: str = "here", now: int = NOON
) -> Publication:
    """The slot's next one, as the domain would intend it."""
    return intended(slot, route, incarnation, LIMITS, now)


def settled(
    current: Publication, state: State = State.CONFIRMED, *, now: int = NOON
) -> Publication:
    return replace(current, state=state, settled_at=now, step=current.step + 1)


def dead_letter(
    body: str = "{}", *, tenant: str = "", waits_for: str = "", origin: str = "a test"
) -> DeadLetter:
    return DeadLetter(
        id=dead_letter_id(origin, body),
        reason=Reason.UNKNOWN_TENANT,
        tenant=tenant,
        waits_for=waits_for,
        origin=origin,
        body=body,
        received_at=NOON,
    )
