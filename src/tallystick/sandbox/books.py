"""Everything the sandbox remembers, and the agenda of what time alone will make happen."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from .records import (
    Customer,
    Invoice,
    Meter,
    MeterFault,
    Price,
    Product,
    ReceivedEvent,
    Subscription,
    SubscriptionItem,
    ThinEvent,
    UsageRecord,
)
from .settings import Settings

UsageKey = tuple[str, str]
Announce = Callable[[str, Subscription | Invoice | ThinEvent, int], None]
"""Tells whoever listens: the type of an event, what it is about, and when it happened."""


class Happening(NamedTuple):
    """Something due at a second of sandbox time; `order` keeps equal seconds in order."""

    at: int
    order: int
    kind: str
    reference: str


@dataclass(frozen=True, slots=True)
class SeenIdentifier:
    """When an identifier was received, and by which event."""

    at: int
    sequence: int


class Books:
    """Plain state: rules live in the modules named after what they decide."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.customers: dict[str, Customer] = {}
        self.products: dict[str, Product] = {}
        self.prices: dict[str, Price] = {}
        self.meters: dict[str, Meter] = {}
        self.meter_by_event_name: dict[str, str] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.subscription_of_item: dict[str, str] = {}
        self.invoices: dict[str, Invoice] = {}
        self.received: list[ReceivedEvent] = []
        self.usage: dict[UsageKey, dict[int, list[int]]] = {}
        self.identifiers: dict[tuple[str, str], SeenIdentifier] = {}
        self.usage_records: list[UsageRecord] = []
        self.record_totals: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
        self.thin_events: dict[str, ThinEvent] = {}
        self.open_reports: dict[tuple[str | None, int], list[MeterFault]] = {}
        self.counters: Counter[str] = Counter()
        self.announce: Announce = lambda _kind, _record, _at: None
        self._agenda: list[Happening] = []
        self._order = 0

    def new_id(self, prefix: str) -> str:
        """The next identity of its kind; counted, so that equal runs have equal identities."""
        self.counters[prefix] += 1
        return f"{prefix}_{self.counters[prefix]:014d}"

    def plan(self, at: int, kind: str, reference: str) -> None:
        """Put something on the agenda."""
        self._order += 1
        heapq.heappush(self._agenda, Happening(at, self._order, kind, reference))

    def next_due(self, now: int) -> Happening | None:
        """Take the earliest happening that is due, if any."""
        if self._agenda and self._agenda[0].at <= now:
            return heapq.heappop(self._agenda)
        return None

    def keep_event(self, event: ReceivedEvent) -> None:
        """Store a received event; what counts is indexed by customer, meter and UTC hour."""
        self.received.append(event)
        if event.rejected is None and event.meter is not None and event.customer is not None:
            hours = self.usage.setdefault((event.meter, event.customer), {})
            hours.setdefault(event.timestamp // 3_600, []).append(event.sequence)

    def item(self, identity: str) -> tuple[Subscription, SubscriptionItem] | None:
        """A subscription item with the subscription it belongs to."""
        subscription = self.subscriptions.get(self.subscription_of_item.get(identity, ""))
        if subscription is None:
            return None
        found = next((i for i in subscription.items if i.id == identity), None)
        return None if found is None else (subscription, found)

    def invoices_of(self, subscription: str) -> list[Invoice]:
        """A subscription's invoices, oldest first."""
        return [i for i in self.invoices.values() if i.subscription == subscription]

    def unit_amount(self, price: str) -> Decimal:
        """What one unit costs, in the smallest currency unit."""
        return self.prices[price].unit_amount
