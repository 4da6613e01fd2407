"""Stripe's billing meters by event name and by id: what a slot's counter is there."""

import threading
from dataclasses import dataclass
from typing import Final

import msgspec

from tallystick.domain.instant import MINUTE
from tallystick.publishers.stripe.connection import Connection
from tallystick.publishers.stripe.lists import Listed, rows_of

FRESH_FOR: Final = 10 * MINUTE
PATH: Final = "/v1/billing/meters"


class PayloadKey(msgspec.Struct, frozen=True):
    """What the events' payload calls something."""

    event_payload_key: str = ""


class Formula(msgspec.Struct, frozen=True):
    """How a meter adds up."""

    formula: str


class BillingMeter(msgspec.Struct, frozen=True):
    """A meter as Stripe shows it."""

    id: str
    event_name: str
    status: str = "active"
    event_time_window: str | None = None
    default_aggregation: Formula = Formula("sum")
    customer_mapping: PayloadKey = PayloadKey()
    value_settings: PayloadKey = PayloadKey()

    @property
    def is_active(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class _Known:
    at: int
    by_name: dict[str, BillingMeter]
    by_id: dict[str, BillingMeter]


class Meters:
    """The account's meters, kept for ten minutes. An event name belongs to its active meter, else
    to the newest of its inactive ones."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def of_event(self, event_name: str) -> BillingMeter | None:
        return self._current().by_name.get(event_name)

    def of_id(self, meter: str) -> BillingMeter | None:
        return self._current().by_id.get(meter)

    def _current(self) -> _Known:
        with self._lock:
            now = self._connection.clock.now()
            if self._known is None or not 0 <= now - self._known.at < FRESH_FOR:
                self._known = _known(all_meters(self._connection), now)
            return self._known


def all_meters(connection: Connection) -> tuple[BillingMeter, ...]:
    """Every meter, newest first, straight from Stripe."""
    return tuple(rows_of(connection, PATH, Listed[BillingMeter], {}))


def _known(meters: tuple[BillingMeter, ...], now: int) -> _Known:
    by_name: dict[str, BillingMeter] = {}
    for meter in meters:
        held = by_name.get(meter.event_name)
        if held is None or (meter.is_active and not held.is_active):
            by_name[meter.event_name] = meter
    return _Known(now, by_name, {meter.id: meter for meter in meters})
