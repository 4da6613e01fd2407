"""A worker that sleeps between two calls, and wakes in a world that went on."""

import pytest

from tallystick.domain.instant import HOUR
from tallystick.stages import sealing
from tallystick.stages.publishing import PAUSE
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import (
    count,
    due_keys,
    every,
    find,
    next_of,
    report,
    seal,
)
from tallystick.testing.factories import (
    ABSOLUTE,
    NOON,
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


@pytest.mark.parametrize("first", [0, 5], ids=["never sealed", "sealed before"])
def test_an_older_total_that_a_sleeper_appends_under_another_sealer_is_put_right(first):
    store = MemoryStore("here")
    store.catalog.save(tenant(), override())
    store.catalog.save(mapping(), override())
    if first:
        count(store, "e0", first)
        seal(store)
    count(store, "e1", 2)
    older = next_of(store)
    report(store, event("v1", 0, voids="e1"))
    clear_due = store.ledger.clear_due

    def wakes(seen):
        store.ledger.append([older])
        clear_due(seen)

    store.ledger.clear_due = wakes
    sealing.seal(store, {ABSOLUTE.name: ABSOLUTE}, NOON, limits=SealLimits())
    store.ledger.clear_due = clear_due
    assert every(store.ledger.entries)[-1].total == first + 2
    sealing.seal(store, {ABSOLUTE.name: ABSOLUTE}, NOON, limits=SealLimits())

    assert every(store.ledger.entries)[-1].total == find(store).value == first
    assert due_keys(store) == []
