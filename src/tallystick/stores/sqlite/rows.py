"""Rows of events and Aggregates to values of the domain, and back."""

import json
from decimal import Decimal
from functools import lru_cache
from typing import Final

from tallystick.domain.aggregate import Aggregate, AggregateKey, Contribution, Tally
from tallystick.domain.event import Event
from tallystick.domain.meter import OTHER, WHOLE, Aggregation, Closed, Span
from tallystick.domain.quantity import ONE, ZERO, format_quantity
from tallystick.domain.window import Window
from tallystick.ports import Change
from tallystick.stores.sqlite.pages import Row

BEFORE_ALL: Final = -(2**63)
"""An instant before every other, as the place before a listing's first row."""


@lru_cache(maxsize=8192)
def text_of(quantity: Decimal) -> str:
    """The canonical text of a quantity; equal quantities have the same, so it may be kept."""
    return format_quantity(quantity)


def text_or_null(quantity: Decimal | None) -> str | None:
    return None if quantity is None else format_quantity(quantity)


def quantity_of(text: str) -> Decimal:
    if text == "1":
        return ONE
    return ZERO if text == "0" else Decimal(text)


def quantity_or_none(text: str | None) -> Decimal | None:
    return None if text is None else quantity_of(text)


def event_of(row: Row) -> Event:
    tenant, key, code, quantity, occurred_at, received_at, properties, fingerprint, voids = row
    return Event(
        tenant=tenant,
        key=key,
        code=code,
        quantity=quantity_of(quantity),
        occurred_at=occurred_at,
        received_at=received_at,
        properties=properties,
        fingerprint=fingerprint,
        voids=voids,
    )


def key_row(key: AggregateKey) -> Row:
    window = key.window
    return (key.tenant, key.meter, key.group, window.start, window.end)


def aggregate_of(row: Row) -> Aggregate:
    """From the columns of `aggregate` in their order, `id` left out."""
    tenant, meter, group, start, end, aggregation, span, period_start, period_end = row[:9]
    closed, version, count, total, extreme, latest_at, latest_key, position, *flags = row[9:]
    sealed, due, marks = flags
    return Aggregate(
        key=AggregateKey(tenant, meter, group, Window(start, end)),
        aggregation=Aggregation(aggregation),
        span=Span(span),
        period=Window(period_start, period_end),
        closed=Closed(closed),
        meter_version=version,
        tally=Tally(
            count=count,
            total=quantity_of(total),
            extreme=quantity_or_none(extreme),
            latest_at=latest_at,
            latest_key=latest_key,
        ),
        position=position,
        sealed=bool(sealed),
        due=bool(due),
        marks=marks,
    )


def tally_row(tally: Tally) -> Row:
    return (
        tally.count,
        format_quantity(tally.total),
        text_or_null(tally.extreme),
        tally.latest_at,
        tally.latest_key,
    )


def aggregate_row(aggregate: Aggregate, tally: Tally, position: int) -> Row:
    """What `INSERT INTO aggregate` takes after the id: a new Aggregate as a batch left it."""
    return (
        *key_row(aggregate.key),
        aggregate.aggregation,
        aggregate.span,
        aggregate.period.start,
        aggregate.period.end,
        aggregate.closed,
        aggregate.meter_version,
        *tally_row(tally),
        position,
        aggregate.sealed,
        aggregate.due,
        aggregate.first_sealed_at,
        aggregate.key.group not in (WHOLE, OTHER),
    )


def differences(contribution: Contribution, aggregate: Aggregate) -> str | None:
    """What a contribution says otherwise than its Aggregate (a meter was changed); mostly None."""
    if (
        contribution.meter_version == aggregate.meter_version
        and contribution.aggregation is aggregate.aggregation
        and contribution.span is aggregate.span
        and contribution.closed is aggregate.closed
        and contribution.period.start == aggregate.period.start
        and contribution.period.end == aggregate.period.end
    ):
        return None
    return json.dumps(
        [
            contribution.aggregation,
            contribution.span,
            contribution.period.start,
            contribution.period.end,
            contribution.closed,
            contribution.meter_version,
        ]
    )


def contribution_of(row: Row, aggregate: Aggregate) -> Contribution:
    """From (quantity, member, differs, occurred_at, key of the event)."""
    quantity, member, differs, occurred_at, event_key = row
    aggregation, span, period = aggregate.aggregation, aggregate.span, aggregate.period
    closed, version = aggregate.closed, aggregate.meter_version
    if differs is not None:
        name, span_name, start, end, closed_name, version = json.loads(differs)
        aggregation, span, closed = Aggregation(name), Span(span_name), Closed(closed_name)
        period = Window(start, end)
    return Contribution(
        key=aggregate.key,
        aggregation=aggregation,
        span=span,
        period=period,
        closed=closed,
        meter_version=version,
        value=quantity_of(quantity),
        member=member,
        occurred_at=occurred_at,
        event_key=event_key,
    )


def change_of(row: Row, aggregate: Aggregate) -> Change:
    """From (position, key of the void or NULL, and what `contribution_of` takes)."""
    position, by, *rest = row
    return Change(position, contribution_of(tuple(rest), aggregate), by is not None, by or "")
