"""Metering: what an event adds to which Aggregates, by the meters that are in force for it.

The rulebook keeps what the catalog said at one revision, and the windows that a tenant's time was
last cut into: thousands of events of an hour ask for the same ones.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from tallystick.domain.aggregate import Contribution, Place, contributions_to, places
from tallystick.domain.dead_letter import Reason
from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import Event
from tallystick.domain.instant import EARLIEST, HOUR
from tallystick.domain.mapping import series_of
from tallystick.domain.meter import Meter, in_force
from tallystick.domain.sheet import Cell, cell_of
from tallystick.domain.tenant import Tenant, hour_within
from tallystick.domain.window import Window
from tallystick.ports import Account, Catalog

HOURS_KEPT: Final = 512
TENANTS_KEPT: Final = 4_096
NEVER: Final = Window(EARLIEST - 1, EARLIEST)
"""A window that holds no event."""

PLACES_KEPT: Final = 32_768
"""So many hours of a tenant's code are remembered at most, with where it counts then."""

NOWHERE: Final[tuple[Window, tuple[Place, ...]]] = (NEVER, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an event cannot be counted; `waits_for` names what would change that."""

    reason: Reason
    errors: tuple[FieldError, ...]
    waits_for: str = ""


@dataclass(slots=True)
class TenantCalendar:
    """A tenant's windows, remembered: usage mostly comes in order of time, or around now.

    `billed` are the meters that its newest mappings bill it by.
    """

    tenant: Tenant
    billed: frozenset[str] = frozenset()
    _hours: dict[int, Window] = field(default_factory=dict)
    _day: Window = NEVER
    _period: Window = NEVER

    def hour_at(self, at: int) -> Window:
        found = self._hours.get(at // HOUR)
        if found is not None and found.start <= at < found.end:
            return found
        if len(self._hours) >= HOURS_KEPT:
            self._hours.clear()
        found = hour_within(self.day_at(at), at)
        self._hours[at // HOUR] = found
        return found

    def day_at(self, at: int) -> Window:
        if not self._day.start <= at < self._day.end:
            self._day = self.tenant.day_at(at)
        return self._day

    def period_at(self, at: int) -> Window:
        if not self._period.start <= at < self._period.end:
            self._period = self.tenant.period_at(at)
        return self._period


class Rulebook:
    """The catalog's tenants and meters, as they were at one revision."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._revision = -1
        self._meters: tuple[tuple[Meter, ...], ...] = ()
        self._by_code: dict[str, list[tuple[Meter, ...]]] = {}
        self._in_force: dict[tuple[str, Window], tuple[Meter, ...]] = {}
        self._tenants: dict[str, TenantCalendar | None] = {}
        self._places: dict[tuple[str, str, int], tuple[Window, tuple[Place, ...]]] = {}
        self._cells: dict[tuple[str, str, int], Cell | None] = {}

    def refresh(self) -> bool:
        """Forget what an older revision said; True where there is a newer one."""
        revision = self._catalog.revision()
        if revision == self._revision:
            return False
        self._meters = self._catalog.meters()
        self._by_code = _index(self._meters)
        self._in_force = {}
        self._tenants = {}
        self._places = {}
        self._cells = {}
        self._revision = revision
        return True

    def calendar(self, tenant: str) -> TenantCalendar | None:
        """The tenant's windows; None for a tenant that this revision does not have."""
        try:
            return self._tenants[tenant]
        except KeyError:
            pass
        if len(self._tenants) >= TENANTS_KEPT:
            self._tenants.clear()
        account = self._catalog.account(tenant)
        found = None if account is None else TenantCalendar(account.tenant, billed_by(account))
        self._tenants[tenant] = found
        return found

    def meters(self, code: str, period: Window) -> tuple[Meter, ...]:
        """The meters that read the code in this billing period."""
        try:
            return self._in_force[code, period]
        except KeyError:
            pass
        versions = self._by_code.get(code, [])
        found = tuple(m for m in (in_force(v, period) for v in versions) if _reads(m, code))
        if len(self._in_force) >= TENANTS_KEPT:
            self._in_force.clear()
        self._in_force[code, period] = found
        return found

    def places(self, code: str, at: int, calendar: TenantCalendar) -> tuple[Place, ...]:
        """Where an event may count; nowhere, if no meter reads its code in its billing period."""
        tenant = calendar.tenant.id
        place = (tenant, code, at // HOUR)
        hour, found = self._places.get(place, NOWHERE)
        if hour.start <= at < hour.end:
            return found
        if len(self._places) >= PLACES_KEPT:
            self._places.clear()
        meters = self.meters(code, calendar.period_at(at))
        found = places(tenant, calendar, meters, at)
        self._places[place] = calendar.hour_at(at), found
        return found

    def cell(self, named: tuple[str, str, int]) -> Cell | None:
        """Where a tenant's events of a code and UTC hour count, if all of them count alike there
        and by adding up."""
        try:
            return self._cells[named]
        except KeyError:
            pass
        if len(self._cells) >= PLACES_KEPT:
            self._cells.clear()
        tenant, code, hour = named
        calendar, found = self.calendar(tenant), None
        if calendar is not None:
            counting = self.places(code, hour * HOUR, calendar)
            window = calendar.hour_at(hour * HOUR)
            found = cell_of(tenant, code, hour=hour, window=window, counting=counting)
        self._cells[named] = found
        return found

    def only_code(self, calendar: TenantCalendar, period: Window) -> str:
        """The one code that the tenant can mean in this period: what it is billed by, else what
        there is; '' where that is none, or several."""
        known = [in_force(versions, period) for versions in self._meters]
        live = [meter for meter in known if not meter.archived]
        billed = {meter.code for meter in live if meter.id in calendar.billed}
        codes = billed or {meter.code for meter in live}
        return codes.pop() if len(codes) == 1 else ""


def billed_by(account: Account) -> frozenset[str]:
    """The meters that its newest mappings bill the tenant by."""
    newest = {series_of(mapping): mapping for mapping in account.mappings}
    return frozenset(mapping.meter for mapping in newest.values() if not mapping.is_end)


def _reads(meter: Meter, code: str) -> bool:
    return meter.code == code and not meter.archived


def _index(meters: tuple[tuple[Meter, ...], ...]) -> dict[str, list[tuple[Meter, ...]]]:
    """The meters by every code that one of their versions reads."""
    index: dict[str, list[tuple[Meter, ...]]] = {}
    for versions in meters:
        for code in {meter.code for meter in versions}:
            index.setdefault(code, []).append(versions)
    return index


def with_code(event: Event, calendar: TenantCalendar, rules: Rulebook) -> Event:
    """The same, where it names no code with the tenant's only one; '' stays where that is open."""
    if event.code or event.voids is not None:
        return event
    return replace(event, code=rules.only_code(calendar, calendar.period_at(event.occurred_at)))


def metered(
    event: Event, calendar: TenantCalendar, rules: Rulebook
) -> tuple[Contribution, ...] | Refusal:
    """What the event adds; nothing for a void. An event that no meter reads is refused, and waits;
    one that every meter's filters leave out is counted nowhere, and recorded."""
    if event.voids is not None:
        return ()
    if not event.code:
        return no_only_code(event.tenant)
    counting = rules.places(event.code, event.occurred_at, calendar)
    if not counting:
        return unknown_code(event.code)
    try:
        return contributions_to(counting, event)
    except InvalidReport as error:
        return Refusal(reason=Reason.INVALID, errors=error.errors)


def unknown_code(code: str) -> Refusal:
    detail = f"no meter reads the code {code!r}; add one with `tallystick meters add`"
    error = FieldError(pointer="/code", code="unknown_code", detail=detail)
    return Refusal(reason=Reason.UNKNOWN_CODE, errors=(error,), waits_for=f"code:{code}")


def no_only_code(tenant: str) -> Refusal:
    detail = (
        f"no code is named, and the tenant {tenant!r} has none or several: send a ProductCode, or "
        "map one meter of the tenant with `tallystick mappings add`"
    )
    error = FieldError(pointer="/code", code="unknown_code", detail=detail)
    return Refusal(reason=Reason.UNKNOWN_CODE, errors=(error,), waits_for=f"tenant:{tenant}")


def unknown_tenant(tenant: str) -> Refusal:
    detail = f"there is no tenant {tenant!r}; add it with `tallystick tenants add`"
    error = FieldError(pointer="/tenant", code="unknown_tenant", detail=detail)
    return Refusal(reason=Reason.UNKNOWN_TENANT, errors=(error,), waits_for=f"tenant:{tenant}")
