"""A week of real flights through the deployed stack: one day hour by hour, then six days at once.

Its ledger is held, entry by entry, against the same week on one machine, Stripe's totals against
the sample, and the daily comparison finds nothing.
"""

import pytest

from tallystick.domain.instant import DAY, HOUR, SECOND
from tallystick.domain.window import Window
from tests.aws.stack.company import GRACE, shop_at
from tests.aws.stack.conftest import stand_in
from tests.aws.stack.embedded import Embedded, books_of
from tests.aws.stack.flying import (
    CODE,
    MONDAY,
    WEEK,
    as_sent,
    customer_of,
    fill,
    hours_of,
    reports_of,
    subscribe,
    sums_of,
)
from tests.aws.stack.side_by_side import live_through

pytestmark = pytest.mark.aws

FIRST_DAY = Window(MONDAY, MONDAY + DAY)
OTHER_DAYS = Window(MONDAY + DAY, WEEK.end)
LATE_EVERY = 9
"""Every so many flights of the first day are reported half a day late: corrections."""

NOON = MONDAY + 12 * HOUR


def late_ones(reports):
    return [one for one in reports[::LATE_EVERY] if one.occurred_at < NOON - HOUR]


def schedule():
    """What comes before which pass: (the reports, the instant of the pass)."""
    day = reports_of(FIRST_DAY)
    late = late_ones(day)
    punctual = as_sent([one for one in day if one not in late], seed=1)
    for end in hours_of(FIRST_DAY):
        now = [one for one in punctual if end - HOUR <= one.occurred_at < end]
        yield now + (as_sent(late, seed=2) if end == NOON else []), end + GRACE
    yield as_sent(reports_of(OTHER_DAYS), seed=3), WEEK.end + GRACE


@pytest.fixture(scope="module")
def week(deployed, stripe):
    """The week on the stack, and on one machine; each with a Stripe of its own."""
    tenants = sorted({report.tenant for report in reports_of(WEEK)})
    with stand_in() as (sandbox, url):
        embedded = Embedded.start(sandbox, url)
        for store, place in ((deployed.store, stripe), (embedded.store, (sandbox, url))):
            subscribe(shop_at(*place), tenants)
            fill(store.catalog, tenants)
        live_through(schedule(), deployed, stripe[0], embedded)
        yield embedded


def test_every_entry_is_the_one_of_the_embedded_run(week, deployed):
    expected, found = books_of(week.store), books_of(deployed.store)

    assert len(expected) > 1_000
    assert {entry[0] for entry in expected.values()} == {"seal", "correction"}
    assert found == expected


def test_stripe_has_what_flew_and_so_has_the_sandbox_of_the_embedded_run(week, stripe):
    span = (WEEK.start // SECOND, WEEK.end // SECOND)
    flown = sums_of(reports_of(WEEK))

    for sandbox in (stripe[0], week.sandbox):
        counted = {
            tenant: sandbox.usage_total(CODE, customer_of(tenant), *span) for tenant in flown
        }
        assert counted == flown


def test_the_daily_comparison_finds_no_difference(week, deployed):
    answer = deployed.invoked("ReconcileFunction", at=WEEK.end + GRACE)

    assert answer["discrepancies"] == 0


def test_nothing_became_a_dead_letter(week, deployed):
    assert deployed.store.dead_letters.list().elements == ()
