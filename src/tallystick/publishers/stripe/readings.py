"""Reading totals back: few calls, exact decimals, and silence about what cannot be known.

A reading becomes proof (`domain.reading`), so a total is given only where Stripe shows it for
exactly that hour or period; zero only where the customer or item was read and shows nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import HOUR, SECOND, floor_hour
from tallystick.domain.quantity import ZERO, plain
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Reads, Slot, reading_group
from tallystick.domain.window import Window
from tallystick.publishers import STRIPE_ROUTES
from tallystick.publishers.stripe.connection import LEGACY_API_VERSION, Connection, NotReadable
from tallystick.publishers.stripe.lists import Listed, rows_of
from tallystick.publishers.stripe.meters import Meters

T = TypeVar("T")
A = TypeVar("A")

HOURS_A_CALL: Final = 96
"""Four days of hours are one page of summaries."""

FAILURES_MAX: Final = 3
"""After so many failures in a row Stripe is taken to be away."""

DIGITS_READ_MAX: Final = 38


class Summary(msgspec.Struct, frozen=True):
    """A meter's total for one customer and window. The number is taken from the JSON text."""

    id: str
    aggregated_value: Decimal
    start_time: int
    end_time: int


class Span(msgspec.Struct, frozen=True):
    """A usage period; Stripe may leave its ends open."""

    start: int | None = None
    end: int | None = None


class RecordSummary(msgspec.Struct, frozen=True):
    """A subscription item's total for one period."""

    id: str
    total_usage: int
    period: Span


class CurrentPeriod(msgspec.Struct, frozen=True):
    """A subscription item's period that has not ended."""

    current_period_start: int
    current_period_end: int


def totals(connection: Connection, meters: Meters, slots: Sequence[Slot]) -> tuple[Reading, ...]:
    """What Stripe shows for each reading group that can be read."""
    by_hour = [slot for slot in slots if STRIPE_ROUTES[slot.key.route].reads is Reads.HOUR]
    by_period = [slot for slot in slots if STRIPE_ROUTES[slot.key.route].reads is Reads.PERIOD]
    calls = [_hour_call(connection, meters, *span) for span in _spans(by_hour)]
    calls += [_item_call(connection, *item) for item in _items(by_period)]
    return tuple(reading for found in read_each(calls) for reading in found)


def read_each(calls: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What each call gives; what cannot be read is left out.

    One failure leaves its neighbours alone. Raises PublisherUnavailable where nothing could be
    read, PublisherMisconfigured at once.
    """
    failures, given, last = 0, 0, None
    for call in calls:
        try:
            found = call()
        except NotReadable:
            failures = 0
            continue
        except PublisherUnavailable as error:
            failures, last = failures + 1, error
            if failures >= FAILURES_MAX:
                break
            continue
        failures, given = 0, given + 1
        yield found
    if last is not None and given == 0:
        raise last


# ── Meters: by the hour ───────────────────────────────────────────────────────────────────────────


def _spans(slots: Sequence[Slot]) -> Iterator[tuple[str, str, dict[int, set[str]]]]:
    """(customer, counter, groups by hour), each span short enough for one call."""
    wanted: dict[tuple[str, str], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for slot in slots:
        key = slot.key
        group = reading_group(STRIPE_ROUTES[key.route], slot)
        wanted[key.destination, key.counter][floor_hour(key.start)].add(group)
    for (destination, counter), hours in wanted.items():
        span: dict[int, set[str]] = {}
        for hour in sorted(hours):
            if span and hour - next(iter(span)) >= HOURS_A_CALL * HOUR:
                yield destination, counter, span
                span = {}
            span[hour] = hours[hour]
        yield destination, counter, span


def _hour_call(
    connection: Connection,
    meters: Meters,
    customer: str,
    counter: str,
    groups: dict[int, set[str]],
) -> Callable[[], tuple[Reading, ...]]:
    def call() -> tuple[Reading, ...]:
        meter = meters.of_event(counter)
        if meter is None:
            raise NotReadable(f"there is no meter for the event name {counter!r}")
        asked_at = connection.clock.now()
        shown = _hours_shown(connection, meter.id, customer, min(groups), max(groups) + HOUR)
        return tuple(
            Reading(group, shown.get(hour, ZERO), asked_at)
            for hour, names in groups.items()
            for group in sorted(names)
        )

    return call


def _hours_shown(
    connection: Connection, meter: str, customer: str, start: int, end: int
) -> dict[int, Decimal]:
    params = {
        "customer": customer,
        "start_time": start // SECOND,
        "end_time": end // SECOND,
        "value_grouping_window": "hour",
    }
    path = f"/v1/billing/meters/{quote(meter, safe='')}/event_summaries"
    shown: dict[int, Decimal] = {}
    for row in rows_of(connection, path, Listed[Summary], params):
        if row.end_time - row.start_time != HOUR // SECOND or row.start_time * SECOND % HOUR:
            raise PublisherUnavailable(f"{path} shows a window that is no hour: {row.id}")
        shown[row.start_time * SECOND] = _total(row.aggregated_value)
    return shown


def _total(shown: Decimal) -> Decimal:
    if not shown.is_finite() or (shown and shown.adjusted() >= DIGITS_READ_MAX):
        raise PublisherUnavailable(f"a total of {shown} cannot be meant")
    return plain(shown)


# ── Usage records: by the period ──────────────────────────────────────────────────────────────────


def _items(slots: Sequence[Slot]) -> Iterator[tuple[str, dict[str, Window]]]:
    """(subscription item, period by group)."""
    wanted: dict[str, dict[str, Window]] = defaultdict(dict)
    for slot in slots:
        group = reading_group(STRIPE_ROUTES[slot.key.route], slot)
        wanted[slot.key.destination][group] = slot.place.period
    yield from wanted.items()


def _item_call(
    connection: Connection, item: str, periods: dict[str, Window]
) -> Callable[[], tuple[Reading, ...]]:
    def call() -> tuple[Reading, ...]:
        asked_at = connection.clock.now()
        path = f"/v1/subscription_items/{quote(item, safe='')}/usage_record_summaries"
        listed = rows_of(connection, path, Listed[RecordSummary], {}, LEGACY_API_VERSION)
        rows = _dated(connection, item, tuple(listed))
        shown = ((group, _shown_for(period, rows)) for group, period in periods.items())
        return tuple(Reading(group, Decimal(n), asked_at) for group, n in shown if n is not None)

    return call


def _dated(
    connection: Connection, item: str, rows: tuple[RecordSummary, ...]
) -> tuple[RecordSummary, ...]:
    """The rows, the first with the ends that it may lack: it is the item's current period."""
    if not rows or (rows[0].period.start is not None and rows[0].period.end is not None):
        return rows
    now = connection.read(f"/v1/subscription_items/{quote(item, safe='')}", CurrentPeriod, {})
    span = Span(now.current_period_start, now.current_period_end)
    return (msgspec.structs.replace(rows[0], period=span), *rows[1:])


def _shown_for(period: Window, rows: Sequence[RecordSummary]) -> int | None:
    """The one total that is this period's; 0 where no row touches it; None where it cannot be told.

    A subscription may begin or end within our period, so one shared edge is enough.
    """
    start, end = period.start // SECOND, period.end // SECOND
    touching = [row for row in rows if _touches(row.period, start, end)]
    if not touching:
        return 0
    if len(touching) > 1:
        return None
    span = touching[0].period
    if span.start is None or span.end is None:
        return None
    within = start <= span.start and span.end <= end
    shares_edge = span.start == start or span.end == end
    return touching[0].total_usage if within and shares_edge else None


def _touches(span: Span, start: int, end: int) -> bool:
    begins = span.start if span.start is not None else start
    ends = span.end if span.end is not None else end
    return begins < end and start < ends
