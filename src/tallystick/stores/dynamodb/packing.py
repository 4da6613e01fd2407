"""Values of the domain as JSON text, and back. Numbers that are quantities travel as text.

What comes back is equal to what was packed: exact decimals, tuples, enumerations. Half a surrogate
pair has no bytes in UTF-8: a text that holds one is kept as JSON in ASCII, which is longer.
"""

import json
from typing import Any, TypeVar

import msgspec

from tallystick.domain.errors import InvariantViolated

T = TypeVar("T")


def packed(value: object) -> str:
    told = msgspec.to_builtins(value)
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(told, separators=(",", ":"))
    return text


def packed_bytes_max(*texts: str) -> int:
    """No fewer bytes than the texts take when they are packed: each character's, and an escape."""
    return sum(len(text) * (2 if text.isascii() else 8) for text in texts)


def unpacked(text: object, kind: type[T]) -> T:
    return msgspec.convert(json.loads(str(text)), kind)


def row(text: object) -> list[Any]:
    """What was packed as a list; of lists, where it has rows."""
    found = json.loads(str(text))
    if not isinstance(found, list):
        raise InvariantViolated(f"no row: {text}")
    return found
