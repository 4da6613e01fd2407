"""Values of the domain as JSON text, and back. Numbers that are quantities travel as text.

What comes back is equal to what was packed: exact decimals, tuples, enumerations. JSON in ASCII
keeps every character that a report can hold, half a surrogate pair included.
"""

import json
from typing import Any, TypeVar

import msgspec

from tallystick.domain.errors import InvariantViolated

T = TypeVar("T")


def packed(value: object) -> str:
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def unpacked(text: object, kind: type[T]) -> T:
    return msgspec.convert(json.loads(str(text)), kind)


def row(text: object) -> list[Any]:
    """What was packed as a list; of lists, where it has rows."""
    found = json.loads(str(text))
    if not isinstance(found, list):
        raise InvariantViolated(f"no row: {text}")
    return found
