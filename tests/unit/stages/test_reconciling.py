"""Reconciling: what a difference holds back, and what may be repaired."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.discrepancy import Kind
from tallystick.domain.mapping import end_of
from tallystick.domain.statement import Subscription
from tallystick.stages.publishing import HOLD
from tallystick.stages.reconciling import Reconciling
from tallystick.testing.contract.steps import report
from tallystick.testing.factories import (
    ABSOLUTE,
    FEBRUARY,
    JANUARY,
    LIMITS,
    event,
    mapping,
    override,
    place,
    tenant,
)
from tests.unit.stages.far_side import DELTA, SPRING, Desk

AS_WE_SAY = Subscription("cus_acme", "active", JANUARY)


def reconciling(told: Desk) -> Reconciling:
    return Reconciling(store=told.store, publisher=told.far, now=told.clock.now(), limits=LIMITS)


def mapped() -> Desk:
    told = Desk()
    told.store.catalog.save(tenant(), override())
    told.store.catalog.save(mapping(), override())
    return told


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (replace(AS_WE_SAY, paused=True), "paused"),
        (replace(AS_WE_SAY, status="canceled"), "canceled"),
        (replace(AS_WE_SAY, period=FEBRUARY), "our terms say"),
    ],
)
def test_a_subscription_that_is_not_what_we_bill_by_is_held_until_it_is(shown, said, monkeypatch):
    told = mapped()
    told.grow("e1", 5)
    monkeypatch.setattr(type(told.far), "subscription", lambda _, __: shown)

    (found,) = reconciling(told).subscriptions()
    assert (found.kind, said in found.detail) == (Kind.SUBSCRIPTION, True)
    assert f"{HOLD}:cus_acme" in told.store.catalog.switches()
    told.run()
    assert told.far.sent == []

    monkeypatch.setattr(type(told.far), "subscription", lambda _, __: AS_WE_SAY)
    assert list(reconciling(told).subscriptions()) == []
    told.run()
    assert told.values == [5]


@pytest.mark.parametrize(("route", "repaired"), [(ABSOLUTE, 1), (DELTA, 0)])
def test_only_what_cannot_over_bill_is_set_again(route, repaired):
    told = Desk(route)
    told.grow("e1", 5)
    told.hours(12)
    slot = place(route, period=SPRING).slot
    told.far.held[slot] = Decimal(3)

    (found,) = reconciling(told).provider()

    assert (found.kind, found.ours, found.theirs) == (Kind.PROVIDER, 5, 3)
    assert reconciling(told).repair() == repaired
    told.run()
    assert told.far.held[slot] == (5 if repaired else 3)


def test_a_repair_by_a_reading_that_lags_leaves_no_total_unsent():
    """The total falls to just what the reading showed, before anything is set again."""
    told = Desk()
    told.grow("e1", 5)
    told.hours(12)
    told.far.shown = Decimal(0)
    assert reconciling(told).repair() == 1
    told.far.shown = None

    report(told.store, event("v1", voids="e1"))
    told.follow()
    told.hours(12)

    assert told.far.held[place(period=SPRING).slot] == 0


def test_what_was_accepted_and_is_seen_neither_there_nor_absent_is_listed():
    """Somebody else changed the sum meanwhile: no reading can decide it."""
    told = Desk(DELTA)
    told.grow("e1", 5)
    told.run()
    told.far.held[place(DELTA, period=SPRING).slot] = Decimal(3)
    told.hours(142)
    assert list(reconciling(told).provider()) == []

    told.hours(2)

    (found,) = reconciling(told).provider()
    assert (found.kind, found.ours) == (Kind.AMBIGUOUS, 5)


def test_what_is_in_flight_is_not_repaired():
    told = Desk()
    told.grow("e1", 5)
    told.run()
    told.far.held[place(period=SPRING).slot] = Decimal(3)

    assert reconciling(told).repair() == 0


def test_an_ended_mapping_asks_the_provider_for_nobody_new(monkeypatch):
    told, asked = mapped(), []
    (mapped_once,) = told.store.catalog.account("acme").mappings
    told.store.catalog.save(end_of(mapped_once, told.clock.now()), override())
    told.grow("e1", 5)
    told.run()
    monkeypatch.setattr(type(told.far), "subscription", lambda _, name: asked.append(name))

    assert list(reconciling(told).subscriptions()) == []
    assert list(reconciling(told).share(parts=1)) == []
    assert asked == ["cus_acme"]
