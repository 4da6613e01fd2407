"""The oracle's own calendar: cuts of time found by looking, not by the product's arithmetic.

A local day begins where the date of one quarter of an hour differs from that of the quarter
before; a billing period is counted in calendar months from its anchor.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.window import Window

MICROSECOND: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER: Final = 15 * MINUTE


def instant(*when: int) -> int:
    """The instant of a UTC date and time: year, month, day, hour …."""
    return (datetime(*when, tzinfo=UTC) - EPOCH) // MICROSECOND  # type: ignore[misc,arg-type]


@cache
def _dates(zone: str, day: int) -> tuple[int, ...]:
    """Where a local date begins within a UTC day, in quarters of an hour."""
    tz, found = ZoneInfo(zone), []
    before = (EPOCH + (day * DAY - QUARTER) * MICROSECOND).astimezone(tz).date()
    for at in range(day * DAY, (day + 1) * DAY, QUARTER):
        date = (EPOCH + at * MICROSECOND).astimezone(tz).date()
        if date != before:
            found.append(at)
        before = date
    return tuple(found)


class Calendar:
    """One tenant's cuts of time. `unit` is day, week, month or year; the anchor any instant of UTC.

    `then` takes over at an instant, and cuts nothing before it.
    """

    def __init__(self, zone: str, anchor: int, unit: str) -> None:
        self.zone = zone
        self.anchor = anchor
        self.unit = unit
        self.then: tuple[int, Calendar] | None = None
        self._starts = sorted(set(self._period_starts()))

    def followed_by(self, other: "Calendar", since: int) -> "Calendar":
        """This calendar until `since`, which must be a period's start, and the other from then."""
        changed = Calendar(self.zone, self.anchor, self.unit)
        changed.then = (since, other)
        return changed

    def _later(self, span: str, at: int) -> Window | None:
        if self.then is None or at < self.then[0]:
            return None
        since, calendar = self.then
        found = calendar.window(span, at)
        return Window(max(found.start, since), found.end)

    def _period_starts(self) -> Iterator[int]:
        if self.unit in ("day", "week"):
            length = DAY if self.unit == "day" else 7 * DAY
            yield from (self.anchor + n * length for n in range(-600, 1200))
            return
        anchor = EPOCH + self.anchor * MICROSECOND
        step = 12 if self.unit == "year" else 1
        for n in range(-24 * step, 48 * step, step):
            years, month = divmod(anchor.year * 12 + anchor.month - 1 + n, 12)
            day = min(anchor.day, monthrange(years, month + 1)[1])
            start = anchor.replace(year=years, month=month + 1, day=day)
            yield (start - EPOCH) // MICROSECOND

    def period(self, at: int) -> Window:
        if later := self._later("period", at):
            return later
        place = bisect_right(self._starts, at)
        return Window(self._starts[place - 1], self._starts[place])

    def day(self, at: int) -> Window:
        """The local date, cut by the billing period."""
        if later := self._later("day", at):
            return later
        period = self.period(at)
        cuts = sorted(
            cut for day in range(at // DAY - 2, at // DAY + 3) for cut in _dates(self.zone, day)
        )
        place = bisect_right(cuts, at)
        return Window(max(cuts[place - 1], period.start), min(cuts[place], period.end))

    def hour(self, at: int) -> Window:
        """The UTC hour, cut by the local date and the billing period."""
        if later := self._later("hour", at):
            return later
        day, start = self.day(at), at - at % HOUR
        return Window(max(start, day.start), min(start + HOUR, day.end))

    def window(self, span: str, at: int) -> Window:
        return {"hour": self.hour, "day": self.day, "period": self.period}[span](at)
