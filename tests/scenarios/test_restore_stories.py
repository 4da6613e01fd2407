"""A copy of a store is opened again: it has forgotten what was sent after it was made."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.discrepancy import Kind
from tallystick.domain.instant import HOUR, format_instant, parse_instant
from tallystick.domain.meter import Closed, Span
from tallystick.ports import Store
from tallystick.stages.publishing import PAUSE, RESTORED
from tallystick.stages.restoring import Adopted, adopt, begin
from tests.scenarios.story import WHO, Story, story

MONTH = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
NEXT_MONTH = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
METERS = pytest.mark.parametrize("window", ["hour", None], ids=["hour meter", "sum meter"])


def lost_after_sending(told: Story, told_of: str, quantity: int) -> Store:
    """The store tells Stripe an hour that its last copy does not have, and is lost. The copy is
    restored while all sending is paused, and only then it is told again."""
    copy = told.store.copy()  # type: ignore[attr-defined]
    told.report("acme", told_of, quantity, key="sent by the lost copy")
    told.until(format_instant(parse_instant(told_of) + HOUR))
    assert told.at_stripe("acme", "used", *MONTH) == Decimal(quantity)
    told.store = copy
    told.intake = told.intake_anew()
    copy.catalog.switch(PAUSE, "until we have looked", WHO)
    begin(copy, "second life", replace(WHO, at=told.clock.now()))
    told.days_later(3)
    adopted(told)
    told.report("acme", told_of, quantity, key="sent by the lost copy")
    told.run()
    return copy


def adopted(told: Story) -> None:
    audit = replace(WHO, at=told.clock.now())
    adopt(told.store, told.publisher, told.clock.now(), audit, limits=told.limits)


def resume(told: Story) -> None:
    told.store.catalog.switch(PAUSE, None, WHO)


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


@METERS
@pytest.mark.parametrize("closed", list(Closed))
def test_what_the_lost_copy_sent_counts_where_its_hour_closed_before_sending_was_resumed(
    window: str | None, closed: Closed
) -> None:
    """The copy has never published the hour, and holds it for undelivered; so it would be carried
    into the next month, and billed twice."""
    with story("2026-01-28T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used", closed=closed)
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=window)
        told.jump("2026-01-28T10:30:00Z")
        lost_after_sending(told, "2026-01-28T10:10:00Z", 2)
        told.jump("2026-02-01T01:30:00Z")
        resume(told)

        told.days_later(6)

        assert told.at_stripe("acme", "used", *MONTH) == Decimal(2)
        assert told.at_stripe("acme", "used", *NEXT_MONTH) == Decimal(0)
        assert told.discrepancies() == []


@METERS
def test_what_the_lost_copy_sent_is_taken_back_where_it_is_void_before_sending_is_resumed(
    window: str | None,
) -> None:
    """The slot's total is zero again before the copy has ever published it."""
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=window)
        told.jump("2026-01-10T10:30:00Z")
        lost_after_sending(told, "2026-01-10T10:10:00Z", 2)
        told.report("acme", "", voids="sent by the lost copy")
        resume(told)

        told.days_later(4)

        assert told.at_stripe("acme", "used", *MONTH) == Decimal(0)
        assert told.discrepancies() == []


def test_what_was_to_be_set_again_and_closed_meanwhile_is_read_and_listed() -> None:
    """Its tenant was paused, so that the zero could not be sent in time."""
    with story("2026-01-28T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-28T10:30:00Z")
        copy = lost_after_sending(told, "2026-01-28T10:10:00Z", 2)
        told.report("acme", "", voids="sent by the lost copy")
        copy.catalog.switch(f"{PAUSE}:acme", "it asked us to wait", WHO)
        resume(told)

        told.days_later(8)

        (one,) = copy.outbox.slots().elements
        assert (one.slot.total, one.slot.confirmed) == (0, 2)
        found = {(d.kind, d.ours, d.theirs) for d in told.discrepancies()}
        assert (Kind.UNDELIVERED, Decimal(0), Decimal(2)) in found


@METERS
def test_an_hour_that_only_the_lost_copy_knew_is_listed_until_it_is_told_again(
    window: str | None,
) -> None:
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=window)
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.jump("2026-01-10T10:30:00Z")
        told.report("acme", "2026-01-10T10:10:00Z", 2, key="sent by the lost copy")
        told.until("2026-01-10T11:10:00Z")
        told.store = copy
        told.intake = told.intake_anew()
        begin(copy, "second life", replace(WHO, at=told.clock.now()))
        told.days_later(3)
        adopted(told)
        told.days_later(1)

        (found,) = told.discrepancies()
        shared = list(told.reconciling().share(parts=1))

        assert (found.kind, found.ours, found.theirs) == (Kind.PROVIDER, Decimal(0), Decimal(2))
        assert "2026-01-10T10%3A00%3A00Z" in found.subject
        assert "report it again" in found.detail
        assert {d.subject for d in shared} == {found.subject}
        told.report("acme", "2026-01-10T10:10:00Z", 2, key="sent by the lost copy")
        told.days_later(4)
        assert told.at_stripe("acme", "used", *MONTH) == Decimal(2)
        assert told.discrepancies() == []


def test_a_restore_that_somebody_else_has_ended_touches_nothing() -> None:
    """Two people run it at once, and the slower one still sees the switch: what it finds unsettled
    is no memory of the copy, but was sent a moment ago."""
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        begin(told.store, "second life", replace(WHO, at=told.clock.now()))
        adopted(told)
        told.report("acme", "2026-01-10T00:00:00Z", 2)
        told.until("2026-01-10T01:10:00Z")
        sent = told.store.outbox.publications(unsettled=True).elements

        done = adopt(told.store, told.publisher, told.clock.now(), WHO, limits=told.limits)

        assert done == Adopted(0, 0)
        assert len(sent) == 1
        assert told.store.outbox.publications(unsettled=True).elements == sent
