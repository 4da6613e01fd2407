"""python -m tallystick.testing.simulation --seeds N [--first K] | --seed N [--verbose].

Exit code 0 where every promise held, 1 where one did not: then it prints the seed, the revision
of the code, what failed and a shortened trace. SIGINT and SIGTERM end it with 130, or 1 after a
failure, and a summary of the worlds that had come to their end.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Final

from tallystick.domain.instant import DAY, HOUR
from tallystick.testing.simulation.coverage import SITUATIONS
from tallystick.testing.simulation.files import run_on_file
from tallystick.testing.simulation.plan import LARGE_FROM, Plan, drawn_plan
from tallystick.testing.simulation.shrinking import Run, outcome, shortened, trace
from tallystick.testing.simulation.world import Ran, run_plan

YEAR: Final = 365 * DAY
FRESH_MAX: Final = 2**31
INTERRUPTED: Final = 130


@dataclass(kw_only=True)
class Sitting:
    """What all runs of this sitting came to."""

    runs: int = 0
    failed: list[int] = field(default_factory=list)
    events: int = 0
    simulated: int = 0
    entries: int = 0
    attempts: int = 0
    seconds: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    worlds: Counter[str] = field(default_factory=Counter)
    """In how many worlds each situation was met."""
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, ran: Ran) -> None:
        self.runs += 1
        self.events += ran.events
        self.simulated += ran.simulated
        self.entries += ran.entries
        self.attempts += ran.attempts
        self.met += ran.met
        self.worlds.update((+ran.met).keys())
        self.notes += ran.notes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that are asked for."""
    options = _parser().parse_args(arguments)
    first = options.first
    if first is None:
        first = (
            SystemRandom().randrange(LARGE_FROM, FRESH_MAX)
            if options.seed is None
            else options.seed
        )
    seeds = range(first, first + (1 if options.seed is not None else options.seeds))
    sitting, ending = Sitting(), 0
    try:
        _run_seeds(seeds, options, sitting)
    except KeyboardInterrupt:
        ending = INTERRUPTED
    _print_sitting(seeds, sitting)
    if options.coverage:
        _print_coverage(sitting)
    sys.stdout.flush()  # the world under way is waited for yet
    return 1 if sitting.failed else ending


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tallystick.testing.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many worlds")
    parser.add_argument("--first", type=int, help="the first seed; else one nobody has seen")
    parser.add_argument("--seed", type=int, help="this world alone")
    parser.add_argument("--verbose", action="store_true", help="what each world was like")
    parser.add_argument("--density", type=int, default=0, help="events an hour at least")
    parser.add_argument("--coverage", action="store_true", help="what was met, as a table")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite files, not in memory")
    parser.add_argument("--failures-max", type=int, default=3, help="stop after so many failures")
    parser.add_argument(
        "--exotic", action="store_true", help="with faults beyond what the design assumes"
    )
    return parser


def _run_seeds(seeds: range, options: argparse.Namespace, sitting: Sitting) -> None:
    run = run_on_file if options.sqlite else run_plan
    for seed in seeds:
        if len(sitting.failed) >= options.failures_max:
            break
        plan = drawn_plan(seed, exotic=options.exotic, density=options.density)
        _run_plan(plan, run, sitting, verbose=options.verbose)


def _run_plan(plan: Plan, run: Run, sitting: Sitting, *, verbose: bool) -> None:
    began = time.process_time()  # others may want the machine too
    ended = outcome(plan, run)
    sitting.seconds += time.process_time() - began
    if isinstance(ended, BaseException):
        sitting.failed.append(plan.seed)
        _print_failure(plan, run, ended)
        return
    sitting.add(ended)
    if verbose:
        print(f"seed {plan.seed}: {ended}")


def _print_failure(plan: Plan, run: Run, failure: BaseException) -> None:
    failed = f"{type(failure).__name__}: {failure}"
    print(f"seed {plan.seed} fails at revision {_revision()}: {failed}")
    if not isinstance(failure, AssertionError):
        traceback.print_exception(failure)
    short = shortened(plan, run)
    print(f"{len(short.steps)} of {len(plan.steps)} steps are enough:")
    print(trace(short))
    print(f"again: {outcome(short, run)}")
    print(f"meters: {[f'{m.id} {m.aggregation} {m.span} {m.closed}' for m in plan.meters]}")
    print(f"misfortune: {plan.misfortune}")


def _revision() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    told = subprocess.run(  # noqa: S603
        [git, "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def _print_sitting(seeds: range, sitting: Sitting) -> None:
    hours = max(1, sitting.simulated // HOUR)
    rate = sitting.simulated / YEAR / max(sitting.seconds, 1e-9) * 86_400
    ran = seeds[: sitting.runs + len(sitting.failed)]
    if len(ran) < len(seeds):
        print(f"stopped after {len(ran)} of {len(seeds)} seeds")
    print(f"seeds {ran.start} to {ran.stop - 1}: {len(sitting.failed)} failed {sitting.failed}")
    print(
        f"{hours} simulated hours, {sitting.events} events ({sitting.events / hours:.0f} an hour), "
        f"{sitting.entries} entries, {sitting.attempts} attempts in {sitting.seconds:.1f} s of "
        f"processor time: {rate:.0f} simulated years a day on one core"
    )
    unmet = [name for name in SITUATIONS if not sitting.met[name]]
    print(f"met: {len(SITUATIONS) - len(unmet)} of {len(SITUATIONS)} situations, not {unmet}")
    print(f"left for people: {dict(sitting.notes.most_common())}")


def _print_coverage(sitting: Sitting) -> None:
    """A Markdown table: docs/simulator.md shows one."""
    print("\n| what is met | in % of the worlds | times |\n| --- | --- | --- |")
    for name, what in SITUATIONS.items():
        share = 100 * sitting.worlds[name] / max(1, sitting.runs)
        print(f"| {what} | {share:.1f} | {sitting.met[name]:,} |")


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    sys.exit(main())
