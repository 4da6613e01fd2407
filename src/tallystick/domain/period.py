"""Billing periods: an anchor and an interval, computed in UTC from the original anchor.

Providers bill by UTC instants, so a period starts at an arbitrary second of UTC and not at the
tenant's midnight. Day 31 is the last day of a shorter month, and comes back in the next long one.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tallystick.domain.instant import DAY, EARLIEST, LATEST, to_datetime, to_instant
from tallystick.domain.window import Window


class Unit(StrEnum):
    """What an interval counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Interval:
    """`count` units: every 3 months is Interval(Unit.MONTH, 3)."""

    unit: Unit = Unit.MONTH
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 120:
            raise ValueError("an interval counts 1 to 120 units")

    def __str__(self) -> str:
        return str(self.unit) if self.count == 1 else f"{self.count} {self.unit}s"


def parse_interval(text: str) -> Interval:
    """'month', 'year', '3 months', '2 weeks'. Raises ValueError."""
    match = re.fullmatch(r"(?:(\d{1,3})\s+)?(day|week|month|year)s?", text.strip().lower())
    if match is None:
        raise ValueError("an interval is day, week, month or year, or a number of them: '3 months'")
    return Interval(Unit(match[2]), int(match[1] or 1))


def boundary(anchor: int, interval: Interval, steps: int) -> int:
    """The instant `steps` intervals after the anchor (before it, when negative)."""
    count = steps * interval.count
    if interval.unit is Unit.DAY:
        return anchor + count * DAY
    if interval.unit is Unit.WEEK:
        return anchor + count * 7 * DAY
    return _add_months(anchor, count * (12 if interval.unit is Unit.YEAR else 1))


def _add_months(anchor: int, months: int) -> int:
    moment = to_datetime(anchor)
    years, month0 = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if years < 1:
        return EARLIEST
    if years > 9998:
        return LATEST
    day = min(moment.day, monthrange(years, month0 + 1)[1])
    return to_instant(moment.replace(year=years, month=month0 + 1, day=day))


def period_containing(anchor: int, interval: Interval, at: int) -> Window:
    """The billing period that holds `at`, which must be one of EARLIEST <= at < LATEST."""
    if not EARLIEST <= at < LATEST:
        raise ValueError(f"no billing period holds the instant {at}")
    steps = _steps_guess(to_datetime(anchor), interval, to_datetime(at))
    while boundary(anchor, interval, steps) > at:
        steps -= 1
    while boundary(anchor, interval, steps + 1) <= at:
        steps += 1
    return Window(boundary(anchor, interval, steps), boundary(anchor, interval, steps + 1))


def _steps_guess(anchor: datetime, interval: Interval, at: datetime) -> int:
    """Near the right number of steps; the caller walks the rest."""
    if interval.unit in (Unit.DAY, Unit.WEEK):
        days = interval.count * (7 if interval.unit is Unit.WEEK else 1)
        return (at - anchor).days // days
    months = interval.count * (12 if interval.unit is Unit.YEAR else 1)
    return ((at.year - anchor.year) * 12 + at.month - anchor.month) // months
