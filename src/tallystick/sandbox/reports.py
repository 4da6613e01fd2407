"""The books made readable: totals, the fate of every event, invoices, and what was answered."""

from collections.abc import Iterable, Sequence
from itertools import islice

from .answers import Body
from .books import Books
from .desk import Desk
from .invoices import current
from .quantities import plain
from .records import Invoice, InvoiceLine, ReceivedEvent, Subscription, UsageRecord
from .totals import EVER, counting_events, hour_totals, usage_total


def books(desk: Desk, now: int, limit: int) -> Body:
    """The whole dump, with every section bounded."""
    kept = desk.books
    sections: dict[str, Iterable[Body]] = {
        "meters": ({"id": m.id, "event_name": m.event_name} for m in kept.meters.values()),
        "totals": totals(kept),
        "events": (_event(kept, event) for event in kept.received),
        "usage_records": (_usage_record(record) for record in kept.usage_records),
        "subscriptions": (_subscription(kept, s) for s in kept.subscriptions.values()),
        "invoices": (_invoice(kept, invoice) for invoice in invoices_now(kept)),
        "in_transit": (
            {"id": reference, "target": request.target}
            for reference, request in desk.landings.items()
        ),
    }
    body: Body = {"now": now, "outcomes": outcomes(desk)}
    truncated: list[str] = []
    for name, rows in sections.items():
        shown = list(islice(rows, limit + 1))
        if len(shown) > limit:
            truncated.append(name)
        body[name] = shown[:limit]
    return body | {"truncated": truncated}


def totals(kept: Books) -> Iterable[Body]:
    """Per meter and customer: the total, and the total of every UTC hour that has usage."""
    for meter_id, customer in kept.usage:
        meter = kept.meters[meter_id]
        hours = hour_totals(kept, meter, customer)
        yield {
            "meter": meter_id,
            "event_name": meter.event_name,
            "customer": customer,
            "total": plain(usage_total(kept, meter, customer, EVER)),
            "hours": {str(hour): plain(value) for hour, value in hours.items()},
        }


def events(kept: Books, after: int, limit: int) -> list[Body]:
    """A page of received events."""
    return [_event(kept, event) for event in kept.received[after + 1 : after + 1 + limit]]


def invoices_now(kept: Books) -> tuple[Invoice, ...]:
    """All invoices, the drafts with today's usage."""
    return tuple(current(kept, invoice) for invoice in kept.invoices.values())


def outcomes(desk: Desk) -> dict[str, dict[str, int]]:
    """Counters by endpoint and outcome."""
    result: dict[str, dict[str, int]] = {}
    for (endpoint, outcome), count in sorted(desk.outcomes.items()):
        result.setdefault(endpoint, {})[outcome] = count
    return result


def fate(kept: Books, event: ReceivedEvent) -> str:
    """What became of an event: counted, overwritten, cancelled or rejected."""
    if event.rejected is not None:
        return f"rejected:{event.rejected}"
    if event.cancelled_at is not None:
        return "cancelled"
    meter = kept.meters[event.meter or ""]
    window = meter.window_seconds
    if window is not None:
        start = event.timestamp // window * window
        last = counting_events(kept, meter, event.customer or "", (start, start + window))
        return "counted" if last[-1].sequence == event.sequence else "overwritten"
    return "counted"


def billing(kept: Books, event: ReceivedEvent) -> str:
    """Where an event is billed: an invoice, the open period, or nowhere and why."""
    if not event.counts:
        return "nowhere:not_counted"
    answer = "nowhere:no_subscription"
    for invoice in kept.invoices.values():
        if invoice.customer == event.customer and any(
            _covers(kept, line, event) for line in invoice.lines
        ):
            if invoice.events_seen is None or event.sequence <= invoice.events_seen:
                return invoice.id
            answer = "nowhere:invoice_finalized"
    if any(_is_open(kept, s, event) for s in kept.subscriptions.values()):
        return "open_period"
    return answer


def _covers(kept: Books, line: InvoiceLine, event: ReceivedEvent) -> bool:
    meter = kept.prices[line.price].meter
    return meter == event.meter and line.start <= event.timestamp < line.end


def _is_open(kept: Books, subscription: Subscription, event: ReceivedEvent) -> bool:
    if not subscription.is_live or subscription.customer != event.customer:
        return False
    return any(
        kept.prices[item.price].meter == event.meter
        and event.timestamp >= max(subscription.period_start, item.billed_from)
        for item in subscription.items
    )


def _event(kept: Books, event: ReceivedEvent) -> Body:
    return {
        "sequence": event.sequence,
        "event_name": event.event_name,
        "customer": event.customer,
        "value": None if event.value is None else plain(event.value),
        "timestamp": event.timestamp,
        "received_at": event.received_at,
        "identifier": event.identifier,
        "idempotency_key": event.idempotency_key,
        "by_hand": event.by_hand,
        "fate": fate(kept, event),
        "billed_on": billing(kept, event),
    }


def _usage_record(record: UsageRecord) -> Body:
    return {
        "id": record.id,
        "subscription_item": record.item,
        "timestamp": record.timestamp,
        "billed_at": record.billed_at,
        "received_at": record.received_at,
        "action": record.action,
        "quantity": record.quantity,
        "by_hand": record.by_hand,
    }


def _subscription(kept: Books, subscription: Subscription) -> Body:
    period = (subscription.period_start, subscription.period_end)
    items: Sequence[Body] = [
        {
            "id": item.id,
            "price": item.price,
            "meter": kept.prices[item.price].meter,
            "period_total": _period_total(kept, subscription.customer, item.price, period),
        }
        for item in subscription.items
    ]
    return {
        "id": subscription.id,
        "customer": subscription.customer,
        "status": subscription.status,
        "period": list(period),
        "items": items,
    }


def _period_total(kept: Books, customer: str, price: str, period: tuple[int, int]) -> str | None:
    meter = kept.prices[price].meter
    if meter is None:
        return None
    return plain(usage_total(kept, kept.meters[meter], customer, period))


def _invoice(kept: Books, invoice: Invoice) -> Body:
    lines: Sequence[Body] = [
        {
            "id": line.id,
            "subscription_item": line.item,
            "meter": kept.prices[line.price].meter,
            "period": [line.start, line.end],
            "quantity": plain(line.quantity),
            "amount": line.amount,
        }
        for line in invoice.lines
    ]
    return {
        "id": invoice.id,
        "customer": invoice.customer,
        "subscription": invoice.subscription,
        "status": invoice.status,
        "period": [invoice.start, invoice.end],
        "finalizes_at": invoice.finalizes_at,
        "finalized_at": invoice.finalized_at,
        "lines": lines,
    }
