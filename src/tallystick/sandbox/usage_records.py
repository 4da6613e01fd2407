"""Legacy usage records: whole numbers per subscription item and second, gone since Basil."""

from .answers import Body, invalid, missing
from .books import Books
from .params import Params, choice, only, required_integer, text
from .records import Price, Subscription, UsageRecord

NO_LONGER = (
    "Cannot create the usage record with this timestamp because timestamps must be after the "
    "subscription's last invoice period (or current period start time)."
)
IN_FUTURE = (
    "Cannot create the usage record with this timestamp because timestamps must not be in the "
    "future."
)


def create(books: Books, identity: str, params: Params, now: int) -> UsageRecord:
    """Accept a record for the current billing period, or refuse it."""
    only(params, "quantity", "timestamp", "action")
    found = books.item(identity)
    if found is None:
        raise missing("subscription item", identity, "subscription_item")
    subscription, item = found
    price = books.prices[item.price]
    if not price.is_legacy:
        raise invalid(
            "Usage records can only be created for a metered price without a meter; report "
            "meter events instead."
        )
    quantity = required_integer(params, "quantity")
    if quantity < 0:
        raise invalid("Invalid non-negative integer", param="quantity")
    action = choice(params, "action", ("increment", "set")) or "increment"
    if action == "set" and subscription.has_thresholds:
        message = "Subscriptions with billing thresholds only accept the action increment."
        raise invalid(message, param="action")
    timestamp = _timestamp(params, now)
    billed_at = _billed_at(books, subscription, price, timestamp, now)
    record = UsageRecord(
        id=books.new_id("mbur"),
        item=identity,
        timestamp=timestamp,
        billed_at=billed_at,
        received_at=now,
        action=action,
        quantity=quantity,
    )
    keep(books, record)
    return record


def keep(books: Books, record: UsageRecord) -> None:
    """Store a record: `set` overwrites the quantity at its second, `increment` adds to it."""
    slots = books.record_totals[record.item]
    before, billed_at = slots.get(record.timestamp, (0, record.billed_at))
    after = record.quantity if record.action == "set" else before + record.quantity
    slots[record.timestamp] = (after, billed_at)
    books.usage_records.append(record)


def _timestamp(params: Params, now: int) -> int:
    if text(params, "timestamp") in (None, "now"):
        return now
    return required_integer(params, "timestamp")


def _billed_at(
    books: Books, subscription: Subscription, price: Price, timestamp: int, now: int
) -> int:
    """The second at which the usage is billed; it differs only for drifting clocks."""
    if timestamp > now:
        raise invalid(IN_FUTURE, param="timestamp")
    start = subscription.period_start
    if not subscription.is_live:
        raise invalid("The subscription is canceled.", param="timestamp")
    if timestamp >= start:
        return timestamp
    drift = books.settings.legacy_drift_seconds
    drifting = now < start + drift and timestamp >= start - drift
    previous = [i for i in books.invoices_of(subscription.id) if i.end == start]
    if price.aggregate_usage != "sum" or not drifting or not previous:
        raise invalid(NO_LONGER, param="timestamp")
    return timestamp if previous[-1].is_draft else start


def usage_between(books: Books, identity: str, span: tuple[int, int], kind: str | None) -> int:
    """The usage that a half-open span bills; `kind` is how the price aggregates it."""
    start, end = span
    slots = books.record_totals.get(identity, {})
    billed = [(at, n) for at, (n, billed_at) in sorted(slots.items()) if start <= billed_at < end]
    if kind == "last_ever":
        billed = [(at, n) for at, (n, billed_at) in sorted(slots.items()) if billed_at < end]
    if not billed:
        return 0
    if kind == "max":
        return max(n for _, n in billed)
    if kind in ("last_during_period", "last_ever"):
        return billed[-1][1]
    return sum(n for _, n in billed)


def summaries(books: Books, identity: str) -> list[Body]:
    """One total per period of the item, the open period first, as Stripe lists them."""
    found = books.item(identity)
    if found is None:
        raise missing("subscription item", identity, "subscription_item")
    subscription, item = found
    rows: list[Body] = []
    if subscription.is_live:
        period = (subscription.period_start, subscription.period_end)
        kind = books.prices[item.price].aggregate_usage
        open_total = usage_between(books, identity, period, kind)
        rows.append(_summary(identity, None, period, open_total))
    for invoice in reversed(books.invoices_of(subscription.id)):
        for line in invoice.lines:
            if line.item == identity:
                billed = int(line.quantity)
                rows.append(_summary(identity, invoice.id, (line.start, line.end), billed))
    return rows


def _summary(identity: str, invoice: str | None, period: tuple[int, int], usage: int) -> Body:
    return {
        "id": f"sis_{identity}_{period[0]}",
        "object": "usage_record_summary",
        "invoice": invoice,
        "livemode": False,
        "period": {"start": period[0], "end": period[1]},
        "subscription_item": identity,
        "total_usage": usage,
    }


def rendered(record: UsageRecord, *, livemode: bool) -> Body:
    """The record as Stripe answers it."""
    return {
        "id": record.id,
        "object": "usage_record",
        "livemode": livemode,
        "quantity": record.quantity,
        "subscription_item": record.item,
        "timestamp": record.timestamp,
    }
