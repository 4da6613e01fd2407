"""Stripe's JSON for the sandbox's records; the shape follows the API version asked for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from .answers import Body, invalid
from .books import Books
from .clock import rfc3339
from .invoices import current
from .params import Params, integer, text
from .quantities import plain
from .records import (
    Customer,
    Invoice,
    InvoiceLine,
    Meter,
    Price,
    Product,
    ReceivedEvent,
    Subscription,
    SubscriptionItem,
)
from .subscriptions import BASIL

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rendering depends on besides the record."""

    version: str
    livemode: bool

    @property
    def is_basil(self) -> bool:
        """Periods are on the items, and usage records are gone."""
        return self.version >= BASIL


def page(rows: Sequence[Body], params: Params, url: str) -> Body:
    """One page of a list, `rows` being all of it in order; limit 10 by default, 100 at most."""
    wanted = integer(params, "limit")
    limit = 10 if wanted is None else wanted
    if not 1 <= limit <= 100:
        raise invalid("Invalid limit: must be between 1 and 100", param="limit")
    after, before = text(params, "starting_after"), text(params, "ending_before")
    places = {str(row["id"]): place for place, row in enumerate(rows)}
    first, last = 0, len(rows)
    if after is not None:
        first = _place(places, after, "starting_after") + 1
    if before is not None:
        last = _place(places, before, "ending_before")
        first = max(first, last - limit)
    shown = list(rows[first : min(last, first + limit)])
    more = first > 0 if before is not None else first + limit < last
    return {"object": "list", "url": url, "has_more": more, "data": shown}


def _place(places: dict[str, int], identity: str, param: str) -> int:
    if identity not in places:
        raise invalid(f"No such object: '{identity}'", code="resource_missing", param=param)
    return places[identity]


def newest_first(records: Iterable[T], render: Callable[[T], Body]) -> list[Body]:
    """Rendered records in Stripe's order of listing."""
    return [render(record) for record in reversed(list(records))]


def customer(record: Customer, shape: Shape) -> Body:
    return {
        "id": record.id,
        "object": "customer",
        "created": record.created,
        "livemode": shape.livemode,
        "name": record.name,
        "email": record.email,
        "description": record.description,
        "metadata": dict(record.metadata),
    }


def product(record: Product, shape: Shape) -> Body:
    return {
        "id": record.id,
        "object": "product",
        "active": True,
        "created": record.created,
        "livemode": shape.livemode,
        "name": record.name,
        "description": record.description,
        "metadata": dict(record.metadata),
    }


def price(record: Price, shape: Shape) -> Body:
    whole = record.unit_amount == record.unit_amount.to_integral_value()
    recurring: Body = {
        "interval": record.interval,
        "interval_count": record.interval_count,
        "usage_type": record.usage_type,
        "meter": record.meter,
        "trial_period_days": None,
    }
    if not shape.is_basil:
        recurring["aggregate_usage"] = record.aggregate_usage
    return {
        "id": record.id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": record.created,
        "currency": record.currency,
        "livemode": shape.livemode,
        "lookup_key": record.lookup_key,
        "metadata": dict(record.metadata),
        "nickname": record.nickname,
        "product": record.product,
        "recurring": None if record.interval is None else recurring,
        "type": "one_time" if record.interval is None else "recurring",
        "unit_amount": int(record.unit_amount) if whole else None,
        "unit_amount_decimal": plain(record.unit_amount),
    }


def meter(record: Meter, shape: Shape) -> Body:
    return {
        "id": record.id,
        "object": "billing.meter",
        "created": record.created,
        "updated": record.updated,
        "livemode": shape.livemode,
        "display_name": record.display_name,
        "event_name": record.event_name,
        "event_time_window": record.event_time_window,
        "default_aggregation": {"formula": record.formula},
        "customer_mapping": {"type": "by_id", "event_payload_key": record.customer_key},
        "value_settings": {"event_payload_key": record.value_key},
        "status": record.status,
        "status_transitions": {"deactivated_at": record.deactivated_at},
    }


def meter_event(record: ReceivedEvent, shape: Shape) -> Body:
    return {
        "object": "billing.meter_event",
        "created": record.received_at,
        "event_name": record.event_name,
        "identifier": record.identifier,
        "livemode": shape.livemode,
        "payload": dict(record.payload),
        "timestamp": record.timestamp,
    }


def as_v2_meter_event(body: Body) -> Body:
    """The same event in API v2's shape: times are RFC 3339 texts."""
    return body | {
        "object": "v2.billing.meter_event",
        "created": rfc3339(int(str(body["created"]))),
        "timestamp": rfc3339(int(str(body["timestamp"]))),
    }


def subscription_item(
    books: Books, record: Subscription, item: SubscriptionItem, shape: Shape
) -> Body:
    item_price = books.prices[item.price]
    thresholds = None if item.usage_gte is None else {"usage_gte": item.usage_gte}
    body: Body = {
        "id": item.id,
        "object": "subscription_item",
        "created": item.created,
        "metadata": dict(item.metadata),
        "subscription": record.id,
        "price": price(item_price, shape),
        "billing_thresholds": thresholds,
    }
    if item_price.usage_type == "licensed":
        body["quantity"] = item.quantity
    if shape.is_basil:
        body["current_period_start"] = record.period_start
        body["current_period_end"] = record.period_end
    return body


def subscription(books: Books, record: Subscription, shape: Shape) -> Body:
    items = [subscription_item(books, record, item, shape) for item in record.items]
    url = f"/v1/subscription_items?subscription={record.id}"
    pause = None
    if record.pause_behavior is not None:
        pause = {"behavior": record.pause_behavior, "resumes_at": record.resumes_at}
    thresholds = None
    if record.amount_gte is not None:
        thresholds = {"amount_gte": record.amount_gte, "reset_billing_cycle_anchor": False}
    body: Body = {
        "id": record.id,
        "object": "subscription",
        "billing_cycle_anchor": record.anchor,
        "billing_thresholds": thresholds,
        "cancel_at": record.period_end if record.cancel_at_period_end else None,
        "cancel_at_period_end": record.cancel_at_period_end,
        "canceled_at": record.canceled_at,
        "collection_method": record.collection_method,
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer,
        "ended_at": record.ended_at,
        "items": {"object": "list", "url": url, "has_more": False, "data": items},
        "latest_invoice": record.latest_invoice,
        "livemode": shape.livemode,
        "metadata": dict(record.metadata),
        "pause_collection": pause,
        "start_date": record.start_date,
        "status": record.status,
    }
    if not shape.is_basil:
        body["current_period_start"] = record.period_start
        body["current_period_end"] = record.period_end
    return body


def invoice(books: Books, record: Invoice, shape: Shape) -> Body:
    seen = current(books, record)
    amount = sum(line.amount for line in seen.lines)
    paid = amount if record.status == "paid" else 0
    url = f"/v1/invoices/{record.id}/lines"
    lines = [invoice_line(books, seen, line, shape) for line in seen.lines]
    body: Body = {
        "id": record.id,
        "object": "invoice",
        "amount_due": amount,
        "amount_paid": paid,
        "amount_remaining": amount - paid,
        "auto_advance": record.is_draft,
        "automatically_finalizes_at": record.finalizes_at if record.is_draft else None,
        "billing_reason": record.reason,
        "collection_method": record.collection_method,
        "created": record.created,
        "currency": record.currency,
        "customer": record.customer,
        "effective_at": record.finalized_at,
        "lines": {"object": "list", "url": url, "has_more": len(lines) > 10, "data": lines[:10]},
        "livemode": shape.livemode,
        "metadata": {},
        "number": None if record.is_draft else f"SANDBOX-{record.id[-8:]}",
        "period_start": record.start,
        "period_end": record.end,
        "status": record.status,
        "status_transitions": {
            "finalized_at": record.finalized_at,
            "marked_uncollectible_at": None,
            "paid_at": record.finalized_at if record.status == "paid" else None,
            "voided_at": record.finalized_at if record.status == "void" else None,
        },
        "subtotal": amount,
        "total": amount,
    }
    return body | _parent(record, shape)


def _parent(record: Invoice, shape: Shape) -> Body:
    details: Body = {"subscription": record.subscription, "metadata": dict(record.metadata)}
    if not shape.is_basil:
        return {
            "subscription": record.subscription,
            "subscription_details": {"metadata": dict(record.metadata)},
        }
    return {"parent": {"type": "subscription_details", "subscription_details": details}}


def invoice_line(books: Books, record: Invoice, line: InvoiceLine, shape: Shape) -> Body:
    line_price = books.prices[line.price]
    body: Body = {
        "id": line.id,
        "object": "line_item",
        "amount": line.amount,
        "currency": record.currency,
        "description": None,
        "invoice": record.id,
        "livemode": shape.livemode,
        "metadata": dict(line.metadata),
        "period": {"start": line.start, "end": line.end},
        "quantity": whole_or_none(line.quantity),
        "quantity_decimal": plain(line.quantity),
        "subscription": record.subscription,
    }
    if not shape.is_basil:
        legacy: Body = {"type": "subscription", "subscription_item": line.item}
        return body | legacy | {"price": price(line_price, shape), "proration": False}
    details = {
        "subscription": record.subscription,
        "subscription_item": line.item,
        "invoice_item": None,
        "proration": False,
    }
    body["parent"] = {
        "type": "subscription_item_details",
        "subscription_item_details": details,
        "invoice_item_details": None,
    }
    body["pricing"] = {
        "type": "price_details",
        "price_details": {"price": line.price, "product": line_price.product},
        "unit_amount_decimal": plain(line_price.unit_amount),
    }
    return body


def whole_or_none(quantity: Decimal) -> int | None:
    """The integer field of a line; a fraction is only in `quantity_decimal`."""
    return int(quantity) if quantity == quantity.to_integral_value() else None
