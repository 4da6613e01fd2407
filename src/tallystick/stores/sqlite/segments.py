"""A segment: the events of one call, column by column, with what they added to their Aggregates.

Here is its form only: what goes into its row, and what comes out again. `Reported` is what tells a
duplicate, one event's without those of the others; `Body` is everything else, read only where it is
asked for. A segment that does not match its checksum is damage of the file, and raises what the
driver raises for that.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain, repeat, starmap
from typing import Final, NamedTuple

import apsw

from tallystick.domain.aggregate import Contribution
from tallystick.domain.event import Event, fingerprint_of_report
from tallystick.domain.quantity import from_smallest, in_smallest
from tallystick.stores.sqlite.accounts import Account
from tallystick.stores.sqlite.packing import column, dashed_text, hex_bytes
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import differences, quantity_of, text_of
from tallystick.stores.sqlite.segment_columns import (
    Body,
    Columns,
    Reported,
    Series,
    Texts,
    in_units,
    pack_body,
    pack_reported,
    reported_of,
    unpack_body,
    unpack_reported,
)

FINGERPRINT_BYTES: Final = 16


class Extent(NamedTuple):
    """The columns of a segment's row that are looked for."""

    id: int
    events: int
    occurred_from: int
    occurred_until: int


Line = tuple[int, Account, int, Contribution]
"""One change that an event of the segment makes: the event's place in it, and where it counts at
which position."""


def segment_row(
    first_id: int,
    events: Sequence[Event],
    tenant_ids: list[int],
    lines: Sequence[Line],
    series: dict[Account, Series],
) -> Row:
    """What `INSERT INTO segment` takes."""
    columns = Columns(
        tenant_ids,
        [event.key for event in events],
        [event.fingerprint for event in events],
        [event.code for event in events],
        *in_units([in_smallest(event.quantity) for event in events]),
        [event.properties for event in events],
        [event.occurred_at for event in events],
    )
    return packed_row(first_id, columns, _body(events, lines, series))


def packed_row(first_id: int, columns: Columns, body: Body) -> Row:
    """The same from columns."""
    since = min(columns.occurred)
    extent = Extent(first_id, len(columns.keys), since, max(columns.occurred))
    told = columns.fingerprints
    hashes = b"" if told is None else hex_bytes(told, FINGERPRINT_BYTES)
    reported = reported_of(columns, since, told if hashes is None else None)
    parts = (pack_reported(reported), hashes or b"", pack_body(body))
    return (*extent, checksum(extent, *parts), *parts)


def checksum(extent: Extent, *parts: bytes) -> int:
    found = zlib.crc32(b"%d %d %d %d" % extent)
    for part in parts:
        found = zlib.crc32(part, found)
    return found


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
    """One change as it is read again; `place` is its own among the segment's changes."""

    place: int
    event: int
    aggregate_id: int
    position: int
    quantity: str
    member: str
    differs: str | None


@dataclass(frozen=True)
class Segment:
    """A segment that was read. Columns are unpacked when they are first looked at."""

    id: int
    count: int
    occurred_from: int
    occurred_until: int
    checksum: int
    packed_reported: bytes
    fingerprints: bytes
    packed_body: bytes

    @property
    def last_id(self) -> int:
        return self.id + self.count - 1

    @cached_property
    def keys(self) -> list[str]:
        return [self.key(event_id) for event_id in range(self.id, self.last_id + 1)]

    @cached_property
    def reported(self) -> Reported:
        self._check()
        return unpack_reported(self.packed_reported)

    @cached_property
    def body(self) -> Body:
        self._check()
        return unpack_body(self.packed_body)

    def _check(self) -> None:
        if not self.is_sound:
            raise apsw.CorruptError(f"segment {self.id} does not match its checksum")

    @cached_property
    def is_sound(self) -> bool:
        extent = Extent(self.id, self.count, self.occurred_from, self.occurred_until)
        parts = (self.packed_reported, self.fingerprints, self.packed_body)
        return checksum(extent, *parts) == self.checksum

    def fingerprint(self, place: int) -> str:
        told = self.reported.fingerprints
        if told is not None:
            return told[place]
        if self.fingerprints:
            start = place * FINGERPRINT_BYTES
            return self.fingerprints[start : start + FINGERPRINT_BYTES].hex()
        return fingerprint_of_report(
            self.code(place),
            quantity=self.quantity(place),
            occurred_at=self.instant(self.id + place),
            properties=self.properties(place),
            voids=None,
        )

    def code(self, place: int) -> str:
        return self.reported.texts[self.reported.codes[place]]

    def quantity(self, place: int) -> Decimal:
        reported = self.reported
        amount = reported.quantities[place]
        if reported.quantity_unit:
            return from_smallest(amount * reported.quantity_unit)
        return quantity_of(reported.texts[amount])

    def properties(self, place: int) -> str:
        return self.reported.texts[self.reported.properties[place]]

    def name(self, event_id: int) -> tuple[int, str, str]:
        """(tenant id, key, fingerprint)."""
        return self.tenant_id(event_id), self.key(event_id), self.fingerprint(event_id - self.id)

    def tenant_id(self, event_id: int) -> int:
        return self.reported.tenant_ids[event_id - self.id]

    def key(self, event_id: int) -> str:
        place, reported = event_id - self.id, self.reported
        rests = reported.rests
        if isinstance(rests, bytes):
            size = len(rests) // self.count
            rest = dashed_text(rests[place * size : (place + 1) * size], reported.dashes)
        else:
            rest = rests[place]
        return reported.prefix + rest

    def instant(self, event_id: int) -> int:
        reported = self.reported
        return self.occurred_from + reported.unit * reported.occurred[event_id - self.id]

    def event(self, event_id: int, tenant: str) -> Event:
        place = event_id - self.id
        body = self.body
        return Event(
            tenant=tenant,
            key=self.key(event_id),
            code=self.code(place),
            quantity=self.quantity(place),
            occurred_at=self.instant(event_id),
            received_at=self.received_at(place),
            properties=self.properties(place),
            fingerprint=self.fingerprint(place),
            voids=body.voids.get(place),
        )

    def received_at(self, place: int) -> int:
        received = self.body.received
        return received[0] + (received[place + 1] if len(received) > 1 else 0)

    def series(self, aggregate_id: int) -> Series | None:
        """The first for this Aggregate."""
        return self._by_aggregate.get(aggregate_id)

    @cached_property
    def _by_aggregate(self) -> dict[int, Series]:
        return {one.aggregate_id: one for one in reversed(self.body.series)}

    def added_to(self, aggregate_id: int) -> list[Added]:
        """What the segment added to an Aggregate, in order of position."""
        return self._added.get(aggregate_id, [])

    def added_by(self, event_id: int) -> list[Added]:
        """What one of its events added, in the order in which it did."""
        place = event_id - self.id
        return sorted(one for added in self._added.values() for one in added if one.event == place)

    @cached_property
    def _added(self) -> dict[int, list[Added]]:
        body = self.body
        texts, series = body.texts, body.series
        position = [one.first_position for one in series]
        found: dict[int, list[Added]] = {one.aggregate_id: [] for one in series}
        columns = zip(
            chain.from_iterable(starmap(repeat, enumerate(body.changes))),
            body.change_series,
            body.change_value,
            body.change_member,
            strict=True,
        )
        for n, (event, one, value, member) in enumerate(columns):
            aggregate_id = series[one].aggregate_id
            text = texts[value - 1] if value else text_of(self.quantity(event))
            found[aggregate_id].append(
                Added(
                    n,
                    event,
                    aggregate_id,
                    position[one],
                    text,
                    texts[member],
                    body.differs.get(n),
                )
            )
            position[one] += 1
        return found


def tenant_rows(segment_id: int, tenant_ids: list[int]) -> list[Row]:
    return list(zip(sorted(set(tenant_ids)), repeat(segment_id), strict=False))
