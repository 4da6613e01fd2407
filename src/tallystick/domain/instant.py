"""Instants are integers: microseconds since 1970-01-01T00:00:00Z. Text is RFC 3339."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

MICROSECOND: Final = 1
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ]((?:[01]\d|2[0-3]):\d{2}):(\d{2})(?:\.(\d{1,9}))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)

_FRACTION: Final = re.compile(r"\.\d{1,9}", re.ASCII)
_TO_MINUTE: Final = len("2026-01-31T10:00:")
_TO_SECOND: Final = len("2026-01-31T10:00:00")
_SECONDS: Final = MappingProxyType({f"{second:02d}": second * SECOND for second in range(60)})

EARLIEST: Final = -62_135_596_800 * SECOND
"""0001-01-01T00:00:00Z: before every event."""

LATEST: Final = 253_402_300_799 * SECOND
"""9999-12-31T23:59:59Z: after every event."""


def parse_instant(text: str) -> int:
    """The instant that an RFC 3339 text names, cut to the microsecond.

    Raises ValueError for a text without an offset (naive), or one that names no real instant.
    """
    minute_start = _utc_minute(text[:_TO_MINUTE]) if text[-1:] == "Z" else None
    second = _SECONDS.get(text[_TO_MINUTE:_TO_SECOND])
    if minute_start is not None and second is not None:
        fraction = text[_TO_SECOND:-1]
        if not fraction:
            return minute_start + second
        if _FRACTION.fullmatch(fraction):
            return minute_start + second + int(fraction[1:7].ljust(6, "0"))
    return _parsed(text)


@lru_cache(maxsize=4096)
def _utc_minute(opening: str) -> int | None:
    """The start of the minute that `2026-01-31T10:00:` begins; None where it is none, or the
    calendar's last."""
    try:
        start = _parsed(f"{opening}00Z") if len(opening) == _TO_MINUTE else LATEST
    except ValueError:
        return None
    return start if start + MINUTE <= LATEST else None


def _parsed(text: str) -> int:
    match = _RFC3339.fullmatch(text) if len(text) <= 64 else None
    if match is None:
        raise ValueError("not an RFC 3339 time with an offset, such as 2026-01-31T10:00:00Z")
    day, minute, second, fraction, offset = match.groups()
    try:
        instant = _minute(day, minute, offset) + _second(second)
    except ValueError as error:
        raise ValueError(f"no such time: {error}") from error
    if fraction:
        instant += int(fraction.ljust(6, "0")[:6])
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("no such time: in UTC it lies outside the years 1 to 9999")
    return instant


# Most of the work is in the date and the offset, and events come by the thousand within a minute.
@lru_cache(maxsize=4096)
def _minute(day: str, minute: str, offset: str) -> int:
    zone = "+00:00" if offset in "Zz" else offset
    return to_instant(datetime.fromisoformat(f"{day}T{minute}{zone}"))


def _second(second: str) -> int:
    if second > "59":
        raise ValueError("second must be in 0..59")
    return int(second) * SECOND


def format_instant(instant: int) -> str:
    """RFC 3339 in UTC; the fraction only where there is one."""
    text = to_datetime(instant).isoformat(timespec="seconds")[:19]
    fraction = instant % SECOND
    return f"{text}.{fraction:06d}Z" if fraction else f"{text}Z"


def to_datetime(instant: int) -> datetime:
    return _EPOCH + timedelta(microseconds=instant)


def to_instant(moment: datetime) -> int:
    """The instant of an aware datetime; ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset names no instant")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def floor_hour(instant: int) -> int:
    """The start of the UTC hour that holds `instant`."""
    return instant - instant % HOUR
