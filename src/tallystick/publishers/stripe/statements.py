"""Stripe's own books: invoice lines, refusals that came later, and subscriptions."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from tallystick.domain.instant import SECOND
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.slot import Slot
from tallystick.domain.statement import InvoiceLine, Subscription
from tallystick.domain.window import Window
from tallystick.publishers import USAGE_RECORD
from tallystick.publishers.stripe.connection import Connection, NotReadable
from tallystick.publishers.stripe.lists import Listed, rows_of
from tallystick.publishers.stripe.meters import Meters
from tallystick.publishers.stripe.readings import read_each

ITEM_PREFIX: Final = "si_"
"""So Stripe's ids of subscription items begin; every other destination is a customer."""

_ENDED: Final = frozenset({"canceled", "incomplete_expired"})


class Recurring(msgspec.Struct, frozen=True):
    """How a price recurs; `meter` is None for a legacy metered price."""

    usage_type: str = "licensed"
    meter: str | None = None


class Price(msgspec.Struct, frozen=True):
    """A price; `recurring` is None for a one-time one."""

    id: str
    recurring: Recurring | None = None

    @property
    def is_metered(self) -> bool:
        return self.recurring is not None and self.recurring.usage_type == "metered"


class Item(msgspec.Struct, frozen=True):
    """A subscription's item, which is what has a period since API Basil."""

    id: str
    price: Price
    current_period_start: int
    current_period_end: int
    subscription: str = ""


class Pause(msgspec.Struct, frozen=True):
    """A pause of collecting: its bills end as drafts, void or uncollectible."""

    behavior: str = ""


class BilledBy(msgspec.Struct, frozen=True):
    """A subscription as Stripe shows it."""

    id: str
    status: str
    items: Listed[Item]
    pause_collection: Pause | None = None


class ItemDetails(msgspec.Struct, frozen=True):
    """The subscription item that a line bills."""

    subscription_item: str = ""


class LineParent(msgspec.Struct, frozen=True):
    """What caused a line."""

    subscription_item_details: ItemDetails | None = None


class PriceDetails(msgspec.Struct, frozen=True):
    """The price that a line bills by."""

    price: str = ""


class Pricing(msgspec.Struct, frozen=True):
    """How a line's amount came about."""

    price_details: PriceDetails | None = None


class LineSpan(msgspec.Struct, frozen=True):
    """The period of a line, in seconds."""

    start: int
    end: int


class Line(msgspec.Struct, frozen=True):
    """One line; `quantity` is cut to a whole number, `quantity_decimal` is not."""

    id: str
    period: LineSpan
    quantity: int | None = None
    quantity_decimal: Decimal | None = None
    parent: LineParent | None = None
    pricing: Pricing | None = None

    @property
    def item(self) -> str:
        details = None if self.parent is None else self.parent.subscription_item_details
        return "" if details is None else details.subscription_item

    @property
    def price(self) -> str:
        details = None if self.pricing is None else self.pricing.price_details
        return "" if details is None else details.price

    @property
    def billed(self) -> Decimal:
        if self.quantity_decimal is not None:
            return self.quantity_decimal
        return Decimal(self.quantity or 0)


class Transitions(msgspec.Struct, frozen=True):
    """When an invoice changed."""

    finalized_at: int | None = None


class Invoice(msgspec.Struct, frozen=True):
    """A bill, with the first of its lines."""

    id: str
    lines: Listed[Line]
    status: str | None = None
    status_transitions: Transitions = Transitions()


class Statements:
    """What reads invoices and subscriptions. Keeps which meter a price has: that never changes."""

    def __init__(self, connection: Connection, meters: Meters) -> None:
        self._connection = connection
        self._meters = meters
        self._lock = threading.Lock()
        self._meter_of_price: dict[str, str] = {}

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        """The lines that bill these slots' destinations and counters in their periods; of a
        voided invoice none. What cannot be read is left out."""
        wanted: dict[str, dict[str, set[Window]]] = defaultdict(lambda: defaultdict(set))
        for slot in slots:
            wanted[slot.key.destination][slot.key.counter].add(slot.place.period)
        legacy = {s.key.destination for s in slots if s.key.route == USAGE_RECORD.name}
        calls = [
            self._lines_call(destination, counters, by_item=destination in legacy)
            for destination, counters in wanted.items()
        ]
        return tuple(line for found in read_each(calls) for line in found)

    def _lines_call(
        self, destination: str, wanted: dict[str, set[Window]], *, by_item: bool
    ) -> Callable[[], tuple[InvoiceLine, ...]]:
        def call() -> tuple[InvoiceLine, ...]:
            earliest = min(period.start for periods in wanted.values() for period in periods)
            params: dict[str, object] = {"created": {"gte": earliest // SECOND}}
            if by_item:
                params["subscription"] = self._item(destination).subscription
            else:
                params["customer"] = destination
            invoices = rows_of(self._connection, "/v1/invoices", Listed[Invoice], params)
            return tuple(
                line
                for invoice in invoices
                if invoice.status not in ("void", "deleted")
                for line in self._billed(destination, invoice, wanted, by_item=by_item)
            )

        return call

    def _billed(
        self,
        destination: str,
        invoice: Invoice,
        wanted: dict[str, set[Window]],
        *,
        by_item: bool,
    ) -> Iterator[InvoiceLine]:
        """One line for each counter and period: the tiers of a price are lines of their own."""
        billed: dict[tuple[str, Window], Decimal] = defaultdict(lambda: ZERO)
        for line in self._lines(invoice):
            period = _window(line.period.start, line.period.end)
            counter = _of_item(line, destination) if by_item else self._counter(line.price)
            if counter is None or period is None or not _overlaps(period, wanted.get(counter, ())):
                continue
            billed[counter, period] = add(billed[counter, period], line.billed)
        finalized = invoice.status_transitions.finalized_at
        for (counter, period), quantity in billed.items():
            yield InvoiceLine(
                destination=destination,
                counter=counter,
                period=period,
                quantity=quantity,
                invoice=invoice.id,
                finalized_at=None if finalized is None else finalized * SECOND,
            )

    def _lines(self, invoice: Invoice) -> Iterator[Line]:
        if not invoice.lines.has_more:
            return iter(invoice.lines.rows)
        path = f"/v1/invoices/{quote(invoice.id, safe='')}/lines"
        return rows_of(self._connection, path, Listed[Line], {})

    def _counter(self, price: str) -> str | None:
        """The event name of the meter that a price bills; None where it bills none."""
        if not price:
            return None
        with self._lock:
            known = self._meter_of_price.get(price)
        if known is None:
            path = f"/v1/prices/{quote(price, safe='')}"
            recurring = self._connection.read(path, Price, {}).recurring
            known = (recurring.meter or "") if recurring is not None else ""
            with self._lock:
                self._meter_of_price[price] = known
        meter = self._meters.of_id(known) if known else None
        return None if meter is None else meter.event_name

    def _item(self, item: str) -> Item:
        path = f"/v1/subscription_items/{quote(item, safe='')}"
        return self._connection.read(path, Item, {})

    def subscription(self, destination: str) -> Subscription | None:
        """What bills the customer or item: its live subscription with a metered price, else the
        newest ended one. None where there is none, or several with different periods."""
        try:
            if destination.startswith(ITEM_PREFIX):
                found = [self._of_item(destination)]
            else:
                params = {"customer": destination, "status": "all"}
                path = "/v1/subscriptions"
                found = list(rows_of(self._connection, path, Listed[BilledBy], params))
        except NotReadable:
            return None
        return _billing(destination, found)

    def _of_item(self, item: str) -> BilledBy:
        subscription = self._item(item).subscription
        path = f"/v1/subscriptions/{quote(subscription, safe='')}"
        found = self._connection.read(path, BilledBy, {})
        rows = [row for row in found.items.rows if row.id == item]
        return msgspec.structs.replace(found, items=Listed(rows))


def _billing(destination: str, found: Sequence[BilledBy]) -> Subscription | None:
    live = [one for one in found if one.status not in _ENDED and _periods(one)]
    live = [one for one in live if _is_metered(one)] or live
    candidates = live or [one for one in found if _periods(one)][:1]
    periods = {period for one in candidates for period in _periods(one)}
    if len(periods) != 1:
        return None
    paused = any(_is_paused(one) for one in candidates)
    return Subscription(destination, candidates[0].status, periods.pop(), paused)


def _is_metered(one: BilledBy) -> bool:
    return any(item.price.is_metered for item in one.items.rows)


def _is_paused(one: BilledBy) -> bool:
    return one.status == "paused" or one.pause_collection is not None


def _periods(one: BilledBy) -> set[Window]:
    """The periods of its metered items, or of all where none is metered."""
    rows = [item for item in one.items.rows if item.price.is_metered] or one.items.rows
    spans = (_window(item.current_period_start, item.current_period_end) for item in rows)
    return {span for span in spans if span is not None}


def _of_item(line: Line, item: str) -> str | None:
    """A legacy slot has no counter; its line is known by the subscription item."""
    return "" if line.item == item else None


def _window(start: int, end: int) -> Window | None:
    return Window(start * SECOND, end * SECOND) if start < end else None


def _overlaps(period: Window, wanted: "set[Window] | tuple[()]") -> bool:
    return any(period.start < other.end and other.start < period.end for other in wanted)
