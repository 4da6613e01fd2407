"""What a seed means: the tenants, meters, mappings, events, faults and steps of one world.

A plan is drawn once, whole, before anything runs. Each step has its own seed and time, so that
leaving some out changes nothing about the others: that is how a failing trace is shortened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.window import Window
from tallystick.testing.fakes import SKEW_MAX
from tallystick.testing.misfortune import Fate, Misfortune
from tallystick.testing.simulation.changes import (
    Pauses,
    Terms,
    Versions,
    drawn_chore_steps,
    drawn_chores,
    drawn_pauses,
    drawn_restore,
    drawn_setting_steps,
    drawn_suspensions,
    drawn_terms,
    drawn_versions,
    is_restorable,
    with_years,
)
from tallystick.testing.simulation.reports import (
    Report,
    drawn_backdated,
    drawn_large,
    drawn_reports,
)
from tallystick.testing.simulation.settings import (
    STARTS,
    Customer,
    drawn_customers,
    drawn_mappings,
    drawn_meters,
    narrow_meter,
    plain_meter,
    with_one_record,
)
from tallystick.testing.simulation.steps import Doom, Kind, Step, drawn_turns, seeded

COMMON_FATES: Final[tuple[Fate, ...]] = tuple(
    fate for fate in Fate if fate not in (Fate.LANDS, Fate.HOURS_LATE)
)

LARGE_FROM: Final = 1_100_000_000
"""From this seed on some worlds have large reports. The seeds below were quoted before there were
any, and stay the worlds that they were."""


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
    terms: Terms = ()
    versions: Versions = ()
    pauses: Pauses = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Whether nothing goes wrong but what customers do."""
        disturbed = any(s.doom is not Doom.NONE or s.kind.is_disturbing for s in self.steps)
        unlucky = self.misfortune != Misfortune(lag_max=self.misfortune.lag_max)
        return not (disturbed or unlucky or self.store_faults or self.away)

    def only(self, kept: list[Step]) -> "Plan":
        """The same world with these steps alone."""
        return replace(self, steps=tuple(kept))

    def customer(self, tenant: str) -> Customer:
        return next(c for c in self.customers if c.tenant == tenant)


def drawn_plan(
    seed: int,
    *,
    exotic: bool = False,
    hours_max: int = 700,
    narrow: bool = False,
    density: int = 0,
    alone: bool = False,
) -> Plan:
    """The world of a seed; with a density, one of so many events an hour at least; alone, one in
    which people do nothing but use things.

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
            max(draws.choice((40, 120) if narrow else (20, 60, 150, 300)), density * hours),
            narrow=narrow,
        ),
        misfortune=_drawn_misfortune(draws, customers, start, hours, exotic=exotic, narrow=narrow),
        workers=draws.choice((2, 3) if narrow else (1, 2, 2, 3)),
        narrow=narrow,
        store_faults=draws.choice((0, 0, 20, 100)),
        away=_drawn_spans(draws, start, hours, 0.2, 60),
    )
    plan = replace(plan, steps=tuple(_drawn_steps(draws, plan)))
    if seed >= LARGE_FROM:
        plan = _with_large_reports(Random(f"{seed}|large"), plan)
    plan = plan if alone else _with_company(plan)
    return replace(plan, steps=tuple(sorted(plan.steps, key=lambda step: step.at)))


def _with_large_reports(draws: Random, plan: Plan) -> Plan:
    """Now and then the same world with large reports of what only adds up: to a meter of its own,
    or to that of a narrow world."""
    if draws.random() >= 0.3:
        return plan
    start, hours = plan.start, plan.hours
    if not plan.narrow:
        meter = plain_meter(draws, f"m{len(plan.meters)}")
        mapped = drawn_mappings(draws, plan.customers, (meter,), start, hours)
        added = _mapping_steps(mapped, len(plan.mappings))
        plan = replace(
            plan,
            meters=(*plan.meters, meter),
            mappings=plan.mappings + mapped,
            steps=(*plan.steps, *added),
        )
    large = drawn_large(draws, plan.customers, plan.meters[-1].code, start, hours)
    during = tuple(report for report in large if report.at <= start + hours * HOUR)
    steps = _report_steps(draws, during, len(plan.reports))
    return replace(plan, reports=plan.reports + during, steps=(*plan.steps, *steps))


def _with_company(plan: Plan) -> Plan:
    """The same world with the third kind of provider, what people do and what is lost, each from
    a stream of its own."""
    draws = Random(f"{plan.seed}|once")
    if draws.random() < 0.25:
        plan = replace(plan, mappings=with_one_record(draws, plan.mappings))
    draws = Random(f"{plan.seed}|people")
    plan = plan if draws.random() < 0.4 else _with_people(draws, plan)
    if plan.narrow and is_restorable(plan.customers, plan.meters, plan.mappings):
        restore = drawn_restore(Random(f"{plan.seed}|restore"), plan.start, plan.hours)
        plan = replace(plan, steps=(*plan.steps, *restore))
    return plan


def _with_people(draws: Random, plan: Plan) -> Plan:
    """The same world with what people change and do in it."""
    start, hours = plan.start, plan.hours
    customers, terms = drawn_terms(draws, with_years(draws, plan.customers), start, hours)
    backdated = drawn_backdated(draws, customers, start, hours) if draws.random() < 0.2 else ()
    versions = () if plan.narrow else drawn_versions(draws, plan.meters, start, hours)
    pauses = drawn_pauses(draws, customers, start, hours)
    chores = drawn_chores(draws)
    suspended = drawn_suspensions(draws, plan.mappings, start, hours) if chores.reconcile else ()
    steps = (
        *plan.steps,
        *drawn_setting_steps(terms, versions, pauses),
        *drawn_chore_steps(draws, chores, start, hours, plan.workers),
        *_report_steps(draws, backdated, len(plan.reports)),
    )
    return replace(
        plan,
        customers=customers,
        reports=plan.reports + backdated,
        terms=terms,
        versions=versions,
        pauses=pauses,
        misfortune=replace(plan.misfortune, suspended=suspended),
        steps=steps,
    )


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


def _report_steps(draws: Random, reports: Iterable[Report], first: int) -> Iterator[Step]:
    for number, report in enumerate(reports, first):
        yield seeded(draws, Step(at=report.at, kind=Kind.REPORT, subject=number))


def _mapping_steps(mappings: tuple[tuple[int, Mapping], ...], first: int) -> Iterator[Step]:
    for number, (made, _) in enumerate(mappings, first):
        yield Step(at=made, kind=Kind.MAP, subject=number)


def _drawn_steps(draws: Random, plan: Plan) -> Iterator[Step]:
    during = (r for r in plan.reports if r.at <= plan.start + plan.hours * HOUR)
    yield from _report_steps(draws, during, 0)
    yield from _mapping_steps(plan.mappings, 0)
    for turn in drawn_turns(draws, plan.start, plan.hours, plan.workers, narrow=plan.narrow):
        if not any(span.contains(turn.at) for span in plan.away):
            yield turn
    if draws.random() < 0.3:
        for _ in range(plan.hours // 4):
            at = plan.start + draws.randrange(plan.hours * HOUR)
            skew = draws.randint(-SKEW_MAX, SKEW_MAX)
            yield Step(at=at, kind=Kind.SKEW, subject=draws.randrange(plan.workers), seed=skew)
