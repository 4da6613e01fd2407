"""What only a deployed stack can go wrong in, and that its totals are exact after each."""

import json

import pytest

from tallystick.domain.instant import HOUR, SECOND
from tallystick.entrypoints.cli.context import CLEAN, NEEDS_A_PERSON
from tallystick.sandbox import Fault
from tests.aws.stack.company import GRACE, Company, shop_at
from tests.aws.stack.deployed import until

pytestmark = pytest.mark.aws

OUTAGE = 3 * HOUR


@pytest.fixture(scope="module")
def company(deployed, stripe):
    found = Company(deployed=deployed, shop=shop_at(*stripe))
    found.open()
    return found


def test_a_pass_that_is_started_twice_for_one_hour_bills_it_once(company):
    tenant, hour = company.add("twice"), company.next_hour()
    company.report(tenant, hour, 3, 4)

    executions = [company.start(), company.start()]

    assert {company.deployed.ended(arn).status for arn in executions} == {"SUCCEEDED"}
    assert company.billed(tenant, hour) == 7
    assert len(company.deployed.store.ledger.entries(tenant=tenant).elements) == 1
    assert company.differences() == 0


def test_two_hours_may_be_billed_at_once(company):
    tenant, first = company.add("at-once"), company.next_hour()
    company.report(tenant, first, 5)
    before = company.now + GRACE
    second = company.next_hour()
    company.report(tenant, second, 6)

    executions = [company.start(), company.deployed.start(before)]

    assert {company.deployed.ended(arn).status for arn in executions} == {"SUCCEEDED"}
    assert (company.billed(tenant, first), company.billed(tenant, second)) == (5, 6)
    assert company.differences() == 0


def test_an_hour_whose_pass_never_ran_is_billed_by_the_next(company):
    tenant, missed = company.add("missed"), company.next_hour()
    company.report(tenant, missed, 8)
    company.next_hour()
    following = company.next_hour()
    company.report(tenant, following, 9)

    company.passed()

    assert (company.billed(tenant, missed), company.billed(tenant, following)) == (8, 9)
    assert company.differences() == 0


def test_stripe_is_down_for_three_hours_and_then_has_everything(company):
    tenant, hour = company.add("outage"), company.next_hour()
    company.report(tenant, hour, 10)
    began = company.shop.sandbox.now()
    company.shop.sandbox.add_fault(
        Fault(kind="outage", start=began, end=began + OUTAGE // SECOND - 1)
    )

    for _ in range(OUTAGE // HOUR):
        assert company.failed().error == "PublisherUnavailable"
        assert company.billed(tenant, hour) == 0
        company.report(tenant, company.next_hour(), 1)

    company.passed()
    assert company.billed(tenant, hour) == 10
    assert [company.billed(tenant, hour + n * HOUR) for n in (1, 2, 3)] == [1, 1, 1]
    assert company.differences() == 0


def test_a_message_that_is_delivered_five_times_counts_once(company):
    tenant, hour = company.add("five-times"), company.next_hour()
    (detail,) = company.usage(tenant, hour, (12,))
    del detail["EventID"]
    envelope = {
        "version": "0",
        "id": "the-envelope-of-the-five",
        "detail-type": "BILLING",
        "source": "test",
        "time": "2013-01-02T00:00:00Z",
        "detail": detail,
    }

    for _ in range(5):
        company.deployed.send("Billing", json.dumps(envelope))
    company.deployed.settle("Billing")
    company.passed()

    assert company.counted(tenant, hour) == 12
    assert company.billed(tenant, hour) == 12


def test_a_message_that_no_try_settles_waits_in_the_dead_letter_queue_and_is_replayed(
    company, capsys
):
    tenant, hour = company.add("poison"), company.next_hour()
    deployed = company.deployed
    company.report(tenant, hour, 1)  # the function is warm: it fails in its work, not at its start
    # A try may still be under way when it lies there, and may count it when the table is back: it
    # counts once all the same.
    deployed.set_queue("Billing", VisibilityTimeout="10", tries=1)

    with deployed.without_table("IngestRole"):
        deployed.put("BILLING", company.usage(tenant, hour, (13,)))
        until(lambda: deployed.waiting("BillingDeadLetter") == 1, "it is in the dead-letter queue")
    queue = ("--queue", deployed.outputs["BillingDeadLetterQueueUrl"])
    assert deployed.command("dead-letters", "list", *queue) == NEEDS_A_PERSON
    assert "could not be settled" in capsys.readouterr().out
    assert deployed.command("dead-letters", "replay", *queue) == CLEAN
    assert deployed.waiting("BillingDeadLetter") == 0
    company.passed()

    assert company.billed(tenant, hour) == 14


def test_what_is_of_no_known_kind_is_kept_as_a_dead_letter(company):
    company.deployed.put("BILLNG", [{"TenantID": "typo"}])
    company.deployed.settle("Stray")

    (letter,) = company.deployed.store.dead_letters.list(tenant="typo").elements or (None,)

    assert letter is not None
    assert "BILLNG" in letter.body
