"""What a seed means: the tenants, meters, mappings, events, faults and steps of one world.

A plan is drawn once, whole, before anything runs. Each step has its own seed and time, so that
leaving some out changes nothing about the others: that is how a failing trace is shortened.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.window import Window
from tallystick.testing.fakes import SKEW_MAX
from tallystick.testing.misfortune import Fate, Misfortune
from tallystick.testing.simulation.reports import Report, drawn_reports
from tallystick.testing.simulation.settings import (
    STARTS,
    Customer,
    drawn_customers,
    drawn_mappings,
    drawn_meters,
    narrow_meter,
)

COMMON_FATES: Final[tuple[Fate, ...]] = tuple(
    fate for fate in Fate if fate not in (Fate.LANDS, Fate.HOURS_LATE)
)


DELICATE: Final = (
    "ledger.append",
    "ledger.clear_due",
    "outbox.slots_due",
    "outbox.intend",
    "outbox.advance",
    "outbox.clear_due",
    "outbox.clear_due",
    "outbox.adjust",
    "publisher.send",
    "publisher.totals",
)
"""The calls around which most can go wrong."""


class Kind(StrEnum):
    """What one step does."""

    REPORT = "report"
    TURN = "turn"
    MAP = "map"
    SKEW = "skew"


class Doom(StrEnum):
    """What comes over a worker in its turn."""

    NONE = "none"
    CRASH = "crash"
    SLEEP = "sleep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: of report, worker or mapping number `subject`.

    The doom comes over a worker at its `call`-th port call from then on (of those named `port`,
    where given), `after` it or before.
    """

    at: int
    kind: Kind
    subject: int
    seed: int = 0
    doom: Doom = Doom.NONE
    call: int = 0
    port: str = ""
    after: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One world, whole. `store_faults`: so many store calls of a thousand fail, before or after."""

    seed: int
    start: int
    hours: int
    customers: tuple[Customer, ...]
    meters: tuple[Meter, ...]
    mappings: tuple[tuple[int, Mapping], ...]
    reports: tuple[Report, ...]
    misfortune: Misfortune
    workers: int
    store_faults: int
    narrow: bool = False
    away: tuple[Window, ...] = ()
    """When no worker runs at all."""
    steps: tuple[Step, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong but what customers do."""
        dooms = any(step.doom is not Doom.NONE for step in self.steps)
        unlucky = self.misfortune != Misfortune(lag_max=self.misfortune.lag_max)
        return not (dooms or unlucky or self.store_faults or self.away)

    def only(self, kept: list[Step]) -> "Plan":
        """The same world with these steps alone."""
        return replace(self, steps=tuple(kept))

    def customer(self, tenant: str) -> Customer:
        return next(c for c in self.customers if c.tenant == tenant)


def drawn_plan(
    seed: int, *, exotic: bool = False, hours_max: int = 700, narrow: bool = False
) -> Plan:
    """The world of a seed.

    Some worlds are narrow, or all where asked: one customer and one meter, whose usage meets in a
    few slots again and again, with several workers that fall asleep at the delicate calls.
    """
    draws = Random(seed)
    start = draws.choice(STARTS) + draws.randrange(6) * HOUR
    hours = draws.choices((12, 30, 72, 200, 700), weights=(40, 40, 15, 4, 1))[0]
    hours = min(hours, hours_max)
    narrow = draws.random() < 0.3 or narrow
    customers, meters = drawn_customers(draws, start, hours), drawn_meters(draws)
    if narrow:
        customers, meters = customers[:1], (narrow_meter(draws),)
    plan = Plan(
        seed=seed,
        start=start,
        hours=hours,
        customers=customers,
        meters=meters,
        mappings=drawn_mappings(draws, customers, meters, start, hours, narrow=narrow),
        reports=drawn_reports(
            draws,
            customers,
            start,
            hours,
            draws.choice((40, 120) if narrow else (20, 60, 150, 300)),
            narrow=narrow,
        ),
        misfortune=_drawn_misfortune(draws, customers, start, hours, exotic=exotic, narrow=narrow),
        workers=draws.choice((2, 3) if narrow else (1, 2, 2, 3)),
        narrow=narrow,
        store_faults=draws.choice((0, 0, 20, 100)),
        away=_drawn_spans(draws, start, hours, 0.2, 60),
    )
    return replace(plan, steps=tuple(sorted(_drawn_steps(draws, plan), key=lambda s: s.at)))


def _drawn_misfortune(
    draws: Random,
    customers: tuple[Customer, ...],
    start: int,
    hours: int,
    *,
    exotic: bool,
    narrow: bool,
) -> Misfortune:
    kinds = draws.sample(COMMON_FATES, draws.randint(0, len(COMMON_FATES)))
    share = draws.choice((20, 60, 120))
    fates: list[tuple[Fate, int]] = [(fate, share) for fate in kinds]
    if exotic:
        fates.append((Fate.HOURS_LATE, 50))
    cus = f"cus_{draws.choice(customers).name}"
    return Misfortune(
        fates=tuple(fates),
        reads_fail=draws.choice((0, 0, 100)),
        lag_max=draws.choice((0, 47 * HOUR) if narrow else (0, MINUTE, HOUR, 47 * HOUR)),
        outages=_drawn_spans(draws, start, hours, 0.3, 40),
        denials=_drawn_spans(draws, start, hours, 0.1, 6),
        unknown=tuple((cus, span) for span in _drawn_spans(draws, start, hours, 0.15, 20)),
    )


def _drawn_spans(
    draws: Random, start: int, hours: int, chance: float, longest: int
) -> tuple[Window, ...]:
    """Now and then a span of up to so many hours, somewhere in the run."""
    if draws.random() >= chance:
        return ()
    begin = start + draws.randrange(hours * 60) * MINUTE
    return (Window(begin, begin + draws.randint(1, longest * 60) * MINUTE),)


def _drawn_steps(draws: Random, plan: Plan) -> Iterator[Step]:
    for number, report in enumerate(plan.reports):
        if report.at <= plan.start + plan.hours * HOUR:
            yield _seeded(draws, Step(at=report.at, kind=Kind.REPORT, subject=number))
    for number, (made, _) in enumerate(plan.mappings):
        yield Step(at=made, kind=Kind.MAP, subject=number)
    for turn in _drawn_turns(draws, plan):
        if not any(span.contains(turn.at) for span in plan.away):
            yield turn
    if draws.random() < 0.3:
        for _ in range(plan.hours // 4):
            at = plan.start + draws.randrange(plan.hours * HOUR)
            skew = draws.randint(-SKEW_MAX, SKEW_MAX)
            yield Step(at=at, kind=Kind.SKEW, subject=draws.randrange(plan.workers), seed=skew)


def _drawn_turns(draws: Random, plan: Plan) -> Iterator[Step]:
    doomed = 0.4 if plan.narrow else draws.choice((0.0, 0.1, 0.3))
    busy = draws.choice((2, 4) if plan.narrow else (1, 1, 2, 4))
    aimed = plan.narrow or draws.random() < 0.7
    dooms = draws.choice(((Doom.CRASH,), (Doom.SLEEP,), (Doom.CRASH, Doom.SLEEP)))
    for hour in range(plan.hours + 1):
        at = plan.start + hour * HOUR + draws.choice((0, 5 * MINUTE, 50 * MINUTE))
        for _ in range(draws.randint(1, busy)):
            at += draws.choice((0, SECOND, MINUTE, 10 * MINUTE))
            turn = Step(at=at, kind=Kind.TURN, subject=draws.randrange(plan.workers))
            if draws.random() < doomed:
                turn = _doomed(draws, turn, draws.choice(dooms), aimed=aimed)
            yield _seeded(draws, turn)


def _doomed(draws: Random, turn: Step, doom: Doom, *, aimed: bool) -> Step:
    port = draws.choice(("", *DELICATE)) if aimed else ""
    call = draws.choice((1, 1, 1, 2)) if port else draws.randint(1, draws.choice((4, 12, 40)))
    return replace(turn, doom=doom, call=call, port=port, after=draws.random() < 0.5)


def _seeded(draws: Random, step: Step) -> Step:
    return replace(step, seed=draws.getrandbits(32))
