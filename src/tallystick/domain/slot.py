"""A slot: what a provider can hold apart, and the one record we keep of each.

A slot's total is what the ledger says the provider should hold there; `confirmed` is what it is
known to hold. Several windows, and several tenants, may share a slot; so its total is kept as one
running number and never read together key by key.
"""

import zlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from tallystick.domain.instant import DAY, HOUR, SECOND, floor_hour, format_instant, parse_instant
from tallystick.domain.quantity import ZERO
from tallystick.domain.window import Window

PARTITIONS: Final = 8
"""So many workers can share what is due, each with a partition of its own."""


class Mode(StrEnum):
    """How a provider takes a quantity."""

    ABSOLUTE = "absolute"
    """The last value per slot stays: what is sent is the slot's whole total."""
    DELTA = "delta"
    """Values are added up: what is sent is the slot's total minus what is confirmed."""
    ONCE = "once"
    """One record per slot, for ever: what comes later goes to a later slot, and a fall lowers
    nothing that was sent."""


class Reads(StrEnum):
    """The smallest total that can be read back."""

    HOUR = "hour"
    PERIOD = "period"
    NOTHING = "nothing"
    """No total is shown at all: an answer is the only evidence there will ever be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to tell a provider a quantity, and what that way can do.

    `hourly` slots are whole UTC hours; others are held apart by their second. `oldest` is how far
    back a timestamp may lie, `closes_after` how long after a period's end its bill still takes
    usage, `gathers_for` how long after its start a slot is sent at the earliest, so that what
    belongs into its one record can meet there (all in microseconds).
    """

    name: str
    mode: Mode
    hourly: bool
    whole_numbers: bool = False
    digits_max: int = 15
    oldest: int = 35 * DAY
    closes_after: int = HOUR
    reads: Reads = Reads.HOUR
    gathers_for: int = 0

    @property
    def closes_with_period(self) -> bool:
        """Whether nothing is taken after the period's end: its last window is sealed early."""
        return self.closes_after == 0

    def gathers(self, start: int, now: int) -> bool:
        """Whether the slot that starts then is not sent yet."""
        return now < start + self.gathers_for


@dataclass(frozen=True, slots=True, order=True)
class SlotKey:
    """Identity. `destination` is the customer or item there, `counter` the meter, if it has one."""

    route: str
    account: str
    destination: str
    counter: str
    start: int

    def __str__(self) -> str:
        return _text_of(self)


@lru_cache(maxsize=8192)
def _text_of(key: SlotKey) -> str:
    parts = (key.route, key.account, key.destination, key.counter)
    return "/".join(quote(p, safe="") for p in (*parts, format_instant(key.start)))


def parse_slot_key(text: str) -> SlotKey:
    """The key that `str` gave. Raises ValueError."""
    try:
        route, account, destination, counter, start = (unquote(p) for p in text.split("/"))
    except ValueError:
        raise ValueError("a slot is route/account/destination/counter/start") from None
    return SlotKey(route, account, destination, counter, parse_instant(start))


def slot_partition(key: SlotKey) -> int:
    """Which of the PARTITIONS the slot is in, for ever: CRC-32 of its destination's length, its
    destination and its account.

    All slots of a destination are in one, since what is read back together must be, and since
    providers limit how many requests a customer takes at once.
    """
    told = f"{len(key.destination)}:{key.destination}{key.account}"
    return zlib.crc32(told.encode("utf-8", "surrogatepass")) % PARTITIONS


@dataclass(frozen=True, slots=True)
class Place:
    """A slot to put a quantity into: its key, the timestamp the provider is told, when it closes.

    `timestamp` lies in `period`, the bill that the quantity will be on.
    """

    slot: SlotKey
    timestamp: int
    period: Window
    closes_at: int

    def is_closed(self, now: int) -> bool:
        return now >= self.closes_at

    def shares_bill(self, other: "Place") -> bool:
        """Whether both are on one line of one bill, so that it is all the same to its reader which
        of them a quantity is in."""
        return self.period == other.period and _counted_at(self.slot) == _counted_at(other.slot)


def _counted_at(key: SlotKey) -> tuple[str, str, str, str]:
    return key.route, key.account, key.destination, key.counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The record. `version` counts ledger changes, `revision` publications.

    `confirmed` is None where an absolute value was superseded unread: unknown, so it is set again.
    `earlier` holds every total that a publication of this slot ever had. While it is `due`, a pass
    looks at it from `due_at` on; zero is at once.
    """

    place: Place
    total: Decimal = ZERO
    version: int = 0
    revision: int = 0
    confirmed: Decimal | None = ZERO
    earlier: tuple[Decimal, ...] = ()
    unsettled: str | None = None
    due: bool = True
    due_at: int = 0

    @property
    def key(self) -> SlotKey:
        return self.place.slot

    @property
    def is_settled(self) -> bool:
        """Nothing in flight, and the provider is known to hold the total."""
        return self.unsettled is None and self.total == self.confirmed

    def is_spent(self, route: Route) -> bool:
        """Whether its one record was taken: it holds that for good."""
        return route.mode is Mode.ONCE and self.unsettled is None and bool(self.confirmed)


def place_for(
    route: Route,
    account: str,
    destination: str,
    counter: str,
    *,
    at: int,
    period: Window,
    boundary_hour: str = "refuse",
) -> Place:
    """The slot for usage at `at` in `period`.

    An hourly slot that a period's boundary cuts bills wholly in one period: the earlier one, or
    with boundary_hour 'next' the later one. Nothing can hold the halves apart there.
    """
    start = floor_hour(at) if route.hourly else at - at % SECOND
    timestamp = start
    if route.hourly:
        cut = next((b for b in (period.start, period.end) if start < b < start + HOUR), None)
        if cut is not None and boundary_hour == "next":
            timestamp = cut + -cut % SECOND
    elif timestamp < period.start:
        timestamp += SECOND
        start = timestamp
    closes_at = min(timestamp + route.oldest, _bill_end(period, timestamp) + route.closes_after)
    return Place(
        SlotKey(route.name, account, destination, counter, start), timestamp, period, closes_at
    )


def _bill_end(period: Window, timestamp: int) -> int:
    """The end of the bill that `timestamp` falls on, as far as this period tells."""
    return period.start if timestamp < period.start else period.end


def is_read_alone(route: Route) -> bool:
    """Whether each slot's total is shown by itself."""
    return route.hourly and route.reads is Reads.HOUR


def reading_group(route: Route, slot: Slot) -> str:
    """What is read back together with this slot: its hour's total, or its whole period's."""
    key = slot.key
    start = slot.place.period.start if route.reads is Reads.PERIOD else floor_hour(key.start)
    return str(SlotKey(key.route, key.account, key.destination, key.counter, start))


def last_full_hour(window: Window, watermark: int) -> int:
    """Where in time a longer window's Entry is placed: its last full hour before `watermark`.

    Never past the window's end, never before its start. The hour that the window's end cuts is no
    full hour: a period may end in it, and then an hourly slot could not hold it.
    """
    hour = floor_hour(watermark) - HOUR
    latest = floor_hour(window.end) - HOUR
    return max(window.start, min(hour, latest))
