"""A tenant: who is billed. Its terms (time zone, billing period) are versioned.

New terms take effect at the start of the tenant's next billing period, so that no window is ever
cut in two ways. Windows are UTC hours, cut at the tenant's local midnight and at its period's
start: a window never straddles a day or a bill.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import DAY, EARLIEST, HOUR, LATEST, SECOND, floor_hour, to_datetime
from tallystick.domain.instant import to_instant as instant_of
from tallystick.domain.period import Interval, period_containing
from tallystick.domain.window import Window

NAME_LENGTH_MAX: Final = 255

_CALENDAR: Final = Window(EARLIEST + 3 * DAY, LATEST + SECOND - 3 * DAY)


class Calendar(Protocol):
    """What cuts a tenant's time: the tenant itself, or something that remembers its windows."""

    def period_at(self, at: int) -> Window: ...

    def day_at(self, at: int) -> Window: ...

    def hour_at(self, at: int) -> Window: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a tenant's time is cut, from `effective_from` until the next version takes over."""

    zone: str = "UTC"
    anchor: int = 0
    interval: Interval = Interval()
    effective_from: int = EARLIEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """`versions` are in the order of `effective_from`; the first holds since ever."""

    id: str
    name: str = ""
    versions: tuple[Terms, ...] = (Terms(),)

    def terms_at(self, at: int) -> Terms:
        """The terms in force at `at`."""
        for terms in reversed(self.versions):
            if terms.effective_from <= at:
                return terms
        return self.versions[0]

    def period_at(self, at: int) -> Window:
        """The billing period that holds `at`, cut where other terms take over."""
        index = max(i for i, t in enumerate(self.versions) if i == 0 or t.effective_from <= at)
        terms = self.versions[index]
        until = (
            self.versions[index + 1].effective_from if index + 1 < len(self.versions) else LATEST
        )
        in_force = Window(terms.effective_from, until)
        return period_containing(terms.anchor, terms.interval, at).cut_to(in_force)

    def day_at(self, at: int) -> Window:
        """The tenant's local day that holds `at`, cut at its billing period's ends."""
        return local_day(self.terms_at(at).zone, at).cut_to(self.period_at(at))

    def hour_at(self, at: int) -> Window:
        """The UTC hour that holds `at`, cut at local midnight and at the period's ends."""
        return hour_within(self.day_at(at), at)


def hour_within(day: Window, at: int) -> Window:
    """The UTC hour that holds `at`, cut to its day, which a billing period may have cut."""
    start = floor_hour(at)
    return Window(start, start + HOUR).cut_to(day)


def with_terms(tenant: Tenant, terms: Terms, now: int) -> Tenant:
    """The tenant with new terms from the start of its next billing period.

    Terms that wait for the same period are replaced. The same terms again change nothing.
    """
    current = tenant.terms_at(now)
    if replace(terms, effective_from=current.effective_from) == current:
        kept = tuple(v for v in tenant.versions if v.effective_from <= now)
        return replace(tenant, versions=kept or tenant.versions[:1])
    starts = replace(tenant, versions=_until(tenant, now)).period_at(now).end
    return replace(tenant, versions=(*_until(tenant, now), replace(terms, effective_from=starts)))


def _until(tenant: Tenant, now: int) -> tuple[Terms, ...]:
    return tuple(v for i, v in enumerate(tenant.versions) if i == 0 or v.effective_from <= now)


def check_zone(zone: str) -> str:
    """The zone's name if it is an IANA zone; InvalidSetting says so otherwise."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting(
            f"time zone {zone!r} is not an IANA zone; use a name such as Europe/Berlin or UTC"
        ) from error
    return zone


def check_name(kind: str, name: str) -> str:
    """A tenant's, meter's or code's name if it can be one: 1 to 255 printable characters."""
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable() or name != name.strip():
        raise InvalidSetting(
            f"{kind} {name[:40]!r} must be 1 to {NAME_LENGTH_MAX} printable characters "
            "without blanks at its ends"
        )
    return name


def local_day(zone: str, at: int) -> Window:
    """[local midnight, next local midnight) around `at`, in a zone.

    Where a change of clocks skips midnight the day starts when midnight would have come by the old
    clock; where it repeats midnight, with the first. The days of a zone always partition time:
    each starts where the one before it ends. At the calendar's two ends, where a zone's date may
    lie outside it, a day is UTC's.
    """
    if not _CALENDAR.contains(at):
        start = at - at % DAY
        return Window(start, start + DAY)
    local = to_datetime(at).astimezone(ZoneInfo(zone)).date()
    while day_start(zone, local) > at:
        local -= timedelta(days=1)
    while (end := day_start(zone, local + timedelta(days=1))) <= at:
        local += timedelta(days=1)
    return Window(day_start(zone, local), end).cut_to(_CALENDAR)


@lru_cache(maxsize=8192)
def day_start(zone: str, day: date) -> int:
    """The instant of local midnight; in a gap, by the clock before it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone), fold=0)
    return instant_of(midnight)
