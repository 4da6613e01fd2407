"""A segment: the events of one call, column by column, with what they added to their Aggregates.

Here is its form only: what goes into its row, and what comes out again. What was reported of its
events is in parts (`parts.py`); `Body` is everything else, read only where it is asked for. A
segment that does not match its checksum is damage of the file, and raises what the driver raises
for that.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat, starmap
from typing import NamedTuple

import apsw

from tallystick.domain.aggregate import Contribution
from tallystick.domain.event import Event
from tallystick.domain.quantity import in_smallest
from tallystick.stores.sqlite.accounts import Account
from tallystick.stores.sqlite.packing import column
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.parts import Part, part_rows
from tallystick.stores.sqlite.rows import differences, text_of
from tallystick.stores.sqlite.segment_columns import (
    Body,
    Columns,
    Series,
    Texts,
    in_units,
    pack_body,
    unpack_body,
)


class Extent(NamedTuple):
    """The columns of a segment's row that are looked for."""

    id: int
    events: int
    occurred_from: int
    occurred_until: int


class Packed(NamedTuple):
    """A segment as rows."""

    extent: Extent
    row: Row
    parts: list[Row]

    @property
    def bytes(self) -> int:
        """What its events take."""
        *_, body = self.row
        return len(body) + sum(len(reported) + len(told) for *_, reported, told in self.parts)


Line = tuple[int, Account, int, Contribution]
"""One change that an event of the segment makes: the event's place in it, and where it counts at
which position."""


def packed_events(
    first_id: int,
    events: Sequence[Event],
    tenant_ids: list[int],
    lines: Sequence[Line],
    series: dict[Account, Series],
) -> Packed:
    """The segment of these events and changes."""
    columns = Columns(
        tenant_ids,
        [event.key for event in events],
        [event.fingerprint for event in events],
        [event.code for event in events],
        *in_units([in_smallest(event.quantity) for event in events]),
        [event.properties for event in events],
        [event.occurred_at for event in events],
    )
    return packed(first_id, columns, _body(events, lines, series))


def packed(first_id: int, columns: Columns, body: Body) -> Packed:
    """The same from columns."""
    since, until = min(columns.occurred), max(columns.occurred)
    extent, content = Extent(first_id, len(columns.keys), since, until), pack_body(body)
    row = (*extent, checksum(extent, content), content)
    return Packed(extent, row, part_rows(first_id, columns))


def checksum(extent: Extent, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(b"%d %d %d %d" % extent))


def series_of(lines: Sequence[Line]) -> dict[Account, Series]:
    """Each Aggregate once. Its positions follow one another, since a void flushes before it takes
    anything out."""
    first: dict[Account, int] = {}
    for _, account, position, _ in lines:
        first.setdefault(account, position)
    return {
        account: Series(account.id, position, account.position - position + 1, account.segment_id)
        for account, position in first.items()
    }


def _body(
    events: Sequence[Event],
    lines: Sequence[Line],
    series: dict[Account, Series],
) -> Body:
    texts = Texts()
    place_of = {account: place for place, account in enumerate(series)}
    received = events[0].received_at
    later = [event.received_at - received for event in events]
    differs = [differences(line[3], line[1].aggregate) for line in lines]
    return Body(
        received=column([received, *later] if any(later) else [received]),
        voids={n: event.voids for n, event in enumerate(events) if event.voids is not None},
        series=list(series.values()),
        changes=column(_counts(len(events), lines)),
        change_series=column(place_of[line[1]] for line in lines),
        change_value=column(
            0 if line[3].value == events[line[0]].quantity else texts[text_of(line[3].value)] + 1
            for line in lines
        ),
        change_member=column(texts[line[3].member] for line in lines),
        differs={n: text for n, text in enumerate(differs) if text is not None},
        texts=list(texts),
    )


def _counts(events: int, lines: Sequence[Line]) -> list[int]:
    found = [0] * events
    for line in lines:
        found[line[0]] += 1
    return found


class Added(NamedTuple):
    """One change as it is read again."""

    event: int
    aggregate_id: int
    position: int
    quantity: str
    member: str
    differs: str | None


@dataclass(frozen=True)
class Segment:
    """A segment that was read. Columns are unpacked when they are first looked at."""

    found: tuple[Part, ...]
    """What is there of its parts."""
    id: int
    count: int
    occurred_from: int
    occurred_until: int
    checksum: int
    packed_body: bytes

    @property
    def last_id(self) -> int:
        return self.id + self.count - 1

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        if not self._is_covered:
            raise apsw.CorruptError(f"segment {self.id} lacks a part")
        return self.found

    @property
    def _is_covered(self) -> bool:
        ends = [one.last_id + 1 for one in self.found]
        begins = [*(one.id for one in self.found), self.last_id + 1]
        return begins == [self.id, *ends]

    @cached_property
    def body(self) -> Body:
        if not self._matches:
            raise apsw.CorruptError(f"segment {self.id} does not match its checksum")
        return unpack_body(self.packed_body)

    @property
    def _matches(self) -> bool:
        extent = Extent(self.id, self.count, self.occurred_from, self.occurred_until)
        return checksum(extent, self.packed_body) == self.checksum

    @property
    def is_sound(self) -> bool:
        return self._matches and self._is_covered and all(one.is_sound for one in self.found)

    def part(self, event_id: int) -> Part:
        """The part with this event, which is one of the segment's."""
        return self.parts[bisect_right(self.parts, event_id, key=_first_id) - 1]

    def names(self) -> Iterator[tuple[int, int, str]]:
        """(event id, tenant id, key) of each event."""
        return chain.from_iterable(part.names() for part in self.parts)

    def event(self, event_id: int, tenant: str) -> Event:
        place, part = event_id - self.id, self.part(event_id)
        return Event(
            tenant=tenant,
            key=part.key(event_id),
            code=part.code(event_id),
            quantity=part.quantity(event_id),
            occurred_at=part.instant(event_id),
            received_at=self.received_at(place),
            properties=part.properties(event_id),
            fingerprint=part.fingerprint(event_id),
            voids=self.body.voids.get(place),
        )

    def received_at(self, place: int) -> int:
        received = self.body.received
        return received[0] + (received[place + 1] if len(received) > 1 else 0)

    def series(self, aggregate_id: int) -> Series | None:
        """The first for this Aggregate."""
        found = self._series_of.get(aggregate_id)
        return None if found is None else self.body.series[found[0]]

    @cached_property
    def _series_of(self) -> dict[int, list[int]]:
        """The series of each Aggregate, by their places in the body."""
        found: dict[int, list[int]] = {}
        for nth, one in enumerate(self.body.series):
            found.setdefault(one.aggregate_id, []).append(nth)
        return found

    @cached_property
    def _changes_of(self) -> list[list[tuple[int, int]]]:
        """(change, event) of each series, in order of position."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.body.series]
        events = chain.from_iterable(starmap(repeat, enumerate(self.body.changes)))
        for change, nth in zip(enumerate(events), self.body.change_series, strict=True):
            found[nth].append(change)
        return found

    def added_to(self, aggregate_id: int) -> list[Added]:
        """What the segment added to an Aggregate, in order of position."""
        return [
            self._added(*change, nth, offset)
            for nth in self._series_of.get(aggregate_id, ())
            for offset, change in enumerate(self._changes_of[nth])
        ]

    def added_by(self, event_id: int) -> list[Added]:
        """What one of its events added, in the order in which it did."""
        event, body = event_id - self.id, self.body
        first = sum(body.changes[:event])
        found = []
        for change in range(first, first + body.changes[event]):
            nth = body.change_series[change]
            offset = bisect_left(self._changes_of[nth], (change, event))
            found.append(self._added(change, event, nth, offset))
        return found

    def _added(self, change: int, event: int, nth: int, offset: int) -> Added:
        body, event_id = self.body, self.id + event
        series, value = body.series[nth], body.change_value[change]
        told = body.texts[value - 1] if value else text_of(self.part(event_id).quantity(event_id))
        return Added(
            event,
            series.aggregate_id,
            series.first_position + offset,
            told,
            body.texts[body.change_member[change]],
            body.differs.get(change),
        )


def _first_id(part: Part) -> int:
    return part.id


def tenant_rows(segment_id: int, tenant_ids: Iterable[int]) -> list[Row]:
    return list(zip(sorted(set(tenant_ids)), repeat(segment_id), strict=False))
