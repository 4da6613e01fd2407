"""The two halves held together: each story plants a difference and sees it named."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import SECOND
from tallystick.domain.instant import parse_instant as at
from tallystick.domain.ledger import Entry
from tallystick.domain.meter import Aggregation, Closed, Span
from tallystick.domain.publication import State
from tallystick.ports import Override, Page
from tallystick.sandbox import Fault
from tallystick.stages.restoring import adopt, begin
from tallystick.stages.tracing import events_behind, trace
from tallystick.stages.verifying import verify
from tests.scenarios.story import WHO, Story, story


def a_billed_day(told: Story) -> str:
    told.tenant("acme")
    told.meter("used", closed=Closed.HOLD)
    customer = told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
    for hour in range(3):
        told.jump(f"2026-01-10T{hour:02}:30:00Z")
        told.report("acme", f"2026-01-10T{hour:02}:10:00Z", hour + 1, key=f"h{hour}")
        told.until(told.next_hour())
    told.days_later(1)
    assert told.discrepancies() == []
    return customer


def test_an_aggregate_changed_by_hand_is_named() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        a_billed_day(told)
        aggregate = told.store.events.aggregates().elements[1]
        forged = replace(aggregate, tally=replace(aggregate.tally, total=Decimal(99)))
        original = told.store.events.aggregates

        def with_the_forgery(**asked: object) -> Page[object]:
            page = original(**asked)  # type: ignore[arg-type]
            return Page(tuple(forged if a == aggregate else a for a in page.elements), page.cursor)

        told.store.events.aggregates = with_the_forgery  # type: ignore[method-assign,assignment]

        kinds = {str(d.kind): (d.ours, d.theirs) for d in told.discrepancies()}

        assert kinds["aggregate_differs_from_events"] == (Decimal(2), Decimal(99))
        assert kinds["ledger_differs_from_aggregate"] == (Decimal(2), Decimal(99))


def test_a_total_changed_at_the_provider_is_named_and_an_absolute_slot_repaired() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        a_billed_day(told)
        meter = told.stripe.v1.billing.meters.list().data[0].id
        hour = at("2026-01-10T01:00:00Z") // SECOND

        told.sandbox.set_total(meter, "cus_acme", hour, Decimal(7))

        found = [(d.kind, d.ours, d.theirs) for d in told.discrepancies()]
        assert found == [("provider_differs_from_slot", Decimal(2), Decimal(7))]
        assert told.reconciling().repair() == 1
        told.run()
        told.days_later(3)
        assert told.discrepancies() == []


def test_usage_that_was_accepted_after_finalisation_is_named_not_billed() -> None:
    """Stripe answers 200 for 35 days; the invoice was written after one hour."""
    with story("2026-01-31T22:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-31T23:50:00Z")
        told.report("acme", "2026-01-31T23:10:00Z", 5)
        # Somebody set the grace shorter at Stripe, or the invoice was finalised by hand.
        told.jump("2026-02-01T00:05:00Z")
        told.sandbox.add_fault(
            Fault(
                kind="late",
                path="/v1/billing/meter_events",
                count=1,
                landing_seconds=2 * 3600,
            )
        )
        told.run()
        told.jump("2026-02-01T03:00:00Z")
        told.run()
        told.days_later(3)

        found = [(str(d.kind), d.ours, d.theirs) for d in told.discrepancies()]

        assert ("accepted_not_billed", Decimal(5), Decimal(0)) in found


@pytest.mark.parametrize("policy", [Closed.HOLD, Closed.CARRY])
def test_a_report_after_the_invoice_is_held_or_carried_as_the_meter_says(policy: Closed) -> None:
    with story("2026-01-31T22:00:00Z") as told:
        told.tenant("acme")
        told.meter("used", closed=policy)
        customer = told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-31T23:50:00Z")
        told.report("acme", "2026-01-31T23:10:00Z", 5)
        told.until("2026-02-01T03:10:00Z")

        told.report("acme", "2026-01-31T23:20:00Z", 3)
        told.until("2026-02-01T04:10:00Z")
        told.days_later(3)

        held = [(d.kind, d.ours, d.theirs) for d in told.discrepancies()]
        told.jump("2026-03-01T02:00:00Z")
        told.run()
        billed = told.invoiced(customer)
        if policy is Closed.HOLD:
            assert held == [("held", Decimal(8), Decimal(5))]
            assert billed == [Decimal(5), Decimal(0)]
        else:
            assert held == []
            assert billed == [Decimal(5), Decimal(3)]


def test_what_an_outage_kept_from_a_closed_slot_is_carried_into_the_next_period() -> None:
    with story("2026-01-31T22:00:00Z") as told:
        told.tenant("acme")
        told.meter("used", closed=Closed.CARRY)
        customer = told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-31T23:50:00Z")
        told.report("acme", "2026-01-31T23:10:00Z", 5)
        told.sandbox.add_fault(
            Fault(
                kind="outage",
                start=at("2026-01-31T23:59:00Z") // SECOND,
                end=at("2026-02-01T20:00:00Z") // SECOND,
            )
        )
        told.until("2026-02-01T22:10:00Z")
        told.days_later(5)
        told.jump("2026-03-01T02:00:00Z")
        told.run()

        assert told.invoiced(customer) == [Decimal(0), Decimal(5)]


def test_a_carry_takes_from_a_shared_slot_no_more_than_its_tenant_has_there() -> None:
    """One tenant's later loss had lowered its earlier slot; the other's usage is still in it."""
    with story("2026-01-31T20:00:00Z") as told:
        told.meter("used", closed=Closed.CARRY, negatives=True)
        told.tenant("loses")
        told.tenant("alone")
        told.subscribes("loses", "used", anchor="2026-01-01T00:00:00Z")
        told.shares("alone", "used", "cus_loses")
        outage = at("2026-01-31T20:00:00Z") // SECOND, at("2026-02-01T20:00:00Z") // SECOND
        told.sandbox.add_fault(Fault(kind="outage", start=outage[0], end=outage[1]))
        told.jump("2026-01-31T20:30:00Z")
        told.report("loses", "2026-01-31T20:10:00Z", 6)
        told.report("alone", "2026-01-31T20:10:00Z", 10)
        told.until("2026-01-31T21:10:00Z")
        told.report("loses", "2026-01-31T21:05:00Z", -6)
        told.until("2026-02-01T22:10:00Z")
        told.days_later(5)

        last = told.store.ledger.entries(tenant="loses", meter="used").elements[-1]
        assert (last.billed, last.allocated) == (Decimal(0), Decimal(0))
        month = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
        assert told.at_stripe("loses", "used", *month) == Decimal(10)
        moved = [
            (entry.key.tenant, entry.moved)
            for tenant in ("loses", "alone")
            for entry in told.store.ledger.entries(tenant=tenant, meter="used").elements
            if entry.moved
        ]
        assert moved == [("alone", Decimal(-10)), ("alone", Decimal(10))]


def test_a_void_of_the_months_maximum_takes_it_back_from_the_hours_that_raised_it() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("peak", Aggregation.MAX, span=Span.PERIOD)
        customer = told.subscribes("acme", "peak", anchor="2026-01-01T00:00:00Z")
        for hour, quantity in ((1, 4), (3, 9), (5, 11)):
            told.jump(f"2026-01-10T{hour:02}:30:00Z")
            told.report("acme", f"2026-01-10T{hour:02}:10:00Z", quantity, key=f"p{quantity}")
            told.until(told.next_hour())

        told.report("acme", "2026-01-10T07:00:00Z", voids="p11")
        told.report("acme", "2026-01-10T07:00:00Z", voids="p9")
        told.until("2026-01-10T09:10:00Z")

        month = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        assert told.at_stripe("acme", "peak", *month) == Decimal(4)
        told.jump("2026-02-01T02:00:00Z")
        told.run()
        told.days_later(3)
        assert told.invoiced(customer) == [Decimal(4)]
        assert told.discrepancies() == []


def test_verify_names_the_ledger_line_that_was_changed() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        a_billed_day(told)
        chain = told.store.ledger.entries(tenant="acme", meter="used").elements
        forged = (chain[0], replace(chain[1], delta=Decimal(20)), chain[2])

        def with_the_forgery(**_: object) -> Page[Entry]:
            return Page(forged)

        told.store.ledger.entries = with_the_forgery  # type: ignore[method-assign,assignment]

        assert [d.detail for d in verify(told.store, told.clock.now())] == ["line 2 was changed"]


def test_trace_lists_exactly_the_events_behind_a_publication() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        a_billed_day(told)
        told.report("acme", "2026-01-10T01:20:00Z", 10, key="late")
        told.run()
        told.days_later(1)
        first, second = (
            p
            for p in told.store.outbox.publications().elements
            if p.slot.start == at("2026-01-10T01:00:00Z")
        )

        lineage = trace(told.store, second.identifier)

        assert [key for _, key in trace(told.store, first.identifier).event_keys()] == ["h1"]
        assert lineage.total == Decimal(12) == second.total
        behind = events_behind(told.store, lineage.event_keys())
        assert [(e.key, e.quantity) for e in behind] == [("h1", Decimal(2)), ("late", Decimal(10))]


def audit(told: Story) -> Override:
    return replace(WHO, at=told.clock.now())


def test_a_restored_copy_sends_nothing_until_it_has_adopted_what_stripe_holds() -> None:
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-10T00:30:00Z")
        told.report("acme", "2026-01-10T00:10:00Z", 2, key="before")
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.until("2026-01-10T01:10:00Z")
        told.store = copy
        told.intake = told.intake_anew()

        begin(copy, "second life", audit(told))
        told.until("2026-01-10T03:10:00Z")
        assert copy.outbox.publications().elements == ()
        told.report("acme", "2026-01-10T00:20:00Z", 3, key="after")
        told.run()
        adopt(copy, told.publisher, told.clock.now(), audit(told), limits=told.limits)
        told.run()
        told.days_later(4)

        month = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        assert told.at_stripe("acme", "used", *month) == Decimal(5)
        states = [p.state for p in copy.outbox.publications().elements]
        assert states == [State.CONFIRMED]
        assert told.discrepancies() == []


def test_what_only_the_lost_copy_sent_is_not_added_up_again_by_the_restored_one() -> None:
    """A sum meter adds up: the copy has never heard of the hour that was sent after it was made."""
    with story("2026-01-10T00:00:00Z") as told:
        told.tenant("acme")
        told.meter("used")
        told.subscribes("acme", "used", anchor="2026-01-01T00:00:00Z", window=None)
        copy = told.store.copy()  # type: ignore[attr-defined]
        told.jump("2026-01-10T00:30:00Z")
        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by both")
        told.until("2026-01-10T01:10:00Z")
        told.store = copy
        told.intake = told.intake_anew()
        begin(copy, "second life", audit(told))
        with pytest.raises(PublisherUnavailable, match="2026-01-12T01:25:00Z"):
            adopt(copy, told.publisher, told.clock.now(), audit(told), limits=told.limits)

        told.report("acme", "2026-01-10T00:10:00Z", 2, key="sent by both")
        told.report("acme", "2026-01-10T00:20:00Z", 3, key="new")
        told.days_later(3)
        adopt(copy, told.publisher, told.clock.now(), audit(told), limits=told.limits)
        told.run()
        told.days_later(4)

        month = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
        assert told.at_stripe("acme", "used", *month) == Decimal(5)
        assert told.discrepancies() == []
