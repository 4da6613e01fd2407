"""From the arguments of `record` to the bytes that are sent, the same ones on every attempt.

An event is encoded once, with its key and its time in it. So a retry, a restart and a spool can
change nothing about it, and the service sees the same key and the same content each time.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Final

from tallystick.client.limits import EVENT_BYTES_MAX
from tallystick.domain.event import KEY_LENGTH_MAX, canonical_json
from tallystick.domain.instant import SECOND, format_instant, to_instant
from tallystick.domain.quantity import WHOLE_DIGITS_MAX, format_quantity, parse_quantity

KEY_RANDOM_BYTES: Final = 10

_WHOLE_MAX: Final = 10**WHOLE_DIGITS_MAX
_NANOSECONDS_PER_MICROSECOND: Final = 1_000
_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000


class Unrecordable(ValueError):
    """These arguments are no event that can ever be counted; the text says why."""


def key_from(now: int, random_bytes: bytes) -> str:
    """32 hex digits: the milliseconds since 1970 (of `now` in nanoseconds), then 80 random bits.

    Only the random bits make it unique; the time in front keeps neighbours together in an index.
    """
    return f"{now // _NANOSECONDS_PER_MILLISECOND & 0xFFFFFFFFFFFF:012x}{random_bytes.hex()}"


def encode_event(
    *,
    tenant: str,
    meter: str,
    quantity: int | Decimal | str,
    at: datetime | None,
    key: str,
    dimensions: Mapping[str, object] | None,
    now: int,
) -> bytes:
    """The event as JSON on one line, in the plain form of the HTTP API. Raises Unrecordable.

    `now` is in nanoseconds since 1970, and is when it occurred where `at` is None.
    """
    text = (
        f'{{"tenant":{_text("tenant", tenant)},"code":{_text("meter", meter)}'
        f',"key":{_text("key", key)},"quantity":"{_quantity(quantity)}"'
        f",{_time(at, now)}{_properties(dimensions)}}}"
    )
    if len(key) > KEY_LENGTH_MAX:
        raise Unrecordable(f"key has {len(key)} characters; at most {KEY_LENGTH_MAX} are kept")
    return _checked_bytes(text)


def _text(name: str, found: object) -> str:
    if not isinstance(found, str):
        raise Unrecordable(f"{name} must be a text, not {type(found).__name__}")
    if not found:
        raise Unrecordable(f"{name} is empty")
    return quoted(found)


def _quantity(found: object) -> str:
    if type(found) is int and -_WHOLE_MAX < found < _WHOLE_MAX:
        return str(found)
    if isinstance(found, float):
        raise Unrecordable(
            f"quantity {found!r} is a float, which holds most decimals only nearly; "
            "give an int, a Decimal or a decimal text"
        )
    try:
        return format_quantity(parse_quantity(found))
    except ValueError as error:
        raise Unrecordable(f"quantity {error}") from error


def _time(at: object, now: int) -> str:
    """When it occurred, where the caller says so; else when it was recorded, which is no part of
    the event's identity: a caller who records the same key twice means the same event."""
    if at is None:
        microseconds = now // _NANOSECONDS_PER_MICROSECOND
        text = f"{_second(microseconds // SECOND)}.{microseconds % SECOND:06}Z"
        return f'"recorded_at":"{text}"'
    if not isinstance(at, datetime):
        raise Unrecordable(f"at must be a datetime, not {type(at).__name__}")
    try:
        return f'"occurred_at":"{format_instant(to_instant(at))}"'
    except (ValueError, OverflowError) as error:
        raise Unrecordable(f"at cannot be used: {error}; give a datetime with a zone") from error


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """The time without its fraction and its Z: most events share it with the one before."""
    return format_instant(seconds * SECOND).removesuffix("Z")


def _properties(dimensions: Mapping[str, object] | None) -> str:
    if not dimensions:
        return ""
    if not isinstance(dimensions, Mapping):
        raise Unrecordable(f"dimensions must be a mapping, not {type(dimensions).__name__}")
    try:
        members = [f"{quoted(name)}:{canonical_json(value)}" for name, value in dimensions.items()]
    except (TypeError, ValueError, RuntimeError) as error:
        raise Unrecordable(f"dimensions cannot be kept exactly: {error}") from error
    return f',"properties":{{{",".join(members)}}}'


def _checked_bytes(text: str) -> bytes:
    try:
        line = text.encode()
    except UnicodeEncodeError as error:
        raise Unrecordable("a text holds half of a surrogate pair") from error
    if len(line) > EVENT_BYTES_MAX:
        raise Unrecordable(f"the event has {len(line)} bytes; at most {EVENT_BYTES_MAX} are sent")
    return line
