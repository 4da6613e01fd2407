"""What no API call can do: read exact totals, and change the books behind everybody's back."""

from dataclasses import replace
from decimal import Decimal

from . import totals, usage_records
from .books import Books
from .quantities import difference, plain
from .records import Meter, ReceivedEvent, UsageRecord
from .totals import Span
from .totals import usage_total as total_between

_STATUSES = frozenset({"active", "past_due", "unpaid", "incomplete", "paused", "trialing"})


def named_meter(books: Books, name: str) -> Meter:
    """A meter by its id or its event name; KeyError when there is none."""
    return books.meters[books.meter_by_event_name.get(name, name)]


def usage_total(books: Books, meter: str, customer: str, span: Span) -> Decimal:
    """The exact usage of a span."""
    return total_between(books, named_meter(books, meter), customer, span)


def hour_totals(books: Books, meter: str, customer: str) -> dict[int, Decimal]:
    """The exact totals of all hours."""
    return totals.hour_totals(books, named_meter(books, meter), customer)


def record_total(books: Books, item: str, span: Span) -> int:
    """The legacy usage billed for a span."""
    found = books.item(item)
    if found is None:
        raise KeyError(item)
    kind = books.prices[found[1].price].aggregate_usage
    return usage_records.usage_between(books, item, span, kind)


def set_total(
    books: Books, meter: str, customer: str, timestamp: int, wanted: Decimal, *, now: int
) -> Decimal:
    """Make the window's total what is wanted, by one event that nobody sent."""
    found = named_meter(books, meter)
    seconds = found.window_seconds or 3_600
    start = timestamp // seconds * seconds
    before = total_between(books, found, customer, (start, start + seconds))
    overwrites = found.window_seconds is not None or found.formula == "last"
    value = wanted if overwrites else difference(wanted, before)
    if found.formula == "count":
        raise ValueError("the total of a count meter cannot be set: send or cancel events")
    sequence = len(books.received)
    books.keep_event(
        ReceivedEvent(
            sequence=sequence,
            event_name=found.event_name,
            identifier=f"by_hand_{sequence}",
            timestamp=timestamp,
            received_at=now,
            payload={found.customer_key: customer, found.value_key: plain(value)},
            meter=found.id,
            customer=customer,
            value=value,
            by_hand=True,
        )
    )
    return before


def set_record(books: Books, item: str, timestamp: int, quantity: int, now: int) -> int:
    """Make the legacy quantity at a second what is wanted, whatever the rules."""
    if books.item(item) is None:
        raise KeyError(item)
    before, billed_at = books.record_totals[item].get(timestamp, (0, timestamp))
    usage_records.keep(
        books,
        UsageRecord(
            id=books.new_id("mbur"),
            item=item,
            timestamp=timestamp,
            billed_at=billed_at,
            received_at=now,
            action="set",
            quantity=quantity,
            by_hand=True,
        ),
    )
    return before


def set_status(books: Books, subscription: str, status: str, now: int) -> None:
    """Change the status that payments would change."""
    if status not in _STATUSES:
        raise ValueError(f"status must be one of {sorted(_STATUSES)}")
    changed = replace(books.subscriptions[subscription], status=status)
    books.subscriptions[subscription] = changed
    books.announce("customer.subscription.updated", changed, now)
