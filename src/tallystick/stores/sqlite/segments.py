"""A segment: the events of one call, column by column, with what they added to their Aggregates.

Here is its form only: what goes into its row, and what comes out again. `Names` is what tells a
duplicate; `Body` is everything else, read only where it is asked for. A segment that does not match
its checksum is damage of the file, and raises what the driver raises for that.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat, starmap
from typing import Final, NamedTuple, TypeVar

import apsw
import msgspec

from tallystick.domain.aggregate import Contribution
from tallystick.domain.event import Event, fingerprint_of_report
from tallystick.stores.sqlite.accounts import Account
from tallystick.stores.sqlite.packing import common_prefix, hex_bytes, uuid_bytes, uuid_texts
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import differences, quantity_of, text_of

COMPRESSION: Final = 1
COMPRESSED_FROM: Final = 1_024
"""Fewer bytes are quicker left as they are, and are packed when their segment is gathered."""

ZLIB: Final = 0x78
"""The first byte of what is compressed; no column begins with it."""

FINGERPRINT_BYTES: Final = 16

T = TypeVar("T")


class Extent(NamedTuple):
    """The columns of a segment's row that are looked for."""

    id: int
    events: int
    occurred_from: int
    occurred_until: int


class Names(msgspec.Struct, frozen=True, array_like=True):
    """Who reported each event, under which key."""

    tenant_ids: list[int]
    prefix: str
    """What all keys begin with."""
    rests: list[str] | bytes
    """What follows; the bytes of UUIDs, where that is all that follows."""
    fingerprints: list[str] | None
    """Only where one is no hash of the usual form; else they are in a column of their own. That is
    empty where each event tells its own, since all that it holds was sent."""


class Series(msgspec.Struct, frozen=True, array_like=True):
    """Changes of one Aggregate that lie side by side, in order. Where a void took out something
    between two of its changes, a segment has several for it."""

    aggregate_id: int
    first_position: int
    count: int
    previous_id: int
    """The segment that changed it before this one; 0 where none did."""

    @property
    def last_position(self) -> int:
        return self.first_position + self.count - 1


class Body(msgspec.Struct, frozen=True, array_like=True):
    """The other columns. Texts that repeat stand in `texts` once, and columns hold their places."""

    texts: list[str]
    codes: list[int]
    quantities: list[int]
    properties: list[int]
    occurred: list[int]
    received: list[int]
    voids: dict[int, str]
    """By the event's place in the segment."""
    series: list[Series]
    changes: list[int]
    """How many each event made; the other columns about changes are in the order of events."""
    change_series: list[int]
    change_value: list[int]
    """0 is the quantity of its event; any other is a place in `texts`, plus one."""
    change_member: list[int]
    differs: dict[int, str]
    """By the change's place."""


Line = tuple[int, Account, int, Contribution]
"""One change that an event of the segment makes: the event's place in it, and where it counts at
which position."""

Named = tuple[list[int], Sequence[str], list[str] | None]
"""The tenant id, the key and the fingerprint of each event; None where each tells its own."""

_NAMES: Final = msgspec.msgpack.Decoder(Names)
_BODY: Final = msgspec.msgpack.Decoder(Body)
_ENCODER: Final = msgspec.msgpack.Encoder()


class Texts(dict[str, int]):
    """Texts by the order in which they came."""

    def __missing__(self, text: str) -> int:
        place = self[text] = len(self)
        return place


def segment_row(
    first_id: int,
    events: Sequence[Event],
    tenant_ids: list[int],
    lines: Sequence[Line],
    series: dict[Account, Series],
) -> Row:
    """What `INSERT INTO segment` takes."""
    occurred = [event.occurred_at for event in events]
    keys = [event.key for event in events]
    fingerprints = [event.fingerprint for event in events]
    return packed_row(
        Extent(first_id, len(events), min(occurred), max(occurred)),
        (tenant_ids, keys, fingerprints),
        _body(events, min(occurred), lines, series),
    )


def packed_row(extent: Extent, named: Named, body: Body) -> Row:
    """The same from columns."""
    tenant_ids, keys, fingerprints = named
    hashes = b"" if fingerprints is None else hex_bytes(fingerprints, FINGERPRINT_BYTES)
    prefix = common_prefix(keys)
    rests = [key[len(prefix) :] for key in keys]
    names = Names(
        tenant_ids, prefix, uuid_bytes(rests) or rests, fingerprints if hashes is None else None
    )
    parts = (
        _packed(names, zlib.Z_HUFFMAN_ONLY),
        hashes or b"",
        _packed(body, zlib.Z_DEFAULT_STRATEGY),
    )
    return (*extent, checksum(extent, *parts), *parts)


def _packed(columns: Names | Body, strategy: int) -> bytes:
    """Keys are random: looking for repetitions in them takes longer, and finds worse than none."""
    plain = _ENCODER.encode(columns)
    if len(plain) < COMPRESSED_FROM:
        return plain
    packing = zlib.compressobj(COMPRESSION, strategy=strategy)
    return packing.compress(plain) + packing.flush()


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
    events: Sequence[Event], since: int, lines: Sequence[Line], series: dict[Account, Series]
) -> Body:
    texts = Texts()
    place_of = {account: place for place, account in enumerate(series)}
    received = events[0].received_at
    quantities = [texts[text_of(event.quantity)] for event in events]
    values = [texts[text_of(line[3].value)] for line in lines]
    differs = [differences(line[3], line[1].aggregate) for line in lines]
    return Body(
        codes=[texts[event.code] for event in events],
        quantities=quantities,
        properties=[texts[event.properties] for event in events],
        occurred=[event.occurred_at - since for event in events],
        received=[received, *[event.received_at - received for event in events]],
        voids={n: event.voids for n, event in enumerate(events) if event.voids is not None},
        series=list(series.values()),
        changes=_counts(len(events), lines),
        change_series=[place_of[line[1]] for line in lines],
        change_value=[
            0 if value == quantities[line[0]] else value + 1
            for line, value in zip(lines, values, strict=True)
        ],
        change_member=[texts[line[3].member] for line in lines],
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
    packed_names: bytes
    fingerprints: bytes
    packed_body: bytes

    @property
    def last_id(self) -> int:
        return self.id + self.count - 1

    @cached_property
    def keys(self) -> list[str]:
        prefix, rests = self.names.prefix, self.names.rests
        if isinstance(rests, bytes):
            rests = uuid_texts(rests)
        return [prefix + rest for rest in rests] if prefix else rests

    @cached_property
    def names(self) -> Names:
        return self._unpacked(_NAMES, self.packed_names)

    @cached_property
    def body(self) -> Body:
        return self._unpacked(_BODY, self.packed_body)

    def _unpacked(self, decoder: "msgspec.msgpack.Decoder[T]", packed: bytes) -> T:
        if not self.is_sound:
            raise apsw.CorruptError(f"segment {self.id} does not match its checksum")
        return decoder.decode(zlib.decompress(packed) if packed[0] == ZLIB else packed)

    @cached_property
    def is_sound(self) -> bool:
        extent = Extent(self.id, self.count, self.occurred_from, self.occurred_until)
        parts = (self.packed_names, self.fingerprints, self.packed_body)
        return checksum(extent, *parts) == self.checksum

    def fingerprint(self, place: int) -> str:
        told = self.names.fingerprints
        if told is not None:
            return told[place]
        if self.fingerprints:
            start = place * FINGERPRINT_BYTES
            return self.fingerprints[start : start + FINGERPRINT_BYTES].hex()
        body = self.body
        return fingerprint_of_report(
            body.texts[body.codes[place]],
            quantity=quantity_of(body.texts[body.quantities[place]]),
            occurred_at=self.occurred_from + body.occurred[place],
            properties=body.texts[body.properties[place]],
            voids=None,
        )

    def name(self, event_id: int) -> tuple[int, str, str]:
        """(tenant id, key, fingerprint)."""
        return self.tenant_id(event_id), self.key(event_id), self.fingerprint(event_id - self.id)

    def tenant_id(self, event_id: int) -> int:
        return self.names.tenant_ids[event_id - self.id]

    def key(self, event_id: int) -> str:
        return self.keys[event_id - self.id]

    def instant(self, event_id: int) -> int:
        return self.occurred_from + self.body.occurred[event_id - self.id]

    def event(self, event_id: int, tenant: str) -> Event:
        place = event_id - self.id
        body = self.body
        return Event(
            tenant=tenant,
            key=self.key(event_id),
            code=body.texts[body.codes[place]],
            quantity=quantity_of(body.texts[body.quantities[place]]),
            occurred_at=self.occurred_from + body.occurred[place],
            received_at=body.received[0] + body.received[place + 1],
            properties=body.texts[body.properties[place]],
            fingerprint=self.fingerprint(place),
            voids=body.voids.get(place),
        )

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
            text = texts[value - 1 if value else body.quantities[event]]
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
