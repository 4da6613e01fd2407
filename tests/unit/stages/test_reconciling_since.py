"""How far back reconciling looks into the provider's books, and what it lists all the same."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.discrepancy import Kind
from tallystick.domain.instant import DAY, EARLIEST, SECOND
from tallystick.domain.publication import Answer, Outcome
from tallystick.domain.tenant import Tenant, Terms
from tallystick.stages.reconciling import COMPARED_FOR, Reconciling
from tallystick.testing.factories import ABSOLUTE, LIMITS, mapping, override, place
from tests.unit.stages.far_side import SPRING, Desk

SLOT = place(ABSOLUTE, period=SPRING).slot


def changed_behind_our_back(at: int) -> Desk:
    """What was confirmed once, and what the provider shows of it later."""
    told = Desk()
    told.grow("e1", 5)
    told.hours(12)
    told.far.held[SLOT] = Decimal(3)
    told.clock.at = at
    return told


def reconciling(told: Desk, since: int | None = None) -> Reconciling:
    return Reconciling(
        store=told.store,
        publisher=told.far,
        now=told.clock.now(),
        limits=LIMITS,
        since=since,
    )


def kinds(told: Desk, since: int | None = None) -> list[Kind]:
    return [found.kind for found in reconciling(told, since).provider()]


def test_a_bill_is_compared_for_forty_days_after_its_end():
    assert Kind.PROVIDER in kinds(changed_behind_our_back(SPRING.end + COMPARED_FOR - SECOND))
    assert kinds(changed_behind_our_back(SPRING.end + COMPARED_FOR)) == []


@pytest.mark.parametrize("since", [EARLIEST, 0, SPRING.start, SPRING.end - SECOND])
def test_an_older_one_is_compared_where_somebody_asks(since: int):
    told = changed_behind_our_back(SPRING.end + 400 * DAY)

    assert Kind.PROVIDER in kinds(told, since)
    assert kinds(told, SPRING.end) == []


def test_a_long_period_is_compared_from_its_start():
    told = changed_behind_our_back(SPRING.end + COMPARED_FOR - SECOND)
    told.store.catalog.save(Tenant(id="acme", versions=(Terms(anchor=SPRING.start),)), override())
    told.store.catalog.save(mapping(), override())

    assert Kind.PROVIDER in kinds(told, SPRING.start + DAY)


def test_what_never_arrived_is_listed_however_old_it_is():
    told = Desk()
    told.far.fates = [(False, Answer(Outcome.REFUSED, "archived_meter"))] * 100
    told.grow("e1", 5)
    told.run()
    told.clock.at = SPRING.end + 400 * DAY

    (found,) = reconciling(told).provider()

    assert (found.kind, found.subject, found.ours) == (Kind.UNDELIVERED, str(SLOT), 5)


def test_it_can_be_said_what_was_left_out():
    told = Desk()

    assert reconciling(told).compared_from == told.clock.now() - COMPARED_FOR
    assert replace(reconciling(told), since=7).compared_from == 7


def test_it_is_known_whether_anything_was_left_out():
    told = changed_behind_our_back(SPRING.end + 400 * DAY)

    assert reconciling(told).leaves_out()
    assert not reconciling(told, since=EARLIEST).leaves_out()
    assert not reconciling(Desk()).leaves_out()
