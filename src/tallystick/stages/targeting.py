"""Target: which slot an Aggregate goes to now, by the settings in force for its window."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tallystick.domain.aggregate import Aggregate
from tallystick.domain.instant import EARLIEST, HOUR, MINUTE, floor_hour, parse_instant
from tallystick.domain.ledger import Holding, goes_later
from tallystick.domain.mapping import NO_MAPPING, Held, mapping_for, placed
from tallystick.domain.meter import Closed, Span
from tallystick.domain.slot import Mode, Place, Route, last_full_hour
from tallystick.domain.window import Window
from tallystick.ports import Account, Catalog
from tallystick.stages.publishing import RESTORED


@dataclass(frozen=True, slots=True, kw_only=True)
class SealLimits:
    """`grace`: how long after its end a window is sealed. `lead`: how long before its end the last
    window of a period is sealed where the provider takes nothing later (the rest is a correction).
    """

    grace: int = 5 * MINUTE
    lead: int = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Target:
    """Where an Aggregate's quantity goes now, and where a carry may take it."""

    place: Place | Held
    route: Route | None
    onward: Place | Held | None = None
    onward_route: Route | None = None

    def is_closed(self, now: int) -> bool:
        """Whether the Aggregate's own slot takes no more."""
        return isinstance(self.place, Place) and self.place.is_closed(now)

    def open_period(self, own: Window, now: int) -> Window:
        """The period whose slots the next Entry may change."""
        if isinstance(self.place, Place) and not self.place.is_closed(now):
            return own
        return self.onward.period if isinstance(self.onward, Place) else own


class Targets:
    """Answers where Aggregates go, with the settings as they stood when the pass began."""

    def __init__(
        self, catalog: Catalog, routes: Mapping[str, Route], now: int, limits: SealLimits
    ) -> None:
        self._catalog = catalog
        self._routes = routes
        self._now = now
        self._limits = limits
        self._watermark = now - limits.grace
        self._restored_at: int | None = None
        self._accounts: dict[str, Account | None] = {}

    def of(self, aggregate: Aggregate) -> Target | None:
        """The target, or None while the window's time has not come."""
        over = aggregate.first_sealed_at <= self._watermark
        account = self._account(aggregate.key.tenant)
        if account is None:
            return Target(Held(NO_MAPPING), None) if over else None
        window, at = aggregate.key.window, aggregate.key.window.start
        if aggregate.span is not Span.HOUR:
            at = last_full_hour(window, self._watermark)
        place, route = self._placed(account, aggregate, window, at)
        if not over and not self._is_early(aggregate, route):
            return None
        return Target(place, route, *self._onward(account, aggregate, place, route))

    def route(self, name: str) -> Route | None:
        """The route of that name; None where nobody here publishes it."""
        return self._routes.get(name)

    def described(self, holdings: tuple[Holding, ...]) -> tuple[Holding, ...]:
        """The same, each with what its route takes."""
        return tuple(self._described(one) for one in holdings)

    def _described(self, holding: Holding) -> Holding:
        key = holding.place.slot
        route = self._routes.get(key.route)
        if route is None:
            return holding
        stays = route.mode is Mode.ONCE and not route.gathers(key.start, self._now)
        return replace(holding, takes_fractions=not route.whole_numbers, stays=stays)

    def _onward(
        self, account: Account, aggregate: Aggregate, place: Place | Held, route: Route | None
    ) -> tuple[Place | Held | None, Route | None]:
        """The slot of the last full hour, where the meter says that closed usage is carried; where
        a slot takes one record, that of the hour that runs, which gathers still."""
        once = route is not None and route.mode is Mode.ONCE
        if once and self._may_be_told(place):
            return None, None
        if aggregate.closed is not Closed.CARRY and not once:
            return None, None
        onward, way = self._placed_in(account, aggregate, floor_hour(self._watermark) - HOUR)
        if way is not None and way.mode is Mode.ONCE:
            onward, way = self._placed_in(account, aggregate, floor_hour(self._now))
        if aggregate.closed is Closed.CARRY or goes_later(route, place, onward):
            return onward, way
        return None, None

    def _may_be_told(self, place: Place | Held) -> bool:
        """Whether a lost copy of the store may have told what belongs there: it cannot be read, so
        nothing of it goes anywhere else by itself."""
        if self._restored_at is None:
            restored = self._catalog.switches().get(RESTORED)
            self._restored_at = parse_instant(restored) if restored else EARLIEST
        return isinstance(place, Place) and place.timestamp < self._restored_at

    def _placed_in(
        self, account: Account, aggregate: Aggregate, hour: int
    ) -> tuple[Place | Held, Route | None]:
        return self._placed(account, aggregate, Window(hour, hour + HOUR), hour)

    def _account(self, tenant: str) -> Account | None:
        if tenant not in self._accounts:
            self._accounts[tenant] = self._catalog.account(tenant)
        return self._accounts[tenant]

    def _placed(
        self, account: Account, aggregate: Aggregate, window: Window, at: int
    ) -> tuple[Place | Held, Route | None]:
        versions = tuple(m for m in account.mappings if m.meter == aggregate.key.meter)
        mapping = mapping_for(versions, aggregate.key.group, window)
        route = self._routes.get(mapping.route) if mapping else None
        return placed(mapping, route, at=at, window=window, tenant=account.tenant), route

    def _is_early(self, aggregate: Aggregate, route: Route | None) -> bool:
        """Whether the window is the last before a bill that takes nothing after its end."""
        end = aggregate.key.window.end
        last = end == aggregate.period.end and end - self._limits.lead <= self._now
        return route is not None and route.closes_with_period and last
