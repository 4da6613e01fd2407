"""The columns of a segment: what stands in them, and as which bytes."""

import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from tallystick.domain.instant import SECOND
from tallystick.stores.sqlite.packing import (
    Column,
    column,
    column_bytes,
    column_of,
    common_prefix,
    dashed_bytes,
    dashes_of,
)

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
    """So many units (in microseconds) after the segment's first instant."""


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
    quantities: Sequence[str]
    properties: Sequence[str]
    occurred: Sequence[int]


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
    unit = next(unit for unit in UNITS if not any(one % unit for one in later))
    return Reported(
        tenant_ids=column(columns.tenant_ids),
        prefix=prefix,
        rests=rests,
        dashes=dashes,
        fingerprints=fingerprints,
        codes=column(map(texts.__getitem__, columns.codes)),
        quantities=column(map(texts.__getitem__, columns.quantities)),
        properties=column(map(texts.__getitem__, columns.properties)),
        unit=unit,
        occurred=column(later if unit == 1 else [one // unit for one in later]),
        texts=list(texts),
    )


def _keys(keys: Sequence[str]) -> tuple[str, list[str] | bytes, list[int]]:
    """(prefix, rests, dashes): with as much of the keys' beginning as leaves whole bytes of digits,
    where digits are all that is left."""
    whole = common_prefix(keys)
    for prefix in (whole, whole[:-1]):
        rests = [key[len(prefix) :] for key in keys]
        dashes = dashes_of(rests)
        if dashes is not None:
            return prefix, dashed_bytes(rests), list(dashes)
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
