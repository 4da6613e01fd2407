"""The values the sandbox keeps: Stripe's objects, received events and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Whom Stripe bills."""

    id: str
    created: int
    name: str | None = None
    email: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What a price is for."""

    id: str
    created: int
    name: str
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A recurring or one-time price; a metered one has a meter, or is legacy."""

    id: str
    created: int
    product: str
    currency: str
    unit_amount: Decimal
    interval: str | None = None
    interval_count: int = 1
    usage_type: str = "licensed"
    meter: str | None = None
    aggregate_usage: str | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_legacy(self) -> bool:
        """Metered by usage records instead of a meter."""
        return self.usage_type == "metered" and self.meter is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What an event name counts towards, and how."""

    id: str
    created: int
    updated: int
    display_name: str
    event_name: str
    formula: str
    event_time_window: str | None = None
    customer_key: str = "stripe_customer_id"
    value_key: str = "value"
    status: str = "active"
    deactivated_at: int | None = None

    @property
    def window_seconds(self) -> int | None:
        """How long the window is in which only the event received last counts."""
        return {"hour": 3_600, "day": 86_400}.get(self.event_time_window or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionItem:
    """A price within a subscription; usage before `billed_from` is on no invoice of it."""

    id: str
    created: int
    billed_from: int
    price: str
    quantity: int = 1
    usage_gte: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A customer's prices and their current billing period."""

    id: str
    created: int
    customer: str
    items: tuple[SubscriptionItem, ...]
    anchor: int
    interval: str
    interval_count: int
    currency: str
    start_date: int
    period_start: int
    period_end: int
    status: str = "active"
    collection_method: str = "charge_automatically"
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    ended_at: int | None = None
    pause_behavior: str | None = None
    resumes_at: int | None = None
    amount_gte: int | None = None
    latest_invoice: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Still has billing periods to come."""
        return self.status != "canceled"

    @property
    def has_thresholds(self) -> bool:
        """Billing thresholds forbid `set` on usage records."""
        return self.amount_gte is not None or any(i.usage_gte is not None for i in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One item's usage of a half-open period."""

    id: str
    item: str
    price: str
    start: int
    end: int
    quantity: Decimal
    amount: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """Lines follow the usage until `finalized_at`; `events_seen` is the last event they saw."""

    id: str
    created: int
    customer: str
    subscription: str
    currency: str
    reason: str
    start: int
    end: int
    lines: tuple[InvoiceLine, ...]
    finalizes_at: int
    collection_method: str
    status: str = "draft"
    finalized_at: int | None = None
    events_seen: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_draft(self) -> bool:
        """Usage can still come onto it."""
        return self.status == "draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """A meter event in the order of receipt; `rejected` is the code of an asynchronous error."""

    sequence: int
    event_name: str
    identifier: str
    timestamp: int
    received_at: int
    payload: Mapping[str, str]
    idempotency_key: str | None = None
    meter: str | None = None
    customer: str | None = None
    value: Decimal | None = None
    rejected: str | None = None
    cancelled_at: int | None = None
    by_hand: bool = False

    @property
    def counts(self) -> bool:
        """Neither rejected nor cancelled; a later event of its window may still overwrite it."""
        return self.rejected is None and self.cancelled_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """A legacy usage record as it was received."""

    id: str
    item: str
    timestamp: int
    billed_at: int
    received_at: int
    action: str
    quantity: int
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFault:
    """One event that was accepted and then found wrong."""

    sequence: int
    code: str
    message: str
    request: str
    meter: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinEvent:
    """A v2 event that reports such errors of one meter within one window."""

    id: str
    created: int
    type: str
    meter: str | None
    start: int
    end: int
    faults: tuple[MeterFault, ...]
