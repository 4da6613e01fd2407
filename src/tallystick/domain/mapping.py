"""A mapping: which slot of which provider a tenant's meter is billed through, and since when.

Versions follow each other at hour boundaries. Windows before `publish_from` are counted and
reported, and never sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tallystick.domain.instant import EARLIEST, HOUR, floor_hour
from tallystick.domain.meter import WHOLE
from tallystick.domain.slot import Place, Route, place_for
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window

NO_MAPPING: Final = "no mapping"
BEFORE_PUBLISH_FROM: Final = "before publish_from"
BOUNDARY_HOUR: Final = "a billing period starts inside this UTC hour"
CLOSED: Final = "the slot is closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One version. `route` names the way; `destination` is `si_…` or `cus_…`; `counter` the
    provider's meter (an event name), empty where the destination says all.

    `boundary_hour` says what to do with an hourly slot in which a period starts: 'refuse' holds
    it, 'previous' and 'next' bill it wholly in one period. A version without a route is an end:
    usage of its windows is counted, and held as if there were no mapping.
    """

    tenant: str
    meter: str
    group: str = WHOLE
    route: str
    account: str = "default"
    destination: str
    counter: str = ""
    publish_from: int
    boundary_hour: str = "refuse"
    effective_from: int = EARLIEST

    @property
    def is_end(self) -> bool:
        return not self.route

    def opposes(self, other: "Mapping") -> bool:
        """Whether the two share slots and bill a cut hour in different periods: who shares a
        customer and a meter shares its slots, so a cut hour has one bill for all."""
        one = (self.route, self.account, self.destination, self.counter)
        another = (other.route, other.account, other.destination, other.counter)
        says = {self.boundary_hour, other.boundary_hour}
        return one == another and series_of(self) != series_of(other) and says == _OPPOSED


_OPPOSED: Final = frozenset({"previous", "next"})


def series_of(mapping: Mapping) -> tuple[str, str, str]:
    """(tenant, meter, group): what the versions that follow each other have in common."""
    return mapping.tenant, mapping.meter, mapping.group


def next_mapping(
    wanted: Mapping, known: Iterable[Mapping], now: int, *, keep_start: bool
) -> Mapping | None:
    """The version to save so that the series goes where `wanted` says; None where it does already.

    The first holds since ever, a later one from the next full hour, so that no slot is fed by two
    mappings. `keep_start`: `publish_from` stays what it was.
    """
    newest = _newest(wanted, known)
    if newest is None:
        return wanted
    if keep_start:
        wanted = replace(wanted, publish_from=newest.publish_from)
    if replace(wanted, effective_from=newest.effective_from) == newest:
        return None
    return replace(wanted, effective_from=_next_start(newest, now))


def end_of(newest: Mapping, now: int) -> Mapping | None:
    """The version that ends a series from the next full hour; None where it is ended already."""
    if newest.is_end:
        return None
    starts = _next_start(newest, now)
    return replace(newest, route="", destination="", counter="", effective_from=starts)


def _newest(wanted: Mapping, known: Iterable[Mapping]) -> Mapping | None:
    own = [m for m in known if series_of(m) == series_of(wanted)]
    return own[-1] if own else None


def _next_start(newest: Mapping, now: int) -> int:
    return max(floor_hour(now) + HOUR, newest.effective_from)


def mapping_for(versions: tuple[Mapping, ...], group: str, window: Window) -> Mapping | None:
    """The mapping in force for a window of a tenant's meter; None where nothing maps it."""
    effective = [m for m in versions if m.group == group and m.effective_from <= window.start]
    return effective[-1] if effective else None


@dataclass(frozen=True, slots=True)
class Held:
    """Why usage is counted and shown, but not sent."""

    reason: str


def placed(
    mapping: Mapping | None, route: Route | None, *, at: int, window: Window, tenant: Tenant
) -> Place | Held:
    """Where usage of `window`, placed at the instant `at`, goes; or why it does not."""
    if mapping is None or route is None:
        return Held(NO_MAPPING)
    if window.start < mapping.publish_from:
        return Held(BEFORE_PUBLISH_FROM)
    period = tenant.period_at(at)
    place = place_for(
        route,
        mapping.account,
        mapping.destination,
        mapping.counter,
        at=at,
        period=period,
        boundary_hour=mapping.boundary_hour,
    )
    if mapping.boundary_hour == "refuse" and _straddles(route, place, period):
        return Held(BOUNDARY_HOUR)
    return _on_its_bill(place, route, tenant)


def _on_its_bill(place: Place, route: Route, tenant: Tenant) -> Place:
    """The place with the period that its timestamp falls in: both halves of an hour that a period's
    boundary cuts share one slot, so they must agree on its bill and on when that closes."""
    if place.period.contains(place.timestamp):
        return place
    bill = tenant.period_at(place.timestamp)
    closes_at = min(place.timestamp + route.oldest, bill.end + route.closes_after)
    return replace(place, period=bill, closes_at=closes_at)


def _straddles(route: Route, place: Place, period: Window) -> bool:
    """Whether a period's boundary lies inside the slot's hour."""
    if not route.hourly:
        return False
    inside = (b - place.slot.start for b in (period.start, period.end))
    return any(0 < offset < HOUR for offset in inside)
