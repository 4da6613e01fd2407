"""A copy of a store is opened again: it has forgotten what was sent after it was made."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.instant import format_instant
from tallystick.domain.meter import Span
from tallystick.stages.publishing import PAUSE, RESTORED
from tallystick.stages.restoring import adopt, begin
from tests.scenarios.story import WHO, story

MONTH = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")


def test_what_the_lost_copy_sent_is_not_added_again_when_it_is_reported_after_the_restore() -> None:
    """The copy knows nothing of the hour when it adopts; the report comes back days later."""
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=None)
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.jump("2026-01-10T00:30:00Z")
        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by the lost copy")
        told.until("2026-01-10T01:10:00Z")
        assert told.at_stripe("acme", "used", *MONTH) == Decimal(2)
        told.store = copy
        told.intake = told.intake_anew()
        begin(copy, "second life", replace(WHO, at=told.clock.now()))
        told.days_later(3)
        audit = replace(WHO, at=told.clock.now())
        adopt(copy, told.publisher, told.clock.now(), audit, limits=told.limits)

        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by the lost copy")
        told.report("acme", "2026-01-10T00:10:00Z", 3, key="new")
        told.days_later(4)

        assert told.at_stripe("acme", "used", *MONTH) == Decimal(5)
        assert told.discrepancies() == []


@pytest.mark.parametrize("window", ["hour", None])
def test_an_hour_that_only_the_lost_copy_filled_pauses_its_tenant_where_it_would_be_billed_besides(
    window: str | None,
) -> None:
    """A meter over the period: the restored copy seals the same growth into another hour."""
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used", span=Span.PERIOD)
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=window)
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.jump("2026-01-10T00:30:00Z")
        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by the lost copy")
        told.until("2026-01-10T02:10:00Z")
        told.store = copy
        told.intake = told.intake_anew()
        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by the lost copy")
        begin(copy, "second life", replace(WHO, at=told.clock.now()))
        told.days_later(3)
        audit = replace(WHO, at=told.clock.now())
        done = adopt(copy, told.publisher, told.clock.now(), audit, limits=told.limits)

        told.days_later(4)

        ((tenant, slot),) = done.forgotten
        assert (tenant, format_instant(slot.start)) == ("acme", "2026-01-10T00:00:00Z")
        assert f"{PAUSE}:acme" in copy.catalog.switches()
        assert told.at_stripe("acme", "used", *MONTH) == Decimal(2)


def test_a_restore_that_lost_nothing_pauses_nobody() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used", span=Span.PERIOD)
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.report("acme", "2026-01-10T00:00:00Z", 2)
        told.until("2026-01-10T05:10:00Z")
        begin(told.store, "second life", replace(WHO, at=told.clock.now()))
        audit = replace(WHO, at=told.clock.now())

        done = adopt(told.store, told.publisher, told.clock.now(), audit, limits=told.limits)

        assert done.forgotten == ()
        assert told.store.catalog.switches().keys() == {RESTORED}


def test_what_the_copy_remembers_unsettled_in_a_closed_hour_is_settled_by_what_is_there() -> None:
    """The lost store settled it, and sent a correction since; then the period closed."""
    with story("2026-01-31T22:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=None)
        told.jump("2026-01-31T22:30:00Z")
        told.report("acme", "2026-01-31T22:10:00Z", 2)
        told.until("2026-01-31T23:10:00Z")
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.report("acme", "2026-01-31T22:20:00Z", 3, key="after the copy")
        told.until("2026-02-01T00:20:00Z")
        told.store = copy
        told.intake = told.intake_anew()
        begin(copy, "second life", replace(WHO, at=told.clock.now()))
        told.days_later(3)
        audit = replace(WHO, at=told.clock.now())

        adopt(copy, told.publisher, told.clock.now(), audit, limits=told.limits)

        assert copy.outbox.publications(unsettled=True).elements == ()
        (due,) = copy.outbox.slots().elements
        assert due.slot.confirmed == told.at_stripe("acme", "used", *MONTH)
