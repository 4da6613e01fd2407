"""A copy of a store is opened again: it has forgotten what was sent after it was made."""

from dataclasses import replace
from decimal import Decimal

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
