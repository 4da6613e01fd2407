"""Draws what is reported, and when: late, out of order, twice, in conflict, and voided."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from tallystick.domain.event import Event, fingerprint_of_report
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.testing.simulation.settings import CODES, NEGATIVE_CODE, Customer

QUANTITIES: Final = ("0", "1", "2", "3", "5", "7", "10", "40", "0.5", "1.25", "0.001", "99.9")
BATCH_SPAN: Final = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Report:
    """A batch that is reported at once."""

    at: int
    events: tuple[Event, ...]


def drawn_reports(
    draws: Random,
    customers: tuple[Customer, ...],
    start: int,
    hours: int,
    count: int,
    *,
    narrow: bool = False,
) -> tuple[Report, ...]:
    """About `count` events over the run, cut into batches by the time they are reported at."""
    style = _Style(draws, narrow=narrow)
    sent: list[tuple[int, Event]] = []
    numbers = Counter[str]()
    for _ in range(count):
        tenant = draws.choice(customers).tenant
        numbers[tenant] += 1
        occurred_at = start + draws.randrange((min(hours, 6) if narrow else hours) * HOUR)
        event = _drawn_event(draws, tenant, f"e{numbers[tenant]}", occurred_at, style)
        at = occurred_at + style.lateness(draws)
        sent.append((at, event))
        sent += _again(draws, event, at, style)
        sent += _voids(draws, event, at, style)
    return _batched(sent, start + hours * HOUR)


def drawn_backdated(
    draws: Random, customers: tuple[Customer, ...], start: int, hours: int
) -> tuple[Report, ...]:
    """Some usage of up to 60 days before the run, which is reported within it."""
    style, found = _Style(draws, narrow=False), list[Report]()
    for number in range(draws.randint(3, 15)):
        tenant = draws.choice(customers).tenant
        occurred_at = start - draws.randrange(60 * DAY)
        event = _drawn_event(draws, tenant, f"backdated{number}", occurred_at, style)
        found.append(Report(start + draws.randrange(hours * HOUR), (event,)))
    return tuple(found)


def drawn_large(
    draws: Random, customers: tuple[Customer, ...], code: str, start: int, hours: int
) -> tuple[Report, ...]:
    """Some reports of many events of one code, none below zero, of some hours before; what is said
    of them again, and their voids, now and then in the same report."""
    style = _Style(draws, narrow=False, codes=(code,))
    style.is_negative, style.voids = False, draws.choice((0.0, 0.01, 0.05))
    sent: list[tuple[int, Event]] = []
    for number in range(draws.randint(2, 6)):
        at = start + draws.randrange(hours * HOUR)
        reach = draws.choice((HOUR, 3 * HOUR, 12 * HOUR))
        for place in range(draws.choice((10, 60, 200))):
            tenant = draws.choice(customers).tenant
            occurred_at = max(start, at - draws.randrange(reach))
            event = _drawn_event(draws, tenant, f"large{number}-{place}", occurred_at, style)
            sent.append((at, event))
            sent += _again(draws, event, at, style)
            sent += _voids(draws, event, at, style)
    return _batched(sent, start + hours * HOUR)


class _Style:
    """What this run has much of."""

    def __init__(self, draws: Random, *, narrow: bool, codes: tuple[str, ...] = CODES) -> None:
        self.codes = codes
        self.quantities = draws.choice((QUANTITIES, ("1",), ("1", "2"))) if narrow else QUANTITIES
        self.is_negative = draws.random() < 0.5
        self.late_share = 0.9 if narrow else draws.choice((0.0, 0.1, 0.4))
        self.late_max = draws.choice((2 * HOUR, 3 * DAY, 20 * DAY, 40 * DAY))
        if narrow:
            self.late_max = draws.choice((6, 24, 60)) * HOUR
        self.duplicates = draws.choice((0.0, 0.2))
        self.conflicts = draws.choice((0.0, 0.05))
        self.voids = draws.choice((0.2, 0.5) if narrow else (0.0, 0.05, 0.2))

    def lateness(self, draws: Random) -> int:
        if draws.random() < self.late_share:
            return draws.randrange(self.late_max)
        return draws.randrange(2 * MINUTE)


def _drawn_event(draws: Random, tenant: str, key: str, occurred_at: int, style: _Style) -> Event:
    code = draws.choice(style.codes)
    quantity = Decimal(draws.choice(style.quantities))
    if code == NEGATIVE_CODE and style.is_negative and draws.random() < 0.4:
        quantity = -quantity if quantity else quantity
    properties = {"who": f"u{draws.randrange(6)}"}
    if draws.random() < 0.8:
        properties["region"] = draws.choice(("eu", "us"))
    return _event(
        tenant,
        key,
        code=code,
        quantity=quantity,
        occurred_at=occurred_at,
        properties=json.dumps(properties),
    )


def _event(
    tenant: str,
    key: str,
    *,
    code: str,
    quantity: Decimal,
    occurred_at: int,
    properties: str = "{}",
    voids: str | None = None,
) -> Event:
    return Event(
        tenant=tenant,
        key=key,
        code=code,
        quantity=quantity,
        occurred_at=occurred_at,
        received_at=occurred_at,
        properties=properties,
        fingerprint=fingerprint_of_report(
            code, quantity=quantity, occurred_at=occurred_at, properties=properties, voids=voids
        ),
        voids=voids,
    )


def _again(draws: Random, event: Event, at: int, style: _Style) -> list[tuple[int, Event]]:
    """The same once more, or something else under the same key."""
    found: list[tuple[int, Event]] = []
    if draws.random() < style.duplicates:
        found.append((at + draws.choice((0, SECOND, HOUR, 3 * DAY)), event))
    if draws.random() < style.conflicts:
        other = _event(
            event.tenant,
            event.key,
            code=event.code,
            quantity=event.quantity + 1,
            occurred_at=event.occurred_at,
            properties=event.properties,
        )
        found.append((at + draws.choice((0, SECOND, HOUR)), other))
    return found


def _voids(draws: Random, event: Event, at: int, style: _Style) -> list[tuple[int, Event]]:
    """Voids of the event: before it or after, once or twice, and now and then of a void."""
    found: list[tuple[int, Event]] = []
    while draws.random() < style.voids and len(found) < 3:
        key = f"v{len(found)}-{event.key}"
        target = found[-1][1].key if found and draws.random() < 0.2 else event.key
        when = max(event.occurred_at, at + draws.choice((-HOUR, 0, MINUTE, 2 * HOUR, 4 * DAY)))
        void = _event(
            event.tenant,
            key,
            code=event.code,
            quantity=Decimal(1),
            occurred_at=when,
            voids=target,
        )
        found.append((when, void))
    return found


def _batched(sent: list[tuple[int, Event]], end: int) -> tuple[Report, ...]:
    """Batches of what is reported within some minutes of each other."""
    batches: dict[int, list[Event]] = defaultdict(list)
    for at, event in sorted(sent, key=lambda pair: pair[0]):
        place = min(at, end + 60 * DAY)
        batches[place - place % BATCH_SPAN + BATCH_SPAN].append(event)
    return tuple(Report(at, tuple(events)) for at, events in sorted(batches.items()))
