"""A worker that sleeps between two calls, and wakes in a world that went on."""

import pytest

from tallystick.domain.instant import HOUR
from tallystick.testing.factories import ABSOLUTE
from tests.unit.stages.far_side import DELTA, LOST, Desk


@pytest.mark.parametrize("route", [ABSOLUTE, DELTA], ids=lambda route: route.name)
def test_a_worker_that_slept_after_it_decided_to_resend_does_not_resend_too_late(route):
    told = Desk(route)
    told.far.fates = [LOST]
    told.grow("e1", 5)
    told.run()
    told.clock.sleep(HOUR)
    clear_due = told.store.outbox.clear_due

    def sleeps(read):
        clear_due(read)
        told.clock.sleep(24 * HOUR)

    told.store.outbox.clear_due = sleeps
    told.run()
    told.store.outbox.clear_due = clear_due

    resent = [at for at, sent in told.far.sent if sent.slot_revision == 1]
    assert len(resent) == 1
