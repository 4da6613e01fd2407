"""The server killed under load, a few times. `make crashes` does it 200 times."""

import pytest

from tests.crash.kills import live_a_world


@pytest.mark.kill
def test_what_was_acked_before_a_kill_is_counted_once_and_told_once():
    world = live_a_world("the test's own", 4)

    assert world.found.is_clean, str(world.found)
    assert world.acked > 2_000
    assert world.published
