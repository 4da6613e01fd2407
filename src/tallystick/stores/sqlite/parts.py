"""A part: what was reported of some events of a segment, as many as fill a page of the file.

A known key leads to any event there is, and a caller may send a thousand of them: each is read with
its part, and without the thousand events beside it. A part that does not match its checksum is
damage of the file, and raises what the driver raises for that.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import apsw

from tallystick.domain.event import fingerprint_of_report
from tallystick.domain.quantity import from_smallest, in_smallest
from tallystick.stores.sqlite.packing import dashed_text, hex_bytes
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import quantity_of
from tallystick.stores.sqlite.segment_columns import (
    Columns,
    Reported,
    pack_reported,
    reported_of,
    unpack_reported,
)

FINGERPRINT_BYTES: Final = 16
PART_BYTES: Final = 3_900
"""With the rest of its row, what fits into one page of the file."""

SAMPLE: Final = 128
"""So many events tell how many more a page takes."""

EVENTS_MIN: Final = 16
"""Large events go beyond a page, so that there are not as many parts as events."""


def part_rows(first_id: int, columns: Columns) -> list[Row]:
    """What `INSERT INTO segment_part` takes, for each part of the columns."""
    count = len(columns.keys)
    size = count
    if count > SAMPLE:
        taken = sum(map(len, _packed(columns.only(0, SAMPLE))))
        size = max(EVENTS_MIN, SAMPLE * PART_BYTES // taken)
    rows = []
    for start in range(0, count, size):
        some = columns.only(start, start + size)
        part_id, events, since = first_id + start, len(some.keys), min(some.occurred)
        packed = _packed(some)
        sum_ = part_checksum(part_id, events, since, packed)
        rows.append((part_id, events, since, sum_, *packed))
    return rows


def _packed(columns: Columns) -> tuple[bytes, bytes]:
    """(reported, fingerprints)."""
    told = columns.fingerprints
    hashes = b"" if told is None else hex_bytes(told, FINGERPRINT_BYTES)
    reported = reported_of(columns, min(columns.occurred), told if hashes is None else None)
    return pack_reported(reported), hashes or b""


def part_checksum(part_id: int, count: int, occurred_from: int, packed: tuple[bytes, bytes]) -> int:
    found = zlib.crc32(b"%d %d %d" % (part_id, count, occurred_from))
    for one in packed:
        found = zlib.crc32(one, found)
    return found


Content = tuple[str, int, int, str]
"""What a report says: its code, the smallest quantities, its instant, its properties."""


@dataclass(frozen=True)
class Part:
    """A part that was read. Columns are unpacked when they are first looked at."""

    id: int
    count: int
    occurred_from: int
    checksum: int
    packed_reported: bytes
    fingerprints: bytes

    @property
    def last_id(self) -> int:
        return self.id + self.count - 1

    @property
    def ids(self) -> range:
        return range(self.id, self.id + self.count)

    @cached_property
    def reported(self) -> Reported:
        if not self.is_sound:
            raise apsw.CorruptError(f"the events from {self.id} on do not match their checksum")
        return unpack_reported(self.packed_reported)

    @property
    def is_sound(self) -> bool:
        packed = (self.packed_reported, self.fingerprints)
        return part_checksum(self.id, self.count, self.occurred_from, packed) == self.checksum

    def names(self) -> Iterator[tuple[int, int, str]]:
        """(event id, tenant id, key) of each."""
        for event_id, tenant_id in zip(self.ids, self.reported.tenant_ids, strict=True):
            yield event_id, tenant_id, self.key(event_id)

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

    def content(self, event_id: int) -> Content | None:
        """All that was sent; None where more was, of which a fingerprint is kept."""
        if self.fingerprints or self.reported.fingerprints is not None:
            return None
        return (
            self.code(event_id),
            self._smallest(event_id),
            self.instant(event_id),
            self.properties(event_id),
        )

    @property
    def is_telling(self) -> bool:
        """Whether each event tells its own fingerprint, so that none stands here."""
        return self.reported.fingerprints is None and not self.fingerprints

    def fingerprint(self, event_id: int) -> str:
        told, place = self.reported.fingerprints, event_id - self.id
        if told is not None:
            return told[place]
        if self.fingerprints:
            start = place * FINGERPRINT_BYTES
            return self.fingerprints[start : start + FINGERPRINT_BYTES].hex()
        return fingerprint_of_report(
            self.code(event_id),
            quantity=self.quantity(event_id),
            occurred_at=self.instant(event_id),
            properties=self.properties(event_id),
            voids=None,
        )

    def code(self, event_id: int) -> str:
        return self.reported.texts[self.reported.codes[event_id - self.id]]

    def quantity(self, event_id: int) -> Decimal:
        return from_smallest(self._smallest(event_id))

    def _smallest(self, event_id: int) -> int:
        reported = self.reported
        amount = reported.quantities[event_id - self.id]
        if reported.quantity_unit:
            return amount * reported.quantity_unit
        return in_smallest(quantity_of(reported.texts[amount]))

    def properties(self, event_id: int) -> str:
        return self.reported.texts[self.reported.properties[event_id - self.id]]

    def instant(self, event_id: int) -> int:
        reported = self.reported
        return self.occurred_from + reported.unit * reported.occurred[event_id - self.id]
