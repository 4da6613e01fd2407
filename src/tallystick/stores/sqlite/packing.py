"""Columns of a segment: whole numbers, and texts that are mostly random, in few bytes, and so that
one of them is read without the others."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final

_HEX: Final = frozenset("0123456789abcdef")
_CODES: Final = "bhiq"
"""Whole numbers of 1, 2, 4 and 8 bytes, as `array` names them."""


if TYPE_CHECKING:
    _Integers = array[int]
else:
    _Integers = array  # which takes no parameter before Python 3.12


class Column(_Integers):
    """Whole numbers side by side, so that one of them is read without all others."""


def column(values: Iterable[int]) -> Column:
    return Column("q", values)


def column_bytes(values: Column) -> bytes:
    """The numbers in as few bytes each as the largest needs, the lowest byte first."""
    low, high = min(values, default=0), max(values, default=0)
    size = max((low + (low < 0)).bit_length(), high.bit_length()) // 8
    code = _CODES[size.bit_length()]
    narrow = array(code, values)
    if sys.byteorder == "big":
        narrow.byteswap()
    return code.encode() + narrow.tobytes()


def column_of(packed: bytes) -> Column:
    """What `column_bytes` was given."""
    found = Column(chr(packed[0]), packed[1:])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def common_prefix(keys: Sequence[str]) -> str:
    """What all begin with: where the first and the last of them agree, the others do too."""
    first, last = min(keys), max(keys)
    if first == last:
        return first
    agree = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: sum(1 for _ in agree)]


def hex_bytes(texts: Sequence[str], size: int) -> bytes | None:
    """The bytes that the texts are the hex digits of, where each is of so many bytes."""
    joined = "".join(texts)
    if set(map(len, texts)) != {2 * size} or not _HEX.issuperset(joined):
        return None
    return bytes.fromhex(joined)


def dashes_of(texts: Sequence[str]) -> tuple[int, ...] | None:
    """Where each text has a dash, if all are pairs of hex digits but for that: as UUIDs are, with
    or without a beginning that all have."""
    first = texts[0]
    length = len(first)
    dashes = tuple(place for place, one in enumerate(first) if one == "-")
    if not length or set(map(len, texts)) != {length} or (length - len(dashes)) % 2:
        return None
    joined = "".join(texts)
    if any(set(joined[place::length]) != {"-"} for place in dashes):
        return None
    digits = joined.replace("-", "")
    is_hex = _HEX.issuperset(digits) and len(digits) == (length - len(dashes)) * len(texts)
    return dashes if is_hex else None


def dashed_bytes(texts: Sequence[str]) -> bytes:
    """The bytes that the digits of such texts stand for."""
    return bytes.fromhex("".join(texts).replace("-", ""))


def dashed_text(packed: bytes, dashes: Sequence[int]) -> str:
    """One of them again."""
    digits, found, start = packed.hex(), [], 0
    for nth, place in enumerate(dashes):
        found.append(digits[start : place - nth])
        start = place - nth
    return "-".join((*found, digits[start:]))
