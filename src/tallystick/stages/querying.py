"""Querying: what a meter came to in windows of the caller's choosing, by tenant and dimension.

Aggregates are used whole where they lie in one of the windows; where one is cut, its live
contributions are folded again by when they occurred. So the answer is exact for every window,
and cheap for the usual ones.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from tallystick.domain.aggregate import Aggregate, Contribution, refold, value_of
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import (
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    to_datetime,
)
from tallystick.domain.meter import WHOLE
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.tenant import day_start, local_day
from tallystick.domain.window import Window
from tallystick.ports import Store
from tallystick.stages.recounting import live_contributions, pages

ROWS_MAX: Final = 10_000
UTC: Final = timedelta()
ONE_MICROSECOND: Final = timedelta(microseconds=1)
ALL_TIME: Final = Window(EARLIEST, LATEST)


class Size(StrEnum):
    """The length of the windows asked for."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked of one meter.

    span        only what occurred in it
    size, zone  the windows, local to the zone; one window over all without a size
    tenants     only these; all where empty
    by_tenant   keep tenants apart
    by          the dimensions to keep apart
    only        a dimension's values, of which an event must have one
    """

    meter: str
    span: Window = ALL_TIME
    size: Size | None = None
    zone: str = "UTC"
    tenants: tuple[str, ...] = ()
    by_tenant: bool = False
    by: tuple[str, ...] = ()
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def needs_groups(self) -> bool:
        return bool(self.by or self.only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the meter came to in one window; '' is every tenant together."""

    window: Window
    tenant: str
    group: tuple[tuple[str, str | None], ...]
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class _Part:
    """An Aggregate, or what of it occurred within `only`."""

    aggregate: Aggregate
    only: Window | None


_Place = tuple[Window, str, tuple[tuple[str, str | None], ...]]


def ask(store: Store, query: Query) -> tuple[Row, ...]:
    """The rows in order of window, tenant and group; windows without events have none.

    Raises InvalidSetting where there would be more rows than ROWS_MAX.
    """
    window_of = windows(query)
    places: dict[_Place, list[_Part]] = {}
    seen: list[Window] = []
    for aggregate in _aggregates(store, query):
        group = _group(aggregate, query)
        if group is None:
            continue
        seen = [_around(seen, aggregate.key.window)]
        tenant = aggregate.key.tenant if query.by_tenant else ""
        for window, only in _cut(store, aggregate, query, window_of):
            places.setdefault((window, tenant, group), []).append(_Part(aggregate, only))
        _check_size(places)
    shown = _shown(query, seen)
    ordered = sorted(places.items(), key=lambda found: _rank(found[0]))
    return tuple(
        Row(window=shown or window, tenant=tenant, group=group, quantity=_folded(store, parts))
        for (window, tenant, group), parts in ordered
    )


def _rank(place: _Place) -> tuple[object, ...]:
    """Order that a missing value of a dimension comes first in."""
    window, tenant, group = place
    return (window, tenant, *((value is not None, value or "") for _, value in group))


def _check_size(places: Mapping[_Place, object]) -> None:
    if len(places) > ROWS_MAX:
        raise InvalidSetting(
            f"the answer has more than {ROWS_MAX} rows; ask for less time or larger windows"
        )


def _around(seen: list[Window], window: Window) -> Window:
    return Window(
        min(window.start, *(w.start for w in seen)) if seen else window.start,
        max(window.end, *(w.end for w in seen)) if seen else window.end,
    )


def _shown(query: Query, seen: list[Window]) -> Window | None:
    """Without a size, the one window: as far as was asked, or else as was counted."""
    if query.size is not None or not seen:
        return None
    start, end = query.span.start, query.span.end
    return Window(
        seen[0].start if start == EARLIEST else start, seen[0].end if end == LATEST else end
    )


def _aggregates(store: Store, query: Query) -> Iterator[Aggregate]:
    for tenant in query.tenants or ("",):
        found = pages(
            lambda cursor, tenant=tenant: store.events.aggregates(  # type: ignore[misc]
                tenant=tenant, meter=query.meter, window=query.span, cursor=cursor
            )
        )
        for aggregate in found:
            is_whole = aggregate.key.group == WHOLE
            if aggregate.tally.count and is_whole is not query.needs_groups:
                yield aggregate


def _group(aggregate: Aggregate, query: Query) -> tuple[tuple[str, str | None], ...] | None:
    """The values of the dimensions asked for; None where the query leaves the Aggregate out."""
    if not query.needs_groups:
        return ()
    values: dict[str, str | None] = json.loads(aggregate.key.group)
    if any(values.get(name) not in wanted for name, wanted in query.only.items()):
        return None
    return tuple((name, values.get(name)) for name in query.by)


def _cut(
    store: Store, aggregate: Aggregate, query: Query, window_of: Callable[[int], Window]
) -> list[tuple[Window, Window | None]]:
    """The windows that the Aggregate falls into, with the part of it where it is cut."""
    own = aggregate.key.window
    window = window_of(max(own.start, query.span.start))
    is_within = query.span.start <= own.start and own.end <= query.span.end
    if is_within and own.end <= window.end:
        return [(window, None)]
    instants = sorted(
        c.occurred_at
        for c in live_contributions(store, aggregate.key)[0].values()
        if query.span.contains(c.occurred_at)
    )
    cut: dict[Window, Window | None] = {}
    for at in instants:
        window = window_of(at)
        cut[window] = window.cut_to(query.span)
    return list(cut.items())


def _folded(store: Store, parts: list[_Part]) -> Decimal:
    if all(part.only is None for part in parts):
        if len(parts) == 1:
            return parts[0].aggregate.value
        if all(part.aggregate.aggregation.is_additive for part in parts):
            total = ZERO
            for part in parts:
                total = add(total, part.aggregate.value)
            return total
    # A meter that changed its aggregation is folded by the newest one's rule.
    newest = max((p.aggregate for p in parts), key=lambda a: (a.meter_version, a.key.window))
    return value_of(newest.aggregation, refold(chain.from_iterable(_live(store, p) for p in parts)))


def _live(store: Store, part: _Part) -> Iterable[Contribution]:
    live = live_contributions(store, part.aggregate.key)[0].values()
    return live if part.only is None else (c for c in live if part.only.contains(c.occurred_at))


# ── Windows ───────────────────────────────────────────────────────────────────────────────────────


def windows(query: Query) -> Callable[[int], Window]:
    """How an instant finds its window."""
    if query.size is None:
        return lambda _: query.span
    zone = query.zone
    if query.size is Size.MINUTE:
        return lambda at: Window(at - at % MINUTE, at - at % MINUTE + MINUTE)
    if query.size is Size.HOUR:
        return lambda at: _local_hour(zone, at)
    return (lambda at: local_day(zone, at)) if query.size is Size.DAY else _months(zone)


def _local_hour(zone: str, at: int) -> Window:
    ahead = (to_datetime(at).astimezone(ZoneInfo(zone)).utcoffset() or UTC) // ONE_MICROSECOND
    start = at - (at + ahead) % HOUR
    return Window(start, start + HOUR)


def _months(zone: str) -> Callable[[int], Window]:
    def month_of(at: int) -> Window:
        local = to_datetime(at).astimezone(ZoneInfo(zone)).date()
        following = date(local.year + local.month // 12, local.month % 12 + 1, 1)
        return Window(day_start(zone, local.replace(day=1)), day_start(zone, following))

    return month_of
