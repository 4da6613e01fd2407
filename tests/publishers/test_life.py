"""The domain's rules and this publisher together: whatever goes wrong, Stripe ends with the total.

No stage is in between: each test walks a slot's life with the domain's pure functions, while the
sandbox cuts lines, fails after counting, turns away, lands late and shows its totals late.
"""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.publication import (
    Limits,
    Publication,
    Step,
    answered,
    claimed,
    decide,
    intended,
    superseded,
)
from tallystick.domain.reading import confirmed_after, read
from tallystick.domain.slot import Mode, Route, Slot
from tallystick.publishers import HOUR_METER, SUM_METER, USAGE_RECORD
from tests.publishers.world import NOW, World, place, slot

LIMITS = Limits()
TOTALS = (5, 8, 3, 12)
FAULTS = (
    "drop_before",
    "drop_after",
    "error_before",
    "error_after",
    "rate_limit",
    "conflict",
    "outage",
)


class Life:
    """One slot at Stripe, from its first total to its last confirmed one."""

    def __init__(self, world: World, route: Route, destination: str, counter: str) -> None:
        self.world = world
        self.route = route
        where = place(route, destination, counter, at=NOW - 2 * HOUR)
        self.slot: Slot = replace(slot(where, "0"), version=0)
        self.current: Publication | None = None
        self.most = Decimal(0)

    @property
    def at_stripe(self) -> Decimal:
        key = self.slot.key
        if self.route is USAGE_RECORD:
            return Decimal(self.world.shop.sandbox.record_total(key.destination, 0, 2**40))
        return self.world.shop.sandbox.usage_total(key.counter, key.destination, 0, 2**40)

    def becomes(self, total: int) -> None:
        self.slot = replace(self.slot, total=Decimal(total), version=self.slot.version + 1)
        self.most = max(self.most, self.slot.total)

    def goes_on(self) -> bool:
        """One step; False when nothing is left to do."""
        now = self.world.now
        step = decide(self.slot, self.current, self.route, LIMITS, now)
        if step is Step.CLEAR:
            return False
        if step is Step.WAIT:
            self.world.advance(10 * MINUTE)
        elif step is Step.INTEND:
            self.current = intended(self.slot, self.route, "life", LIMITS, now)
            self.slot = replace(self.slot, revision=self.slot.revision + 1)
            self._send()
        else:
            self._resolve(step, now)
        assert self.at_stripe <= self.most
        return True

    def _resolve(self, step: Step, now: int) -> None:
        assert self.current is not None
        if step is Step.SEND:
            self.current = claimed(self.current, LIMITS, now)
            self._send()
        elif step is Step.SUPERSEDE:
            self._after(superseded(self.current, now))
        else:
            assert step is Step.READ
            (reading,) = self.world.publisher.totals([self.slot])
            self._after(
                read(
                    self.slot,
                    self.current,
                    reading.total,
                    at=reading.at,
                    route=self.route,
                    limits=LIMITS,
                )
            )
            self.world.advance(MINUTE)

    def _send(self) -> None:
        assert self.current is not None
        answer = self.world.publisher.send(self.current)
        self._after(answered(self.current, answer, LIMITS, self.world.now))

    def _after(self, current: Publication) -> None:
        self.current = current
        if current.state.is_settled:
            self.slot = replace(
                self.slot,
                confirmed=confirmed_after(current, self.slot),
                earlier=(*self.slot.earlier, current.total),
            )
            self.current = None


def lived(world: World, route: Route) -> Life:
    if route is USAGE_RECORD:
        return Life(world, route, world.legacy_item(), "")
    window = {"event_time_window": "hour"} if route.mode is Mode.ABSOLUTE else {}
    world.shop.meter(**window)
    return Life(world, route, world.shop.customer(), "api_calls")


@pytest.mark.parametrize("route", [HOUR_METER, SUM_METER, USAGE_RECORD], ids=lambda r: r.name)
@pytest.mark.parametrize("kind", FAULTS)
def test_one_fault_at_every_revision_and_stripe_ends_with_the_total(
    world: World, route: Route, kind: str
):
    life = lived(world, route)
    for total in TOTALS:
        life.becomes(total)
        world.shop.fault(kind, count=1, method="POST")
        for _ in range(2_000):
            if not life.goes_on():
                break

        assert life.at_stripe == total == life.slot.confirmed


@pytest.mark.parametrize("route", [HOUR_METER, SUM_METER], ids=lambda r: r.name)
def test_totals_that_show_two_hours_late_change_nothing(world: World, route: Route):
    world.shop.sandbox.set_summary_lag(7_200)
    life = lived(world, route)
    for total in TOTALS:
        life.becomes(total)
        world.shop.fault("drop_after", count=1, method="POST")
        for _ in range(2_000):
            if not life.goes_on():
                break

        assert life.at_stripe == total == life.slot.confirmed


@pytest.mark.parametrize("route", [HOUR_METER, SUM_METER, USAGE_RECORD], ids=lambda r: r.name)
@pytest.mark.parametrize("seed", range(3))
def test_half_of_all_requests_go_wrong_and_stripe_ends_with_the_total(
    open_world, route: Route, seed: int
):
    world = open_world(seed=seed)
    life = lived(world, route)
    for kind in FAULTS:
        world.shop.fault(kind, method="POST", probability=0.1)
    for total in TOTALS:
        life.becomes(total)
        for _ in range(3):
            life.goes_on()
    world.shop.sandbox.clear_faults()
    for _ in range(2_000):
        if not life.goes_on():
            break

    assert life.at_stripe == TOTALS[-1] == life.slot.confirmed
