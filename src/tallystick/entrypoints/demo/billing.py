"""What the airlines' provider knows before the first flight: customers, meters, prices, and a
subscription each. Made through the official SDK, as a company would.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from tallystick.clock import FixedClock
from tallystick.domain.instant import MINUTE, SECOND
from tallystick.domain.period import Interval
from tallystick.entrypoints.demo.catalog import AIRLINES, ANCHOR, METERS, Customer
from tallystick.entrypoints.demo.links import DEMO_KEY, DemoFailed
from tallystick.publishers.stripe import StripePublisher
from tallystick.publishers.stripe.connection import Connection
from tallystick.publishers.stripe.pacing import Pace
from tallystick.publishers.stripe.setup import MeterKind

CENTS: Final = {"flights": "250", "flight-miles": "0.1", "aircraft": "1000", "longest-delay": "5"}


class Made(msgspec.Struct, frozen=True):
    """What was made; the demo needs only its id."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What stands at the provider: its meter for each of ours, what each price is of, and whom it
    bills."""

    meters: Mapping[str, str]
    meter_of_price: Mapping[str, str]
    customers: tuple[Customer, ...]


class Billing:
    """Makes what is billed."""

    def __init__(self, api_base: str, now: int) -> None:
        clock = FixedClock(now)
        self.publisher = StripePublisher(DEMO_KEY, clock=clock, api_base=api_base)
        self._connection = Connection(
            DEMO_KEY, api_base=api_base, clock=clock, reads=Pace(100, clock)
        )

    def set_up(self, interval: Interval) -> Terms:
        """Make all of it; bills are made at every interval."""
        meters = {
            meter.id: self.publisher.setup_meter(meter.id, meter.id, MeterKind.HOUR).meter
            for meter in METERS
        }
        prices = {self._price(name, meter, interval): name for name, meter in meters.items()}
        customers = tuple(
            Customer(carrier, self._subscribed(carrier, name, prices)) for carrier, name in AIRLINES
        )
        return Terms(meters=meters, meter_of_price=prices, customers=customers)

    def _price(self, name: str, meter: str, interval: Interval) -> str:
        recurring = {
            "interval": str(interval.unit),
            "interval_count": interval.count,
            "usage_type": "metered",
            "meter": meter,
        }
        wanted: Mapping[str, object] = {
            "currency": "usd",
            "product_data": {"name": name},
            "unit_amount_decimal": CENTS[name],
            "recurring": recurring,
        }
        return self._make("/v1/prices", wanted)

    def _subscribed(self, carrier: str, name: str, prices: Iterable[str]) -> str:
        customer = self._make("/v1/customers", {"name": f"{carrier} {name}"})
        items = [{"price": price} for price in prices]
        terms: Mapping[str, object] = {
            "customer": customer,
            "items": items,
            "billing_cycle_anchor": ANCHOR // SECOND,
        }
        self._make("/v1/subscriptions", terms)
        return customer

    def _make(self, path: str, wanted: Mapping[str, object]) -> str:
        deadline = self._connection.clock.now() + MINUTE
        heard = self._connection.post(path, wanted, deadline=deadline)
        if not heard.is_success:
            raise DemoFailed(f"{path} was refused: {heard.body}")
        return msgspec.json.decode(heard.body, type=Made).id
