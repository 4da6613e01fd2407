"""Runs a plan: first with everything that goes wrong in it, then calmly until all is settled.

Safety: at each transition, and now and then over all there is, promises 5 and 6 hold. Liveness:
faults are off, time goes on, and within a bounded number of passes nothing is left to do and the
provider holds exactly what it must.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Final

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Event
from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.publication import Limits
from tallystick.domain.slot import SlotKey
from tallystick.domain.window import Window
from tallystick.ports import Clock, Override, Publisher, Recording, Store
from tallystick.stages.metering import Refusal, Rulebook, metered
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore
from tallystick.testing.fakes import SKEW_MAX, FakeClock, FakeProvider, FakePublisher
from tallystick.testing.faulty import FaultyStore, faulty_publisher
from tallystick.testing.misfortune import Misfortune
from tallystick.testing.simulation.checkers import Settled, check_all
from tallystick.testing.simulation.model import Model
from tallystick.testing.simulation.plan import Kind, Plan, Step
from tallystick.testing.simulation.settings import customer_named, tenant_of
from tallystick.testing.simulation.witness import Witness, WitnessedStore
from tallystick.testing.simulation.workers import Worker

CALM_HOURS: Final = 30
CALM_LONG: Final = 40
CALM_STEP: Final = 6 * HOUR
"""After some hours of a pass each, a pass every six hours: some eleven days in all, which is the
longest that doubt may last (23 h of resends, 48 h + 12 h of absence, and the same once more)."""

CHECK_EVERY: Final = 40
REPORTER: Final = -1
AUDIT: Final = Override(at=0, who="simulation", why="the plan says so", action="save", subject="")


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """A worker's clock: the world's time, and off by what `skews` says of it."""

    world: FakeClock
    skews: dict[int, int]
    number: int

    def now(self) -> int:
        return self.world.at + self.skews.get(self.number, 0)

    def sleep(self, microseconds: int) -> None:
        self.world.sleep(microseconds)


@dataclass(kw_only=True)
class Ran:
    """What a run was like."""

    events: int = 0
    simulated: int = 0
    calm: int = 0
    entries: int = 0
    slots: int = 0
    attempts: int = 0
    met: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


@dataclass
class World:
    """One world while it runs."""

    plan: Plan
    store: Store

    def __post_init__(self) -> None:
        plan = self.plan
        self.clock = FakeClock(plan.start)
        self.limits = Limits()
        self.skews: dict[int, int] = {}
        self.provider = FakeProvider(
            self.clock,
            seed=plan.seed,
            misfortune=plan.misfortune,
            periods=self._period,
            on_landed=self._landed,
        )
        self.model = Model(plan)
        self.witness = Witness(self.model, self.provider)
        self.witnessed = WitnessedStore(self.store, self.witness)
        self.workers = [Worker(n, plan.store_faults) for n in range(plan.workers)]
        self.reporter = Worker(REPORTER, plan.store_faults)
        self.ever = (*self.workers, self.reporter)
        self.rules = Rulebook(self.store.catalog)
        self.unacked: list[tuple[Event, ...]] = []
        self.tenants = {c.tenant: tenant_of(c) for c in plan.customers}
        self._calendars = {c.name: c.calendar for c in plan.customers}

    def _period(self, destination: str, at: int) -> Window:
        return self._calendars[customer_named(destination)].period(at)

    def _landed(self, slot: SlotKey, total: Decimal) -> None:
        self.witness.landed(slot, total)

    def run(self) -> Ran:
        """Safety, then liveness. Raises Violation."""
        ran = Ran(events=sum(len(r.events) for r in self.plan.reports))
        try:
            self._set_up()
            for number, step in enumerate(self.plan.steps):
                self._take(step)
                if number % (CHECK_EVERY // 10 if self.plan.narrow else CHECK_EVERY) == 0:
                    check_all(self.store, self.witness)
            ran.simulated = self.clock.now() - self.plan.start
            self._calm_down()
            ran.notes = self._settle()
            ran.calm = self.clock.now() - self.plan.start - ran.simulated
        finally:
            for worker in self.workers:
                worker.die()
        return self._told(ran)

    def _told(self, ran: Ran) -> Ran:
        ran.met.update(self.provider.met)
        for worker in self.ever:
            ran.met.update(worker.met)
        ran.entries = sum(line for line, _ in self.witness.heads.values())
        ran.slots = len(self.witness.places)
        ran.attempts = self.witness.attempts
        return ran

    def _set_up(self) -> None:
        for tenant in self.tenants.values():
            self.store.catalog.save(tenant, AUDIT)
        for meter in self.plan.meters:
            self.store.catalog.save(meter, AUDIT)

    def _take(self, step: Step) -> None:
        self.clock.jump_to(max(self.clock.now(), step.at))
        self.provider.catch_up()
        match step.kind:
            case Kind.REPORT:
                self.unacked.append(self.plan.reports[step.subject].events)
                self.reporter.turn(step, self._report)
            case Kind.MAP:
                self.store.catalog.save(self.plan.mappings[step.subject][1], AUDIT)
            case Kind.SKEW:
                self.skews[step.subject] = step.seed
            case Kind.TURN:
                worker = self.workers[step.subject]
                worker.turn(step, self._pass_of(worker))

    def _report(self) -> None:
        """Report what was not acknowledged yet; a client keeps its events until then."""
        store = FaultyStore(self.witnessed, self.reporter)
        self.rules.refresh()
        while self.unacked:
            batch = [self._recording(event) for event in self.unacked[0]]
            try:
                store.events.record(batch, self.clock.now())
            except StoreUnavailable:
                return
            self.unacked.pop(0)

    def _recording(self, event: Event) -> Recording:
        calendar = self.rules.calendar(event.tenant)
        counted = metered(event, calendar, self.rules) if calendar else ()
        if isinstance(counted, Refusal):
            # No meter reads the code: an empty Recording stands for it, which counts nowhere.
            counted = ()
        return Recording(event, counted, origin=f"report/{event.key}", body=event.fingerprint)

    def _pass_of(self, worker: Worker) -> Callable[[], None]:
        clock = SkewedClock(self.clock, self.skews, worker.number)
        return partial(
            one_turn,
            FaultyStore(self.witnessed, worker),
            faulty_publisher(FakePublisher(self.provider, clock), worker, self.witness.sent),
            clock,
            self.limits,
        )

    def _calm_down(self) -> None:
        """No more faults: sleepers are gone, and what is under way lands in its time."""
        for worker in self.workers:
            worker.die()
        self.provider.misfortune = Misfortune(lag_max=min(self.plan.misfortune.lag_max, MINUTE))
        self.skews.clear()
        self.workers = [Worker(0, 0)]
        self.reporter = Worker(REPORTER, 0)
        self._report()
        for number in range(len(self.plan.mappings)):
            self.store.catalog.save(self.plan.mappings[number][1], AUDIT)

    def _settle(self) -> Counter[str]:
        self.clock.jump_to(self.clock.now() + SKEW_MAX)
        for number in range(CALM_HOURS + CALM_LONG):
            self.clock.jump_to(self.clock.now() + (HOUR if number < CALM_HOURS else CALM_STEP))
            self.provider.catch_up()
            self._pass_of(self.workers[0])()
        check_all(self.store, self.witness)
        return Settled(
            plan=self.plan,
            store=self.store,
            publisher=FakePublisher(self.provider, self.clock),
            provider=self.provider,
            witness=self.witness,
            now=self.clock.now(),
        ).check()


def one_turn(store: Store, publisher: Publisher, clock: Clock, limits: Limits) -> None:
    """What a worker does every hour, with nothing but what is stored to go by."""
    publishing = Publishing(store=store, publisher=publisher, clock=clock, limits=limits)
    with suppress(StoreUnavailable):
        one_pass(publishing, SealLimits())


def run_plan(plan: Plan, store: Store | None = None) -> Ran:
    """Run one world on a store of its own. Raises Violation."""
    return World(plan, store or MemoryStore(f"sim{plan.seed}")).run()
