"""A publisher in front of a sandbox, and publications to send through it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tallystick.clock import FixedClock
from tallystick.domain.instant import DAY, HOUR, SECOND, floor_hour
from tallystick.domain.publication import Publication, identifier_of
from tallystick.domain.slot import Place, Route, Slot, SlotKey, reading_group
from tallystick.domain.window import Window
from tallystick.publishers import HOUR_METER, USAGE_RECORD
from tallystick.publishers.stripe import StripePublisher
from tests.sandbox.shop import NOON, Shop

NOW = NOON * SECOND
START = (NOON - 10 * 86_400) * SECOND
PERIOD = Window(START, START + 30 * DAY)
SEND_WITHIN = 80 * SECOND
KEY = "sk_test_publisher"


def place(
    route: Route,
    destination: str,
    counter: str = "api_calls",
    *,
    at: int = NOW - 2 * HOUR,
    period: Window = PERIOD,
    account: str = "default",
) -> Place:
    start = floor_hour(at) if route.hourly else at
    key = SlotKey(route.name, account, destination, counter, start)
    return Place(key, start, period, at + 10_000 * DAY)


def publication(
    where: Place,
    value: str = "5",
    *,
    revision: int = 1,
    now: int = NOW,
    identifier: str = "",
) -> Publication:
    amount = Decimal(value)
    return Publication(
        identifier=identifier or identifier_of("test", where.slot, revision),
        place=where,
        slot_revision=revision,
        slot_version=revision,
        value=amount,
        total=amount,
        before=Decimal(0),
        intended_at=now,
        deadline=now + SEND_WITHIN,
        next_at=now,
        first_attempt_at=now,
        last_attempt_at=now,
    )


def slot(where: Place, total: str = "5") -> Slot:
    return Slot(place=where, total=Decimal(total))


@dataclass(frozen=True)
class World:
    """`shop` is the company at the sandbox, `clock` the publisher's own."""

    shop: Shop
    clock: FixedClock
    publisher: StripePublisher

    @property
    def now(self) -> int:
        return self.clock.now()

    def advance(self, microseconds: int) -> None:
        self.shop.sandbox.advance(microseconds // SECOND)
        self.clock.sleep(microseconds)

    def hour_meter(self, event_name: str = "api_calls", **params: Any) -> str:
        return self.shop.meter(event_name, event_time_window="hour", **params)

    def customer_on(self, meter: str) -> tuple[str, Any]:
        """A customer whose subscription's period is PERIOD."""
        customer = self.shop.customer()
        price = self.shop.price(meter)
        made = self.shop.subscribe(customer, price, **anchored())
        return customer, made

    def legacy_item(self) -> str:
        return self.shop.legacy_item(**anchored())

    def send(self, where: Place, value: str = "5", **about: Any) -> str:
        """The outcome, as a word."""
        sent = publication(where, value, now=self.now, **about)
        return str(self.publisher.send(sent).outcome)


def anchored() -> Mapping[str, int]:
    at = PERIOD.start // SECOND
    return {"billing_cycle_anchor": at, "backdate_start_date": at}


def wanted(route: Route, destination: str, *, ago: int = 2 * HOUR, **about: Any):
    counter = "" if route is USAGE_RECORD else "api_calls"
    return slot(place(route, destination, about.pop("counter", counter), at=NOW - ago, **about))


def group(of, route: Route = HOUR_METER) -> str:
    return reading_group(route, of)


def read(world: World, *slots) -> dict[str, Decimal]:
    return {reading.group: reading.total for reading in world.publisher.totals(slots)}


def calls(world: World, name: str) -> int:
    """How often an endpoint answered with success."""
    return world.shop.sandbox.outcomes().get(name, {}).get("200", 0)
