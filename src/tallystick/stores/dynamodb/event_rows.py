"""Events, what they added, and Aggregates as items of the table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from tallystick.domain.aggregate import Aggregate, AggregateKey, Contribution
from tallystick.domain.event import Event
from tallystick.domain.meter import Aggregation, Closed, Span
from tallystick.domain.quantity import format_quantity
from tallystick.domain.window import Window
from tallystick.stores.dynamodb.layout import (
    DUE_AT,
    DUE_IN,
    SEPARATOR,
    aggregate_rank,
    due_partition,
    joined,
    spread,
)
from tallystick.stores.dynamodb.packing import packed, packed_bytes_max, row, unpacked
from tallystick.stores.dynamodb.table import Attribute, Item

AGGREGATES = "aggregate"
DRAWN: Final = "drawn"
SERVED: Final = "served"
EVENT_BYTES: Final = 4_096
"""More than an event takes beside its own texts: keys, times, the void that named it."""

CONTRIBUTION_BYTES: Final = 256
"""More than a contribution takes beside its texts."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the table has under an event's key: the event (or only a void that waits for it), what
    it added, the key of the void that named it, and the log's place that lists it."""

    event: Event | None = None
    contributions: tuple[Contribution, ...] = ()
    voided_by: str | None = None
    log: str = ""


ABSENT = Stored()


@dataclass(frozen=True, slots=True)
class Line:
    """The writers that wait at an Aggregate: the last ticket drawn, and the last served."""

    drawn: int = 0
    served: int = 0

    @property
    def is_empty(self) -> bool:
        return self.drawn <= self.served


def line_of(item: Item | None) -> Line:
    return Line(int(item.get(DRAWN, 0)), int(item.get(SERVED, 0))) if item else Line()


def stored_of(item: Item | None) -> Stored:
    if item is None:
        return ABSENT
    voided_by = str(item["voided_by"]) if "voided_by" in item else None
    if "told" not in item:
        return Stored(voided_by=voided_by)
    event = _event_of(row(item["told"]))
    contributions = tuple(_contribution_of(each, event) for each in row(item["added"]))
    return Stored(event, contributions, voided_by, str(item["log"]))


def stored_item(stored: Stored) -> dict[str, Attribute]:
    item: dict[str, Attribute] = {}
    if stored.voided_by is not None:
        item["voided_by"] = stored.voided_by
    if stored.event is not None:
        item["fingerprint"] = stored.event.fingerprint
        item["told"] = packed(_event_row(stored.event))
        item["added"] = packed([_contribution_row(each) for each in stored.contributions])
        item["log"] = stored.log
    return item


def stored_bytes_max(stored: Stored) -> int:
    """No fewer bytes than the item takes."""
    added = sum(
        CONTRIBUTION_BYTES + packed_bytes_max(c.key.meter, c.key.group, c.member)
        for c in stored.contributions
    )
    event = stored.event
    if event is None:
        return EVENT_BYTES
    told = packed_bytes_max(event.tenant, event.key, event.code, event.properties)
    return EVENT_BYTES + told + added


def stored_expectation(stored: Stored) -> dict[str, Attribute | None]:
    """The condition that what was read stands there still."""
    fingerprint = None if stored.event is None else stored.event.fingerprint
    return {"fingerprint": fingerprint, "voided_by": stored.voided_by}


def _event_row(event: Event) -> list[Any]:
    return [
        event.tenant,
        event.key,
        event.code,
        format_quantity(event.quantity),
        event.occurred_at,
        event.received_at,
        event.properties,
        event.fingerprint,
        event.voids,
    ]


def _event_of(told: Sequence[Any]) -> Event:
    tenant, key, code, quantity, occurred_at, received_at, properties, fingerprint, voids = told
    return Event(
        tenant=tenant,
        key=key,
        code=code,
        quantity=Decimal(quantity),
        occurred_at=occurred_at,
        received_at=received_at,
        properties=properties,
        fingerprint=fingerprint,
        voids=voids,
    )


def _contribution_row(added: Contribution) -> list[Any]:
    window, period = added.key.window, added.period
    return [
        added.key.meter,
        added.key.group,
        window.start,
        window.end,
        added.aggregation,
        added.span,
        period.start,
        period.end,
        added.closed,
        added.meter_version,
        format_quantity(added.value),
        added.member,
    ]


def _contribution_of(told: Sequence[Any], event: Event) -> Contribution:
    meter, group, start, end, aggregation, span, period_start, period_end, *rest = told
    closed, meter_version, value, member = rest
    return Contribution(
        key=AggregateKey(event.tenant, meter, group, Window(start, end)),
        aggregation=Aggregation(aggregation),
        span=Span(span),
        period=Window(period_start, period_end),
        closed=Closed(closed),
        meter_version=meter_version,
        value=Decimal(value),
        member=member,
        occurred_at=event.occurred_at,
        event_key=event.key,
    )


def aggregate_of(item: Item) -> Aggregate:
    return replace(
        unpacked(item["body"], Aggregate),
        position=int(item["position"]),
        sealed=bool(item.get("sealed", 0)),
        marks=int(item.get("marks", 0)),
        due=DUE_IN in item,
    )


def aggregate_body(aggregate: Aggregate) -> str:
    """What only events change, whatever marks are set or taken meanwhile."""
    return packed(replace(aggregate, position=0, sealed=False, marks=0, due=False))


def due_mark(aggregate: Aggregate) -> dict[str, Attribute]:
    """The attributes that put an Aggregate into the index of what is due."""
    rank = aggregate_rank(aggregate.key)
    return {
        DUE_IN: due_partition(AGGREGATES, spread(rank)),
        DUE_AT: joined(aggregate.first_sealed_at) + SEPARATOR + rank,
    }
