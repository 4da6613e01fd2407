"""A worker that sleeps between two calls, and wakes in a world that went on."""

import pytest

from tallystick.domain.instant import HOUR
from tallystick.stages.publishing import PAUSE
from tallystick.testing.contract.steps import report, seal
from tallystick.testing.factories import (
    ABSOLUTE,
    aggregate_key,
    event,
    mapping,
    override,
    place,
    tenant,
)
from tests.unit.stages.far_side import DELTA, LOST, SPRING, Desk


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


def test_a_worker_that_slept_before_it_read_the_slots_heeds_a_pause_also_for_a_later_mapping():
    told = Desk()
    told.store.catalog.save(tenant("acme"), override())
    told.store.catalog.switch(f"{PAUSE}:acme", "on", override())
    slots_due = told.store.outbox.slots_due

    def sleeps(*asked, **more):
        told.store.outbox.slots_due = slots_due
        told.store.catalog.save(mapping("acme", destination="cus_new"), override())
        report(told.store, event("e1", tenant="acme"))
        into = place(destination="cus_new", period=SPRING)
        seal(told.store, aggregate_key("acme"), into=into)
        return slots_due(*asked, **more)

    told.store.outbox.slots_due = sleeps
    told.run()

    assert slots_due().elements
    assert told.far.sent == []
