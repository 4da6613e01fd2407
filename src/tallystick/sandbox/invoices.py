"""Invoices: made when a period ends, following the usage until they are finalised, then fixed."""

from dataclasses import replace
from decimal import Decimal

from . import usage_records
from .books import Books
from .quantities import ZERO, cents
from .records import Invoice, InvoiceLine, Subscription, SubscriptionItem
from .totals import usage_total


def grace_seconds(books: Books, subscription: Subscription) -> int:
    """How long after a period's end its invoice still takes usage."""
    prices = [books.prices[item.price] for item in subscription.items]
    if any(price.meter is not None for price in prices):
        return books.settings.meter_grace_seconds
    if any(price.is_legacy and price.aggregate_usage == "sum" for price in prices):
        return books.settings.legacy_drift_seconds
    return 0


def open_invoice(
    books: Books, subscription: Subscription, end: int, *, reason: str, grace: int
) -> Invoice:
    """Make the draft for the subscription's current period up to `end`."""
    identity = books.new_id("in")
    draft = Invoice(
        id=identity,
        created=end,
        customer=subscription.customer,
        subscription=subscription.id,
        currency=subscription.currency,
        reason=reason,
        start=subscription.period_start,
        end=end,
        lines=tuple(
            _empty_line(books, subscription, item, end)
            for item in subscription.items
            if max(subscription.period_start, item.billed_from) < end
        ),
        finalizes_at=end + grace,
        collection_method=subscription.collection_method,
        metadata=subscription.metadata,
    )
    books.invoices[identity] = draft
    books.plan(end + grace, "finalize", identity)
    return draft


def _empty_line(
    books: Books, subscription: Subscription, item: SubscriptionItem, end: int
) -> InvoiceLine:
    return InvoiceLine(
        id=books.new_id("il"),
        item=item.id,
        price=item.price,
        start=max(subscription.period_start, item.billed_from),
        end=end,
        quantity=ZERO,
        amount=0,
        metadata=item.metadata,
    )


def current(books: Books, invoice: Invoice) -> Invoice:
    """The invoice with today's usage on its lines if it is a draft, unchanged if it is not."""
    if not invoice.is_draft:
        return invoice
    lines = tuple(_measured(books, invoice, line) for line in invoice.lines)
    return replace(invoice, lines=lines)


def _measured(books: Books, invoice: Invoice, line: InvoiceLine) -> InvoiceLine:
    price = books.prices[line.price]
    span = (line.start, line.end)
    if price.meter is not None:
        quantity = usage_total(books, books.meters[price.meter], invoice.customer, span)
    elif price.is_legacy:
        kind = price.aggregate_usage
        quantity = Decimal(usage_records.usage_between(books, line.item, span, kind))
    else:
        found = books.item(line.item)
        quantity = Decimal(found[1].quantity if found else 1)
    quantity = max(quantity, ZERO)
    return replace(line, quantity=quantity, amount=cents(quantity, price.unit_amount))


def finalize(books: Books, identity: str, now: int) -> None:
    """Fix the lines for good; a paused subscription's invoice ends as its pause says."""
    invoice = books.invoices[identity]
    pause = books.subscriptions[invoice.subscription].pause_behavior
    if not invoice.is_draft or pause == "keep_as_draft":
        return
    fixed = current(books, invoice)
    final = replace(
        fixed,
        status=_final_status(invoice, pause),
        finalized_at=now,
        events_seen=len(books.received) - 1,
    )
    books.invoices[identity] = final
    books.announce("invoice.finalized", final, now)


def _final_status(invoice: Invoice, pause: str | None) -> str:
    if pause == "void":
        return "void"
    if pause == "mark_uncollectible":
        return "uncollectible"
    return "paid" if invoice.collection_method == "charge_automatically" else "open"


def billed_quantity(invoice: Invoice, item: str) -> Decimal | None:
    """What an invoice bills for an item, None when it has no line for it."""
    return next((line.quantity for line in invoice.lines if line.item == item), None)
