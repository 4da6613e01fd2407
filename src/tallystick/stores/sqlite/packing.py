"""Texts that are mostly random, in as few bytes as their randomness needs."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

UUID_BYTES: Final = 16
DASHES: Final = (8, 13, 18, 23)
_HEX: Final = frozenset("0123456789abcdef")


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


def uuid_bytes(texts: Sequence[str]) -> bytes | None:
    """The bytes of UUIDs, where all are written as RFC 9562 does, in lower case."""
    length = 2 * UUID_BYTES + len(DASHES)
    if set(map(len, texts)) != {length}:
        return None
    joined = "".join(texts)
    if any(set(joined[place::length]) != {"-"} for place in DASHES):
        return None
    digits = joined.replace("-", "")
    if len(digits) != 2 * UUID_BYTES * len(texts) or not _HEX.issuperset(digits):
        return None
    return bytes.fromhex(digits)


def uuid_texts(packed: bytes) -> list[str]:
    """What `uuid_bytes` was given."""
    digits = packed.hex()
    starts = range(0, len(digits), 2 * UUID_BYTES)
    return [_dashed(digits[start : start + 2 * UUID_BYTES]) for start in starts]


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
