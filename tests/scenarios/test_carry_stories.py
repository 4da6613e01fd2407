"""What a closed slot never got, told as stories: whose it is, and from which bill it is taken."""

from decimal import Decimal

from tallystick.domain.instant import SECOND
from tallystick.domain.instant import parse_instant as at
from tallystick.domain.meter import Closed
from tallystick.sandbox import Fault
from tests.scenarios.story import story


def test_an_hour_that_two_bills_share_is_carried_from_each_of_them_what_is_its_own() -> None:
    """The bill ends at half past; both halves are one hour for Stripe, which was away."""
    with story("2026-02-01T10:00:00Z") as told:
        told.tenant("acme", anchor="2026-01-01T12:30:00Z")
        told.meter("used", closed=Closed.CARRY)
        told.subscribes("acme", "used", anchor="2026-01-01T12:30:00Z", boundary_hour="previous")
        away = at("2026-02-01T12:00:00Z") // SECOND, at("2026-02-02T08:00:00Z") // SECOND
        told.sandbox.add_fault(Fault(kind="outage", start=away[0], end=away[1]))
        told.jump("2026-02-01T12:50:00Z")
        told.report("acme", "2026-02-01T12:10:00Z", 5)
        told.report("acme", "2026-02-01T12:40:00Z", 7)
        told.until("2026-02-02T10:10:00Z")
        told.days_later(5)

        ends = {}
        for entry in told.store.ledger.entries(tenant="acme", meter="used").elements:
            ends[entry.period.start] = (entry.billed, entry.allocated)
        january, february = at("2026-01-01T12:30:00Z"), at("2026-02-01T12:30:00Z")
        assert ends == {
            january: (Decimal(0), Decimal(0)),
            february: (Decimal(12), Decimal(12)),
        }
