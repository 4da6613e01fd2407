"""A week over the end of a billing period, told to Stripe as usage records of subscription items,
which take nothing more once their period is over; the items are mapped by the script that the
reference implementation has too. The period's last day hour by hour, then six days at once.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.domain.instant import DAY, MINUTE, SECOND, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window
from tallystick.ports import Override
from tallystick.publishers import USAGE_RECORD
from tests.aws.stack.company import GRACE, shop_at
from tests.aws.stack.conftest import stand_in
from tests.aws.stack.embedded import Embedded, books_of
from tests.aws.stack.flying import CODE, MONTH, as_sent, hours_of, reports_of, sums_of
from tests.aws.stack.side_by_side import live_through

pytestmark = pytest.mark.aws

SCRIPT = Path("scripts/create_tenant_configuration.py")
END = parse_instant("2013-02-01T00:00:00Z")
LAST_DAY = Window(END - DAY, END)
WEEK = Window(END - DAY, END + 6 * DAY)
SLICES = (END - 10 * MINUTE, END - 5 * MINUTE, END - 2 * MINUTE)
"""The early passes of the schedule, before the bill closes."""

HOURLY = tuple(end + GRACE for end in hours_of(LAST_DAY) if end < END)
PASSES = (*HOURLY, *SLICES, END + GRACE, WEEK.end + GRACE)


def schedule():
    """(the reports, the instant of the pass that follows). What happened in the last two minutes
    of the period is told in them ahead, as a service may whose clock is a little fast."""
    since = WEEK.start
    for at in PASSES:
        upto = END if at == SLICES[-1] else at - at % MINUTE
        upto = min(upto, WEEK.end)
        if upto > since:
            yield as_sent(reports_of(Window(since, upto)), seed=at % 97), at
        else:
            yield [], at
        since = max(since, upto)


def configured(deployed, tenant, item):
    """Run the script as its user does; what it says that it changed."""
    done = subprocess.run(
        [
            sys.executable,
            SCRIPT,
            *("--table", deployed.outputs["TableName"], "--tenant-id", tenant),
            *("--internal-product-code", CODE, "--stripe-subscription-item", item),
            *("--publish-from", format_instant(MONTH)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def fill(catalog, items):
    """The same for the embedded run, by hand."""
    audit = Override(at=MONTH, who="a test", why="set up", action="add", subject="the week")
    catalog.save(Meter(id=CODE, code=CODE), audit)
    for tenant, item in items.items():
        catalog.save(Tenant(id=tenant), audit)
        mapping = Mapping(
            tenant=tenant,
            meter=CODE,
            route=USAGE_RECORD.name,
            destination=item,
            publish_from=MONTH,
        )
        catalog.save(mapping, audit)


def items_at(shop, tenants):
    """A subscription of each tenant, billed at the first of each month, and its item."""
    return {tenant: shop.legacy_item(billing_cycle_anchor=MONTH // SECOND) for tenant in tenants}


@pytest.fixture(scope="module")
def billed(deployed, stripe):
    """The week on the stack, and on one machine; each with a Stripe of its own."""
    tenants = sorted({report.tenant for report in reports_of(WEEK)})
    with stand_in() as (sandbox, url):
        items = items_at(shop_at(*stripe), tenants)
        assert items_at(shop_at(sandbox, url), tenants) == items
        embedded = Embedded.start(sandbox, url)
        fill(embedded.store.catalog, items)
        for tenant, item in items.items():
            assert item in configured(deployed, tenant, item)
        live_through(schedule(), deployed, stripe[0], embedded)
        yield embedded, items


def test_every_entry_is_the_one_of_the_embedded_run(billed, deployed):
    expected, found = books_of(billed[0].store), books_of(deployed.store)

    assert len(expected) > 300
    assert found == expected


def test_each_period_has_all_that_flew_in_it(billed, stripe):
    embedded, items = billed
    for span in (Window(WEEK.start, END), Window(END, WEEK.end)):
        flown = sums_of(reports_of(span))
        for sandbox in (stripe[0], embedded.sandbox):
            told = {
                tenant: sandbox.record_total(items[tenant], *(at // SECOND for at in span_of(span)))
                for tenant in flown
            }
            assert told == flown


def span_of(span):
    return span.start, span.end


def test_the_bill_of_january_is_what_flew_in_it(billed, stripe):
    flown = sums_of(reports_of(Window(WEEK.start, END)))

    invoiced = {
        line.item: line.quantity
        for invoice in stripe[0].invoices()
        if not invoice.is_draft
        for line in invoice.lines
        if line.quantity
    }

    assert invoiced == {billed[1][tenant]: miles for tenant, miles in flown.items()}


def test_the_daily_comparison_finds_no_difference(billed, deployed):
    answer = deployed.invoked("ReconcileFunction", at=WEEK.end + GRACE)

    assert answer["discrepancies"] == 0


def test_the_script_changes_nothing_the_second_time(billed, deployed):
    (tenant, item), *_ = billed[1].items()

    said = configured(deployed, tenant, item)

    assert "nothing" in said.lower() or "already" in said.lower()
