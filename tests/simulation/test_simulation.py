"""Some hundred worlds in which everything goes wrong, and planted bugs that must not survive."""

import pytest

from tallystick.bootstrap import open_store
from tallystick.testing.simulation.plan import drawn_plan
from tallystick.testing.simulation.shrinking import outcome, shortened
from tallystick.testing.simulation.world import Ran, run_plan
from tests.simulation.mutants import MUTANTS

CHUNK = 20
MUTANT_SEEDS = range(400)
HINTS = (194, 303, 76, 145)
"""Seeds that found the rarest ones, tried first."""


def failures(seeds, hours_max=72, run=run_plan, *, narrow=False):
    plans = ((seed, drawn_plan(seed, hours_max=hours_max, narrow=narrow)) for seed in seeds)
    ended = ((seed, outcome(plan, run)) for seed, plan in plans)
    return [(seed, str(found)) for seed, found in ended if isinstance(found, BaseException)]


@pytest.mark.parametrize("first", range(0, 200, CHUNK))
def test_every_promise_holds_in_worlds_where_everything_goes_wrong(first):
    assert failures(range(first, first + CHUNK)) == []


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_every_promise_holds_on_files(first, tmp_path):
    def on_file(plan):
        store = open_store(f"sqlite:///{tmp_path / f'{plan.seed}.db'}")
        try:
            return run_plan(plan, store)
        finally:
            store.close()

    assert failures(range(first, first + 5), hours_max=12, run=on_file) == []


@pytest.mark.parametrize("plant", MUTANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant, monkeypatch):
    plant(monkeypatch)

    plans = (
        drawn_plan(seed, hours_max=72, narrow=seed % 2 == 0) for seed in (*HINTS, *MUTANT_SEEDS)
    )
    failed = next(r for r in map(outcome, plans) if isinstance(r, BaseException))

    # A promise that is seen broken, and no error of the planted bug itself.
    assert isinstance(failed, AssertionError), repr(failed)


def test_the_same_seed_is_the_same_world():
    first, second = ([run_plan(drawn_plan(seed)) for seed in range(10)] for _ in range(2))

    assert first == second
    assert sum(ran.attempts for ran in first) > 100


def test_what_goes_wrong_is_met_in_a_few_dozen_worlds():
    met = set()
    for seed in range(40):
        met |= run_plan(drawn_plan(seed, hours_max=30)).met.keys()

    assert met >= {
        *("lost", "answer_lost", "late", "busy", "failed", "failed_after", "swallowed", "refused"),
        *("crash", "sleep", "store_before", "store_after"),
    }


def test_a_failing_trace_is_shortened_to_steps_that_fail_alike(monkeypatch):
    plant = next(plant for plant in MUTANTS if plant.__name__ == "no_uniqueness")
    plant(monkeypatch)
    plan = next(p for p in map(drawn_plan, range(50)) if not isinstance(outcome(p), Ran))

    short = shortened(plan)

    assert len(short.steps) < len(plan.steps)
    assert isinstance(outcome(short), AssertionError)
