"""Where a subscription's billing periods begin: arithmetic on the anchor, nothing stored."""

from calendar import monthrange
from datetime import UTC, datetime

_SECONDS = {"day": 86_400, "week": 7 * 86_400}
_MONTHS = {"month": 1, "year": 12}
INTERVALS = frozenset(_SECONDS | _MONTHS)


def boundary(anchor: int, interval: str, count: int, index: int) -> int:
    """The start of the period `index` periods after the anchor's own.

    Always computed from the anchor, so that a 31st comes back after February.
    """
    if interval in _SECONDS:
        return anchor + index * count * _SECONDS[interval]
    first = datetime.fromtimestamp(anchor, UTC)
    months = first.year * 12 + first.month - 1 + index * count * _MONTHS[interval]
    year, month = divmod(months, 12)
    day = min(first.day, monthrange(year, month + 1)[1])
    return int(first.replace(year=year, month=month + 1, day=day).timestamp())


def period_at(anchor: int, interval: str, count: int, at: int) -> tuple[int, int]:
    """The half-open period that contains the second `at`."""
    shortest = count * (_SECONDS.get(interval) or _MONTHS[interval] * 28 * 86_400)
    longest = count * (_SECONDS.get(interval) or _MONTHS[interval] * 31 * 86_400)
    index = (at - anchor) // (longest if at >= anchor else shortest)
    while boundary(anchor, interval, count, index + 1) <= at:
        index += 1
    start = boundary(anchor, interval, count, index)
    return start, boundary(anchor, interval, count, index + 1)
