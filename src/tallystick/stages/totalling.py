"""Totalling: the Aggregates of longer spans. Sums add up; everything else is folded again.

Two hours' distinct users, added up, are not the distinct users of both.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import chain

from tallystick.domain.aggregate import Aggregate, Contribution, refold, value_of
from tallystick.domain.meter import WHOLE
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.window import Window
from tallystick.ports import Store
from tallystick.stages.metering import Rulebook
from tallystick.stages.recounting import live_contributions, pages


class By(StrEnum):
    """What one total covers: a meter's own window, or something longer."""

    WINDOW = "window"
    DAY = "day"
    PERIOD = "period"
    TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What a tenant's meter came to over a span; `span` reaches from the first window counted to
    the last where it covers everything."""

    tenant: str
    meter: str
    group: str
    span: Window
    quantity: Decimal
    events: int


Series = tuple[str, str, str]


def totals(
    store: Store,
    by: By = By.WINDOW,
    *,
    tenant: str = "",
    meter: str = "",
    window: Window | None = None,
    groups: bool = False,
) -> Iterator[Total]:
    """The totals by (tenant, meter, group, span), of Aggregates whose window overlaps `window`.

    A window that `window` cuts is counted whole. `groups` also gives each dimension set.
    Memory holds one tenant's meter at a time.
    """
    listed = pages(
        lambda cursor: store.events.aggregates(
            tenant=tenant, meter=meter, window=window, cursor=cursor
        )
    )
    chosen = (a for a in listed if groups or a.key.group == WHOLE)
    if by is By.WINDOW:
        yield from (_total(store, (a,), a.key.window) for a in chosen)
        return
    span_of = _spans(store, by)
    for series in _runs(chosen):
        for span, members in _spanned(series, span_of).items():
            yield _total(store, members, span)


def _runs(aggregates: Iterable[Aggregate]) -> Iterator[list[Aggregate]]:
    """The Aggregates cut into series of one tenant, meter and group; they come in that order."""
    series: list[Aggregate] = []
    for aggregate in aggregates:
        if series and _series(series[0]) != _series(aggregate):
            yield series
            series = []
        series.append(aggregate)
    if series:
        yield series


def _series(aggregate: Aggregate) -> Series:
    return (aggregate.key.tenant, aggregate.key.meter, aggregate.key.group)


def _spanned(
    series: list[Aggregate], span_of: Callable[[Aggregate], Window | None]
) -> dict[Window, list[Aggregate]]:
    """The series by the span each belongs to; the whole series under one where there is none."""
    everything = Window(
        min(a.key.window.start for a in series), max(a.key.window.end for a in series)
    )
    spanned: dict[Window, list[Aggregate]] = {}
    for aggregate in series:
        spanned.setdefault(span_of(aggregate) or everything, []).append(aggregate)
    return spanned


def _spans(store: Store, by: By) -> Callable[[Aggregate], Window | None]:
    """How an Aggregate finds its span. A window longer than the span asked for is its own."""
    rules = Rulebook(store.catalog)
    rules.refresh()

    def day_of(aggregate: Aggregate) -> Window:
        own = aggregate.key.window
        calendar = rules.calendar(aggregate.key.tenant)
        day = own if calendar is None else calendar.day_at(own.start)
        return own if own.end > day.end else day

    if by is By.DAY:
        return day_of
    return (lambda a: a.period) if by is By.PERIOD else (lambda _: None)


def _total(store: Store, members: Iterable[Aggregate], span: Window) -> Total:
    aggregates = tuple(members)
    first = aggregates[0]
    return Total(
        tenant=first.key.tenant,
        meter=first.key.meter,
        group=first.key.group,
        span=span,
        quantity=_quantity(store, aggregates),
        events=sum(a.tally.count for a in aggregates),
    )


def _quantity(store: Store, aggregates: tuple[Aggregate, ...]) -> Decimal:
    if len(aggregates) == 1:
        return aggregates[0].value
    kinds = {a.aggregation for a in aggregates}
    if all(kind.is_additive for kind in kinds):
        total = ZERO
        for aggregate in aggregates:
            total = add(total, aggregate.value)
        return total
    # A meter that changed its aggregation is folded by the newest one's rule.
    newest = max(aggregates, key=lambda a: (a.meter_version, a.key.window))
    live = chain.from_iterable(_live(store, a) for a in aggregates)
    return value_of(newest.aggregation, refold(live))


def _live(store: Store, aggregate: Aggregate) -> Iterable[Contribution]:
    return live_contributions(store, aggregate.key)[0].values()
