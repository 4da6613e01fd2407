"""Days, months and clocks: each a story of somebody who would have been billed wrongly."""

from decimal import Decimal

from tallystick.domain.instant import parse_instant as at
from tallystick.domain.meter import Aggregation, Span
from tallystick.domain.tenant import Terms, with_terms
from tallystick.domain.window import Window
from tests.scenarios.story import WHO, Story, story


def windows(told: Story, tenant: str, meter: str) -> list[tuple[Window, Decimal]]:
    page = told.store.events.aggregates(tenant=tenant, meter=meter)
    return [(a.key.window, a.value) for a in page.elements]


def closes(told: Story, end: str) -> None:
    """The period ends, its invoice is finalised, and everything has been seen."""
    told.until(end)
    told.jump(end.replace("T00:", "T02:").replace("T10:", "T12:"))
    told.run()
    told.days_later(3)


def test_a_day_in_kolkata_cuts_the_utc_hour_in_two_that_share_one_slot() -> None:
    """Asia/Kolkata is UTC+5:30: midnight is 18:30Z, in the middle of a UTC hour."""
    with story("2026-01-10T18:00:00Z") as told:
        told.tenant("chai", zone="Asia/Kolkata")
        told.meter("used")
        told.meter("busiest", Aggregation.MAX, span=Span.DAY)
        customer = told.subscribes("chai", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-10T18:59:00Z")
        told.report("chai", "2026-01-10T18:29:59.999999Z", 3)
        told.report("chai", "2026-01-10T18:30:00Z", 4)

        told.until("2026-01-10T19:10:00Z")

        assert windows(told, "chai", "used") == [
            (Window(at("2026-01-10T18:00:00Z"), at("2026-01-10T18:30:00Z")), Decimal(3)),
            (Window(at("2026-01-10T18:30:00Z"), at("2026-01-10T19:00:00Z")), Decimal(4)),
        ]
        assert windows(told, "chai", "busiest") == [
            (Window(at("2026-01-09T18:30:00Z"), at("2026-01-10T18:30:00Z")), Decimal(3)),
            (Window(at("2026-01-10T18:30:00Z"), at("2026-01-11T18:30:00Z")), Decimal(4)),
        ]
        hour = told.at_stripe("chai", "used", "2026-01-10T18:00:00Z", "2026-01-10T19:00:00Z")
        assert hour == Decimal(7)
        told.jump("2026-02-01T02:00:00Z")
        told.run()
        assert told.invoiced(customer) == [Decimal(7)]


def test_the_day_the_clocks_go_forward_has_23_hours_and_no_usage_is_lost_in_the_gap() -> None:
    with story("2026-03-29T00:00:00Z") as told:
        told.tenant("brot", zone="Europe/Berlin", anchor="2026-03-01T00:00:00Z")
        told.meter("daily", Aggregation.UNIQUE_COUNT, span=Span.DAY, path="who")
        told.subscribes("brot", "daily", anchor="2026-03-01T00:00:00Z")
        told.jump("2026-03-29T02:00:00Z")
        told.report("brot", "2026-03-29T00:59:59Z", who="ada")
        told.report("brot", "2026-03-29T03:00:00+02:00", who="bob")
        told.report("brot", "2026-03-28T23:30:00+01:00", who="cyd")

        told.until("2026-03-29T23:10:00Z")

        assert windows(told, "brot", "daily") == [
            (Window(at("2026-03-27T23:00:00Z"), at("2026-03-28T23:00:00Z")), Decimal(1)),
            (Window(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")), Decimal(2)),
        ]
        month = told.at_stripe("brot", "daily", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
        assert month == Decimal(3)
        assert told.discrepancies() == []


def test_a_period_that_starts_at_10_17_23_bills_the_hour_in_two_parts_by_a_sum_meter() -> None:
    with story("2026-01-31T09:00:00Z") as told:
        told.tenant("odd", anchor="2025-12-31T10:17:23Z")
        told.meter("used")
        customer = told.subscribes("odd", "used", anchor="2025-12-31T10:17:23Z", window=None)
        told.jump("2026-01-31T10:50:00Z")
        told.report("odd", "2026-01-31T10:17:22.999Z", 1)
        told.report("odd", "2026-01-31T10:17:23Z", 10)

        told.until("2026-01-31T11:10:00Z")
        told.jump("2026-01-31T12:00:00Z")
        told.run()
        told.days_later(3)
        told.jump("2026-03-01T00:00:00Z")
        told.run()

        assert told.invoiced(customer) == [Decimal(1), Decimal(10)]
        assert told.discrepancies() == []


def test_an_hour_meter_holds_the_boundary_hour_until_somebody_says_who_pays_it() -> None:
    with story("2026-01-31T09:00:00Z") as told:
        told.tenant("odd", anchor="2025-12-31T10:17:23Z")
        told.meter("used")
        told.subscribes("odd", "used", anchor="2025-12-31T10:17:23Z")
        told.jump("2026-01-31T10:50:00Z")
        told.report("odd", "2026-01-31T10:17:22Z", 1)
        told.report("odd", "2026-01-31T10:17:23Z", 10)

        told.until("2026-01-31T11:10:00Z")

        held = [(d.ours, d.theirs, d.detail) for d in told.discrepancies() if d.kind == "held"]
        assert held == [
            (Decimal(1), Decimal(0), "a billing period starts inside this UTC hour"),
            (Decimal(10), Decimal(0), "a billing period starts inside this UTC hour"),
        ]
        told.remap("odd", "used", boundary_hour="previous")
        told.run()
        hour = told.at_stripe("odd", "used", "2026-01-31T10:00:00Z", "2026-01-31T11:00:00Z")
        assert hour == Decimal(11)


def test_a_subscription_from_the_31st_is_billed_at_each_months_end() -> None:
    with story("2026-01-31T00:00:00Z") as told:
        told.tenant("late", anchor="2026-01-31T00:00:00Z")
        told.meter("used")
        customer = told.subscribes("late", "used", anchor="2026-01-31T00:00:00Z")
        for when, quantity in (("02-27T23:30", 1), ("02-28T01:00", 2), ("03-30T23:59", 4)):
            told.jump(f"2026-{when}:00Z")
            told.report("late", f"2026-{when}:00Z", quantity)
            told.until(told.next_hour())
        told.jump("2026-03-31T02:00:00Z")
        told.run()

        assert told.invoiced(customer) == [Decimal(1), Decimal(6)]


def test_a_zone_changed_in_mid_period_waits_for_the_next_period() -> None:
    with story("2026-01-15T12:00:00Z") as told:
        told.tenant("move", zone="America/New_York")
        told.meter("daily", Aggregation.COUNT, span=Span.DAY)
        tenant = told.store.catalog.account("move").tenant
        terms = Terms(zone="Asia/Tokyo", anchor=at("2026-01-01T00:00:00Z"))

        told.store.catalog.save(with_terms(tenant, terms, told.clock.now()), WHO)
        told.jump("2026-02-03T00:00:00Z")
        told.report("move", "2026-01-20T12:00:00Z")
        told.report("move", "2026-02-02T12:00:00Z")

        assert [w for w, _ in windows(told, "move", "daily")] == [
            Window(at("2026-01-20T05:00:00Z"), at("2026-01-21T05:00:00Z")),
            Window(at("2026-02-01T15:00:00Z"), at("2026-02-02T15:00:00Z")),
        ]


def test_a_mapping_that_comes_a_week_late_bills_the_week_unless_told_from_when() -> None:
    with story("2026-01-05T00:00:00Z") as told:
        for name in ("whole", "part"):
            told.tenant(name)
        told.meter("used")
        for day in range(5, 12):
            told.jump(f"2026-01-{day:02}T12:06:00Z")
            for name in ("whole", "part"):
                told.report(name, f"2026-01-{day:02}T11:30:00Z", 1)
            told.run()
        assert [d.detail for d in told.discrepancies()] == ["no mapping"] * 14

        whole = told.subscribes("whole", "used", anchor="2026-01-01T00:00:00Z")
        part = told.subscribes(
            "part", "used", anchor="2026-01-01T00:00:00Z", publish_from="2026-01-10T00:00:00Z"
        )
        told.run()
        told.jump("2026-02-01T02:00:00Z")
        told.run()

        told.days_later(3)
        assert told.invoiced(whole) == [Decimal(7)]
        assert told.invoiced(part) == [Decimal(2)]
        assert told.discrepancies() == []


def test_a_legacy_item_has_its_last_hour_sealed_before_its_period_ends() -> None:
    with story("2026-01-31T22:00:00Z") as told:
        told.tenant("old")
        told.meter("used")
        item = told.subscribes_legacy("old", "used", anchor="2026-01-01T00:00:00Z")
        told.jump("2026-01-31T23:40:00Z")
        told.report("old", "2026-01-31T23:30:00Z", "4")
        told.report("old", "2026-01-31T22:30:00Z", "3")
        told.jump("2026-01-31T23:55:00Z")
        told.run()
        told.report("old", "2026-01-31T23:56:00Z", "2")
        told.jump("2026-01-31T23:57:00Z")
        told.run()
        told.jump("2026-02-01T02:00:00Z")
        told.run()

        assert told.invoiced("cus_old") == [Decimal(9)]
        assert told.store.outbox.slots(destination=item).elements
