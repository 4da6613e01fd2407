"""The columns of a segment: what stands in them, and as which bytes."""

import zlib
from collections.abc import Sequence
from math import gcd
from typing import Final, NamedTuple

import msgspec

from tallystick.domain.instant import SECOND
from tallystick.domain.quantity import from_smallest
from tallystick.domain.sheet import unit_of
from tallystick.stores.sqlite.packing import (
    Column,
    column,
    column_bytes,
    column_of,
    common_prefix,
    dashed_bytes,
)
from tallystick.stores.sqlite.rows import text_of

COMPRESSION: Final = 1
COMPRESSED_FROM: Final = 1_024
"""Fewer bytes are quicker left as they are, and are packed when their segment is gathered."""

ZLIB: Final = 0x78
"""The first byte of what is compressed; no column begins with it."""

UNITS: Final = (SECOND, SECOND // 1_000, 1)
"""Instants are counted in the largest of these that all of them are whole numbers of."""


class Reported(msgspec.Struct, frozen=True, array_like=True):
    """What was reported of each event: by whom, under which key, and what it says. Texts that
    repeat stand in `texts` once, and columns hold their places."""

    tenant_ids: Column
    prefix: str
    """What all keys begin with."""
    rests: list[str] | bytes
    """What follows; the bytes of hex digits, where nothing else does but `dashes`."""
    dashes: list[int]
    fingerprints: list[str] | None
    """Only where one is no hash of the usual form; else they are in a column of their own. That is
    empty where each event tells its own, since all that it holds was sent."""
    texts: list[str]
    codes: Column
    quantities: Column
    properties: Column
    unit: int
    occurred: Column
    """So many units (in microseconds) after the part's first instant."""
    quantity_unit: int
    """`quantities` holds so many times this of the smallest quantities; 0 where some need more than
    63 bits, and it holds places of texts."""


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
    """The other columns, with texts of their own."""

    texts: list[str]
    received: Column
    """The first event's instant, then each event's distance from it; nothing follows where all
    were received at once."""
    voids: dict[int, str]
    """By the event's place in the segment."""
    series: list[Series]
    changes: Column
    """How many each event made; the other columns about changes are in the order of events."""
    change_series: Column
    change_value: Column
    """0 is the quantity of its event; any other is a place in `texts`, plus one."""
    change_member: Column
    differs: dict[int, str]
    """By the change's place."""


class Columns(NamedTuple):
    """What `Reported` is made from: of each event an element."""

    tenant_ids: Sequence[int]
    keys: Sequence[str]
    fingerprints: list[str] | None
    """None where each event tells its own."""
    codes: Sequence[str]
    unit: int
    amounts: Sequence[int]
    """Each quantity is so many times `unit` of the smallest quantities."""
    properties: Sequence[str]
    occurred: Sequence[int]

    def only(self, start: int, stop: int) -> "Columns":
        """The same of the events from and to below these places."""
        told, some = self.fingerprints, slice(start, stop)
        return Columns(
            self.tenant_ids[some],
            self.keys[some],
            None if told is None else told[some],
            self.codes[some],
            self.unit,
            self.amounts[some],
            self.properties[some],
            self.occurred[some],
        )


class Texts(dict[str, int]):
    """Texts by the order in which they came."""

    def __missing__(self, text: str) -> int:
        place = self[text] = len(self)
        return place


_REPORTED: Final = msgspec.msgpack.Decoder(Reported, dec_hook=lambda _, packed: column_of(packed))
_BODY: Final = msgspec.msgpack.Decoder(Body, dec_hook=lambda _, packed: column_of(packed))
_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=column_bytes)


def reported_of(columns: Columns, since: int, fingerprints: list[str] | None) -> Reported:
    """The columns of what was reported; `fingerprints` where they need one here."""
    texts = Texts()
    prefix, rests, dashes = _keys(columns.keys)
    later = [occurred - since for occurred in columns.occurred]
    common = gcd(*later)
    unit = next(unit for unit in UNITS if common % unit == 0)
    quantity_unit, quantities = _quantities(columns, texts)
    return Reported(
        tenant_ids=column(columns.tenant_ids),
        prefix=prefix,
        rests=rests,
        dashes=dashes,
        fingerprints=fingerprints,
        codes=column(map(texts.__getitem__, columns.codes)),
        quantities=quantities,
        properties=column(map(texts.__getitem__, columns.properties)),
        unit=unit,
        occurred=column(later if unit == 1 else [one // unit for one in later]),
        texts=list(texts),
        quantity_unit=quantity_unit,
    )


def _quantities(columns: Columns, texts: Texts) -> tuple[int, Column]:
    """As whole numbers of a unit; 0 and as texts, where one of them has too many bits."""
    try:
        return columns.unit, column(columns.amounts)
    except OverflowError:
        each = [text_of(from_smallest(amount * columns.unit)) for amount in columns.amounts]
        return 0, column(map(texts.__getitem__, each))


def in_units(smallest: Sequence[int]) -> tuple[int, list[int]]:
    """(unit, amounts) of so many smallest quantities."""
    unit = unit_of(smallest)
    return unit, [one // unit for one in smallest]


def _keys(keys: Sequence[str]) -> tuple[str, list[str] | bytes, list[int]]:
    """(prefix, rests, dashes): with as much of the keys' beginning as leaves whole bytes of digits,
    where digits are all that is left."""
    whole = common_prefix(keys)
    for prefix in (whole, whole[:-1]):
        rests = [key[len(prefix) :] for key in keys]
        found = dashed_bytes(rests)
        if found is not None:
            packed, dashes = found
            return prefix, packed, list(dashes)
    return whole, [key[len(whole) :] for key in keys], []


def pack_reported(reported: Reported) -> bytes:
    """Digits are random, and take no fewer bytes; and so one is read without the others. In texts
    that are mostly random, looking for repetitions takes longer, and finds worse than none."""
    plain = _ENCODER.encode(reported)
    return plain if isinstance(reported.rests, bytes) else _packed(plain, zlib.Z_HUFFMAN_ONLY)


def pack_body(body: Body) -> bytes:
    return _packed(_ENCODER.encode(body), zlib.Z_DEFAULT_STRATEGY)


def _packed(plain: bytes, strategy: int) -> bytes:
    if len(plain) < COMPRESSED_FROM:
        return plain
    packing = zlib.compressobj(COMPRESSION, strategy=strategy)
    return packing.compress(plain) + packing.flush()


def unpack_reported(packed: bytes) -> Reported:
    return _REPORTED.decode(_plain(packed))


def unpack_body(packed: bytes) -> Body:
    return _BODY.decode(_plain(packed))


def _plain(packed: bytes) -> bytes:
    return zlib.decompress(packed) if packed[0] == ZLIB else packed
