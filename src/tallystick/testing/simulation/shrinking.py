"""Shortens a failing run: leaves steps out while it still fails."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tallystick.domain.instant import format_instant
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.steps import Doom, Kind, Step
from tallystick.testing.simulation.world import Ran, run_plan

RUNS_MAX: Final = 300

Run = Callable[[Plan], Ran]


def outcome(plan: Plan, run: Run = run_plan) -> Ran | BaseException:
    """What the run came to: what it was like, or what it failed with, whatever that is."""
    with ThreadPoolExecutor(1) as alone:
        ended = alone.submit(run, plan)
    return ended.exception() or ended.result()


def shortened(plan: Plan, run: Run = run_plan, runs_max: int = RUNS_MAX) -> Plan:
    """The plan with as few steps as could be found that fails alike, within so many runs."""
    kind = _kind(outcome(plan, run))
    steps, size, runs = list(plan.steps), max(1, len(plan.steps) // 2), 0
    while runs < runs_max:
        start, dropped = 0, False
        while start < len(steps) and runs < runs_max:
            fewer = steps[:start] + steps[start + size :]
            fewer += [s for s in steps[start : start + size] if s.kind.is_setting]
            fewer.sort(key=lambda step: step.at)
            runs += 1
            if len(fewer) < len(steps) and _kind(outcome(plan.only(fewer), run)) == kind:
                steps, dropped = fewer, True
            else:
                start += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2)
    return plan.only(steps)


def _kind(ended: Ran | BaseException) -> str:
    """What failed, the names and numbers left out; empty for a run that did not fail."""
    if isinstance(ended, Ran):
        return ""
    words = re.sub(r"\S*[\d/=]\S*", "", str(ended)).split()
    return f"{type(ended).__name__} {' '.join(words)[:60]}"


def trace(plan: Plan) -> str:
    """The steps as text, one a line."""
    return "\n".join(_line(plan, step) for step in plan.steps)


def _line(plan: Plan, step: Step) -> str:
    text = f"{format_instant(step.at)}  {step.kind}"
    match step.kind:
        case Kind.REPORT:
            return f"{text}  {len(plan.reports[step.subject].events)} events"
        case Kind.MAP:
            mapping = plan.mappings[step.subject][1]
            return f"{text}  {mapping.tenant}/{mapping.meter} to {mapping.route}"
        case Kind.METER:
            return f"{text}  {plan.versions[step.subject][1]}"
        case Kind.TERMS:
            return f"{text}  of {plan.terms[step.subject][1]}"
        case Kind.PAUSE | Kind.RESUME:
            return f"{text}  {plan.pauses[step.subject][1] or 'all'}"
        case Kind.SKEW:
            return f"{text}  worker {step.subject} is {step.seed} us off"
        case Kind.TURN if step.doom is not Doom.NONE:
            when = "after" if step.after else "before"
            return f"{text}  worker {step.subject}: {step.doom} {when} call {step.call} {step.port}"
        case _:
            return f"{text}  worker {step.subject}"
