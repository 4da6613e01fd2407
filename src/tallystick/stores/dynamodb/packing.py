"""Values of the domain as JSON text, and back. Numbers that are quantities travel as text.

What comes back is equal to what was packed: exact decimals, tuples, enumerations. Half a surrogate
pair has no bytes in UTF-8: a text that holds one is kept as JSON in ASCII, which is longer.

By the standard library alone, so that the store needs nothing but boto3: a script that changes the
catalog can be run where Tallystick is not installed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tallystick.domain.errors import InvariantViolated

T = TypeVar("T")
Read = Callable[[Any], Any]


def packed(value: object) -> str:
    told = _told(value)
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
    wanted: Any = kind
    found: T = _reader(wanted)(json.loads(str(text)))
    return found


def row(text: object) -> list[Any]:
    """What was packed as a list; of lists, where it has rows."""
    found = json.loads(str(text))
    if not isinstance(found, list):
        raise InvariantViolated(f"no row: {text}")
    return found


def _told(value: object) -> object:
    """What JSON has for the value: objects by their fields' names, decimals as text."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _told(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(each) for each in value]
    kind: Any = type(value)
    return {name: _told(getattr(value, name)) for name in _names(kind)}


@cache
def _names(kind: Any) -> tuple[str, ...]:  # noqa: ANN401  # the class of a dataclass
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> Read:  # noqa: ANN401  # a type, or an annotation such as X | None
    """What makes a value of the kind again out of what JSON has for it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (present,) = (each for each in inner if each is not NoneType)
        read = _reader(present)
        return lambda told: None if told is None else read(told)
    if origin is tuple:
        return _tuple_reader(inner)
    if origin is not None and issubclass(origin, Mapping):
        key, value = map(_reader, inner)
        return lambda told: {key(name): value(each) for name, each in told.items()}
    if is_dataclass(kind):
        return _object_reader(kind)
    return kind if issubclass(kind, Enum | Decimal) else _as_it_is


def _tuple_reader(inner: tuple[Any, ...]) -> Read:
    if inner[-1] is Ellipsis:
        each = _reader(inner[0])
        return lambda told: tuple(map(each, told))
    readers = tuple(map(_reader, inner))
    return lambda told: tuple(read(each) for read, each in zip(readers, told, strict=True))


def _object_reader(kind: Any) -> Read:  # noqa: ANN401  # the class of a dataclass
    """Fields that a row of an older version lacks take their defaults."""
    hints = get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in _names(kind)}
    return lambda told: kind(
        **{name: read(told[name]) for name, read in readers.items() if name in told}
    )


def _as_it_is(told: Any) -> Any:  # noqa: ANN401  # a text, a whole number, true or false
    return told
