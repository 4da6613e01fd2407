"""Columns of a segment: whole numbers, and texts that are mostly random, in few bytes, and so that
one of them is read without the others."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Final

_CODES: Final = "bhiq"
"""Whole numbers of 1, 2, 4 and 8 bytes, as `array` names them."""

_SIZES: Final = (1, 2, 4, 8)
_SIGNS: Final = bytes(128) + b"\xff" * 128
"""What stands above a byte that is the upper one of a number."""


if TYPE_CHECKING:
    _Integers = array[int]
else:
    _Integers = array  # which takes no parameter before Python 3.12


class Column(_Integers):
    """Whole numbers side by side, so that one of them is read without all others."""


def column(values: Iterable[int]) -> Column:
    return Column("q", values)


def column_of_one(value: int, count: int) -> Column:
    """The same number (0 to 127) so often."""
    return Column("b", bytes([value]) * count)


def column_bytes(values: Column) -> bytes:
    """The numbers in as few bytes each as the largest needs, the lowest byte first."""
    if sys.byteorder == "big":
        values = Column(values.typecode, values)
        values.byteswap()
    wide, size = values.tobytes(), values.itemsize
    for code, narrow in zip(_CODES, _SIZES, strict=True):
        if narrow >= size:
            break
        if _fits(wide, size, narrow):
            return code.encode() + _narrowed(wide, size, narrow)
    return values.typecode.encode() + wide


def _fits(wide: bytes, size: int, narrow: int) -> bool:
    """Whether each number's upper bytes only repeat the sign of its lower ones."""
    sign = wide[narrow - 1 :: size]
    if sign.isascii():
        return not any(wide[nth::size].strip(b"\0") for nth in range(narrow, size))
    rest = sign.translate(_SIGNS)
    return all(wide[nth::size] == rest for nth in range(narrow, size))


def _narrowed(wide: bytes, size: int, narrow: int) -> bytes:
    """The lower bytes of each: by slices, which take no time for each number."""
    found = bytearray(len(wide) // size * narrow)
    for nth in range(narrow):
        found[nth::narrow] = wide[nth::size]
    return bytes(found)


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
    return _digits("".join(texts)) if set(map(len, texts)) == {2 * size} else None


def _digits(text: str) -> bytes | None:
    """The bytes that these hex digits stand for; None where they are not all they seem, as
    upper-case ones and spaces are not."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if found.hex() == text else None


def dashed_bytes(texts: Sequence[str]) -> tuple[bytes, tuple[int, ...]] | None:
    """(bytes, dashes): what the hex digits of all texts stand for, and where each has a dash; None
    if they are not all of one form, as UUIDs are, with or without a beginning that all have."""
    first = texts[0]
    length = len(first)
    dashes = tuple(place for place, one in enumerate(first) if one == "-")
    if not length or set(map(len, texts)) != {length} or (length - len(dashes)) % 2:
        return None
    joined = "".join(texts)
    if any(set(joined[place::length]) != {"-"} for place in dashes):
        return None
    digits = joined.replace("-", "") if dashes else joined
    if len(digits) != (length - len(dashes)) * len(texts):
        return None
    packed = _digits(digits)
    return None if packed is None else (packed, dashes)


def dashed_text(packed: bytes, dashes: Sequence[int]) -> str:
    """One of them again."""
    digits, found, start = packed.hex(), [], 0
    for nth, place in enumerate(dashes):
        found.append(digits[start : place - nth])
        start = place - nth
    return "-".join((*found, digits[start:]))
