"""Worlds that lose their store, in memory and on a file, and go on with an older copy."""

import pytest

from tallystick.testing.fakes import HOUR_METER, ONE_RECORD, SUM_METER
from tallystick.testing.simulation.files import run_on_file
from tallystick.testing.simulation.plan import drawn_plan
from tallystick.testing.simulation.world import run_plan

RESTORED = {5: ONE_RECORD, 29: HOUR_METER, 34: SUM_METER}
"""Narrow worlds with a restore, and where their usage goes."""


@pytest.mark.parametrize("run", [run_plan, run_on_file], ids=["in memory", "on a file"])
@pytest.mark.parametrize(("seed", "route"), RESTORED.items(), ids=lambda of: str(of)[:12])
def test_every_promise_holds_where_a_backup_takes_the_place_of_a_lost_store(seed, route, run):
    plan = drawn_plan(seed, hours_max=12, narrow=True)
    assert {mapping.route for _, mapping in plan.mappings} == {route.name}

    ran = run(plan)

    assert ran.met["restored"] == 1


@pytest.mark.parametrize("seed", [5, 241])
def test_whoever_dies_after_a_restore_opens_the_file_that_took_the_place(seed):
    ran = run_on_file(drawn_plan(seed, hours_max=30, narrow=True))

    assert ran.met["restored"] == 1
    assert ran.met["reopened"] > 0


@pytest.mark.parametrize(
    "plan",
    [drawn_plan(940005348), drawn_plan(950004115, hours_max=30, narrow=True)],
    ids=["a slot that the copy never published", "one of which it reads a total that lags"],
)
def test_what_the_lost_store_told_is_no_arrear_where_its_slot_closes_before_the_copy_sends(plan):
    assert run_plan(plan).met["restored"] == 1
