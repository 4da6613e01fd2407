"""Runs a plan: first with everything that goes wrong in it, then calmly until all is settled.

Safety: at each transition, and now and then over all there is, promises 5 and 6 hold. Liveness:
faults are off, time goes on, and within a bounded number of passes nothing is left to do and the
provider holds exactly what it must.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Final

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Event
from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.publication import Limits, Publication
from tallystick.domain.slot import Mode, SlotKey
from tallystick.domain.tenant import with_terms
from tallystick.domain.window import Window
from tallystick.ports import Clock, Override, Publisher, Store
from tallystick.stages.metering import Rulebook
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import ADOPTING, HOLD, PAUSE, Publishing
from tallystick.stages.restoring import begin
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore
from tallystick.testing.fakes import ROUTES, SKEW_MAX, FakeClock, FakeProvider, FakePublisher
from tallystick.testing.faulty import FaultyStore, faulty_publisher
from tallystick.testing.misfortune import Misfortune
from tallystick.testing.simulation.checkers import Settled, check_all
from tallystick.testing.simulation.columns import portions
from tallystick.testing.simulation.coverage import planned
from tallystick.testing.simulation.model import Model
from tallystick.testing.simulation.people import Orders, hear, reconcile, repair, settle, tamper
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.restoring import Backup, Copied, adopted, copied
from tallystick.testing.simulation.settings import Customer, customer_named, tenant_of, terms_of
from tallystick.testing.simulation.steps import Kind, Step
from tallystick.testing.simulation.witness import Witness, WitnessedStore
from tallystick.testing.simulation.workers import Worker

CALM_HOURS: Final = 30
CALM_LONG: Final = 10 * DAY
CALM_STEP: Final = 6 * HOUR
"""After some hours of a pass each, a pass every six hours: some eleven days in all, which is the
longest that doubt may last (23 h of resends, 48 h + 12 h of absence, and the same once more)."""

CALM_STEP_ONCE: Final = 4 * HOUR
"""What gathers for one record can only be sent within six hours, so no pass may come that late."""

CALM_RESTORED: Final = 3 * DAY
"""A copy waits two days before it sends."""

TENDED: Final = MappingProxyType({0: (Kind.RECONCILE, Kind.REPAIR), CALM_HOURS: (Kind.REPAIR,)})
"""After these of the calm passes what was held is released, what was changed is set again."""

CHECK_EVERY: Final = 40
REPORTER: Final = -1
PERSON: Final = -2
LONG_SLEEP: Final = 2 * HOUR
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
    """One world while it runs. `reopened` opens the store once more, for whoever died; `back_up`
    copies it, where it is not in memory."""

    plan: Plan
    store: Store
    reopened: Callable[[], Store] | None = None
    back_up: Callable[[], Backup] | None = None

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
        self.workers = [Worker(n, plan.store_faults) for n in range(plan.workers)]
        self.reporter = Worker(REPORTER, plan.store_faults)
        self.person = Worker(PERSON, plan.store_faults)
        self.ever = (*self.workers, self.reporter, self.person)
        self.stores: dict[int, Store] = {}
        self.orders = Orders()
        self.copied: Copied | None = None
        self.is_restored = False
        self.asleep_since: dict[int, int] = {}
        self.met: Counter[str] = Counter(planned(plan))
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
        ran.met.update(self.met)
        ran.met.update(self.witness.met)
        ran.met.update({str(name): count for name, count in self.provider.met.items()})
        for worker in self.ever:
            ran.met.update(worker.met)
        ran.entries = sum(line for line, _ in self.witness.heads.values())
        ran.slots = len(self.witness.places)
        ran.attempts = self.witness.met["attempt"]
        return ran

    def _set_up(self) -> None:
        for tenant in self.tenants.values():
            self.store.catalog.save(tenant, AUDIT)
        for meter in self.plan.meters:
            self.store.catalog.save(meter, AUDIT)

    def _take(self, step: Step) -> None:
        self.clock.jump_to(max(self.clock.now(), step.at))
        self.provider.catch_up()
        self._look_at_orders()
        match step.kind:
            case Kind.REPORT:
                self.unacked.append(self.plan.reports[step.subject].events)
                self.reporter.turn(step, self._report)
            case Kind.TURN | Kind.RECONCILE | Kind.REPAIR:
                self._turn(step)
            case Kind.SKEW:
                ahead = step.seed - self.skews.get(step.subject, 0)
                self.met["clock jumped ahead" if ahead > 0 else "clock jumped back"] += 1
                self.skews[step.subject] = step.seed
            case Kind.SETTLE | Kind.WEBHOOK:
                self.person.turn(step, partial(self._look_after, step))
            case Kind.TAMPER:
                tamper(self.provider, self.witness, step.seed)
            case Kind.COPY:
                self.copied = copied(self.store, self.back_up, self.model, self.witness)
            case Kind.RESTORE if self.copied is not None:
                self._restore(self.copied)
            case _:
                self._change(step)

    def _restore(self, copy: Copied) -> None:
        """Every run is stopped, the copy is put in place, and people tell it again what they said
        since it was made."""
        standing, now = self.store.catalog.switches(), self.clock.now()
        for worker in self.workers:
            worker.die()
        self.workers = [Worker(n, self.plan.store_faults) for n in range(self.plan.workers)]
        self.ever = (*self.ever, *self.workers)
        self.store, self.reopened = copy.backup.store, copy.backup.reopened
        self.stores.clear()
        self.rules = Rulebook(self.store.catalog)
        self.model.recall(copy.model)
        self.witness.recall(copy.witness)
        self.unacked = [*copy.since, *self.unacked]
        self.copied, self.is_restored = None, True
        for tenant in self.tenants.values():
            self.store.catalog.save(tenant, AUDIT)
        for mapping in (m for made, m in self.plan.mappings if made <= now):
            self.store.catalog.save(mapping, AUDIT)
        for name, value in standing.items():
            self.store.catalog.switch(name, value, AUDIT)
        begin(self.store, f"second{self.plan.seed}", replace(AUDIT, at=now))
        self.orders.look(self.store.catalog.switches())
        self.met["restored"] += 1

    def _look_after(self, step: Step) -> None:
        """What happens beside the workers, in the store that they share."""
        store = FaultyStore(self._witnessed(self.person), self.person)
        if step.kind is Kind.SETTLE:
            settle(store, self.provider, self.clock, self.limits)
        else:
            self.met["webhook"] += hear(store, self.provider, self.clock, step.seed)

    def _look_at_orders(self) -> None:
        adopting = ADOPTING in self.orders.standing
        self.orders.look(self.store.catalog.switches())
        if adopting and ADOPTING not in self.orders.standing:
            self.witness.adopted_at = self.clock.now()

    def _change(self, step: Step) -> None:
        """What people change, straight in the catalog."""
        catalog, plan = self.store.catalog, self.plan
        match step.kind:
            case Kind.MAP:
                catalog.save(plan.mappings[step.subject][1], AUDIT)
            case Kind.METER:
                catalog.save(plan.versions[step.subject][1], AUDIT)
            case Kind.TERMS:
                for customer in plan.customers:
                    if customer.name == plan.terms[step.subject][1]:
                        self._change_terms(customer)
            case Kind.PAUSE | Kind.RESUME:
                who = plan.pauses[step.subject][1]
                name = f"{PAUSE}:{who}" if who else PAUSE
                catalog.switch(name, "paused" if step.kind is Kind.PAUSE else None, AUDIT)

    def _change_terms(self, customer: Customer) -> None:
        """Tell the product the new terms; from when on they hold is for it to find."""
        if customer.calendar.then is None:
            return
        terms = terms_of(customer.calendar.then[1])
        tenant = with_terms(self.tenants[customer.tenant], terms, self.clock.now())
        self.tenants[customer.tenant] = tenant
        self.store.catalog.save(tenant, AUDIT)

    def _turn(self, step: Step) -> None:
        """A worker's turn; and, where it died, its next life with the store opened again."""
        worker = self.workers[step.subject]
        self._note_turn(step, worker)
        crashes = worker.met.get("crash", 0)
        worker.turn(step, self._work(step.kind, worker))
        if worker.is_asleep:
            self.asleep_since.setdefault(worker.number, self.clock.now())
        else:
            self.asleep_since.pop(worker.number, None)
        if self.reopened is not None and worker.met.get("crash", 0) > crashes:
            self.stores[worker.number] = self.reopened()
            self.met["reopened"] += 1

    def _note_turn(self, step: Step, worker: Worker) -> None:
        since = self.asleep_since.get(worker.number, self.clock.now())
        self.met["woke hours later"] += self.clock.now() >= since + LONG_SLEEP
        standing = self.orders.standing
        self.met["turn while all is paused"] += PAUSE in standing
        self.met["turn while a tenant is paused"] += any(n.startswith("pause:") for n in standing)
        self.met["turn while a destination is held"] += any(n.startswith(HOLD) for n in standing)
        self.met["reconciled"] += step.kind is Kind.RECONCILE
        self.met["repaired"] += step.kind is Kind.REPAIR

    def _store_of(self, worker: Worker) -> Store:
        return self.stores.get(worker.number, self.store)

    def _witnessed(self, worker: Worker) -> Store:
        return WitnessedStore(self._store_of(worker), self.witness)

    def _report(self) -> None:
        """Report what was not acknowledged yet; a client keeps its events until then."""
        self.rules.refresh()
        while self.unacked:
            try:
                self._record(self.unacked[0])
            except StoreUnavailable:
                return
            acked = self.unacked.pop(0)
            if self.copied is not None:
                self.copied.since.append(acked)

    def _record(self, events: Sequence[Event]) -> None:
        """One call, as the client's faults see it. Raises StoreUnavailable."""
        store, now = self._witnessed(self.reporter), self.clock.now()
        self.reporter.before("events.record")
        for portion in portions(events, self.rules, now, seed=self.plan.seed):
            store.events.record(portion, now)
        self.reporter.after("events.record")

    def _work(self, kind: Kind, worker: Worker) -> Callable[[], None]:
        """What a worker does in a turn of this kind, behind its faults and by its own clock."""
        clock = SkewedClock(self.clock, self.skews, worker.number)
        turn = restored_turn if self.is_restored else one_turn
        work = {Kind.RECONCILE: reconcile, Kind.REPAIR: repair}.get(kind, turn)
        return partial(
            work,
            FaultyStore(self._witnessed(worker), worker),
            faulty_publisher(FakePublisher(self.provider, clock), worker, self._on_send(clock)),
            clock,
            self.limits,
        )

    def _on_send(self, clock: Clock) -> Callable[[Publication], None]:
        """What is looked at right before each attempt of a turn that begins now."""
        begun = dict(self.orders.standing)

        def sent(publication: Publication) -> None:
            if clock.now() <= publication.deadline:  # else nothing leaves
                self.witness.sent(publication)
                self.orders.check_sent(publication, begun, self.store)

        return sent

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
        for name in self.store.catalog.switches():
            if name.startswith(PAUSE):
                self.store.catalog.switch(name, None, AUDIT)
        self._look_at_orders()

    def _settle(self) -> Counter[str]:
        self.clock.jump_to(self.clock.now() + SKEW_MAX)
        modes = {ROUTES[mapping.route].mode for _, mapping in self.plan.mappings}
        step = CALM_STEP_ONCE if Mode.ONCE in modes else CALM_STEP
        long = CALM_LONG + (CALM_RESTORED if self.is_restored else 0)
        for number in range(CALM_HOURS + long // step):
            self.clock.jump_to(self.clock.now() + (HOUR if number < CALM_HOURS else step))
            self.provider.catch_up()
            for kind in (Kind.TURN, *TENDED.get(number, ())):
                self._work(kind, self.workers[0])()
                self._look_at_orders()
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


def restored_turn(store: Store, publisher: Publisher, clock: Clock, limits: Limits) -> None:
    """The same for a copy, which adopts first what the provider holds."""
    adopted(store, publisher, clock, limits)
    one_turn(store, publisher, clock, limits)


def run_plan(
    plan: Plan,
    store: Store | None = None,
    reopened: Callable[[], Store] | None = None,
    back_up: Callable[[], Backup] | None = None,
) -> Ran:
    """Run one world on a store of its own. Raises Violation."""
    return World(plan, store or MemoryStore(f"sim{plan.seed}"), reopened, back_up).run()
