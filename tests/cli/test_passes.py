"""`run`, `seal`, `publish` and `reconcile`, from an imported file to the sandbox's books."""

import pytest

from tallystick.domain.instant import HOUR, format_instant, parse_instant
from tallystick.sandbox import Fault
from tests.cli.billing import AFTER_TEN, BEGIN, EVENING, KEY, NEXT_MONTH, NINE, SENDS, TEN, seconds

PERMISSIONS = ("rak_event_read", "rak_billing_meter_read", "rak_billing_meter_event_write")
"""What a restricted key needs to send and confirm, and no more."""


def test_a_run_seals_and_sends_and_a_second_one_finds_nothing(billing):
    billing.report("k1", 12)

    first = billing.at(AFTER_TEN, "run")
    again = billing.at(AFTER_TEN, "run")

    assert (first.code, first.err) == (
        0,
        "Sealed: 1 entries of 1 aggregates.\nPublished: 1 accepted.\n",
    )
    assert again.err == "Sealed: 0 entries of 0 aggregates.\nPublished: nothing was due.\n"
    assert billing.total() == 12
    assert len(billing.shop.sandbox.events()) == 1


def test_a_later_run_confirms_what_stripe_shows(billing):
    billing.report("k1")
    billing.at(AFTER_TEN, "run")

    assert "Published: 1 confirmed.\n" in billing.at(EVENING, "run").err
    assert [row["state"] for row in billing.publications()] == ["confirmed"]


def test_an_hour_that_is_not_over_is_not_sent(billing):
    billing.report("k1")

    assert "Sealed: 0 entries" in billing.at(TEN, "run").err
    assert billing.total() == 0


def test_late_usage_is_sent_by_the_next_run(billing):
    billing.report("k1", 12)
    billing.at(AFTER_TEN, "run")
    billing.report("k2", 3)

    assert "1 accepted" in billing.at("2026-09-01T10:15:00Z", "run").err
    assert billing.total() == 15


def test_sealing_writes_the_ledger_and_sends_nothing(billing):
    billing.report("k1")

    assert billing.at(AFTER_TEN, "seal").err == "Sealed: 1 entries of 1 aggregates.\n"
    assert billing.total() == 0
    assert billing.at(AFTER_TEN, "publish").err == "Published: 1 accepted.\n"
    assert billing.total() == 5


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(billing):
    billing.report("k1")
    billing.at(AFTER_TEN, "seal")

    shown = billing.at(AFTER_TEN, "publish", "--dry-run", "--json")

    (row,) = shown.rows
    assert (shown.code, row["total"], row["confirmed"]) == (0, "5", "0")
    assert (row["difference"], row["next"]) == ("5", "intend")
    assert billing.total() == 0
    assert billing.publications() == []


def test_without_a_key_a_run_seals_and_shows_what_is_due(billing, monkeypatch):
    billing.report("k1")
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")

    ran = billing.at(AFTER_TEN, "run")

    assert ran.code == 0
    assert "Nothing was published: there is no key" in ran.err
    assert "cus_acme" in ran.out
    assert billing.total() == 0


def test_usage_without_a_mapping_is_held_and_a_discrepancy(billing):
    billing.run("tenants", "add", "globex")
    path = billing.folder / "globex.ndjson"
    path.write_text(
        f'{{"tenant":"globex","code":"api_calls","key":"k","quantity":3,"occurred_at":"{NINE}"}}\n',
        encoding="utf-8",
    )
    billing.run("import", path)

    assert "1 of them held" in billing.at(AFTER_TEN, "run").err
    found = billing.at(AFTER_TEN, "reconcile", "--json")
    (row,) = found.rows
    assert (found.code, row["kind"], row["detail"]) == (1, "held", "no mapping")
    assert (row["ours"], row["theirs"], row["difference"]) == ("3", "0", "3")


def test_a_provider_that_is_away_is_exit_code_3_and_the_next_run_heals_it(billing):
    for number in range(12):
        billing.report(f"k{number}", 1, f"2026-09-01T{number:02}:00:00Z")
    fault = billing.shop.sandbox.add_fault(Fault(kind="outage"))

    away = billing.at("2026-09-01T13:00:00Z", "run")

    assert away.code == 3
    assert "The provider is away" in away.err
    billing.shop.sandbox.clear_faults(fault)
    healed = billing.at("2026-09-01T13:30:00Z", "run")
    assert (healed.code, "12 accepted" in healed.err) == (0, True)


def test_a_total_that_cannot_be_read_back_is_exit_code_3(billing):
    billing.report("k1")
    billing.at(AFTER_TEN, "run")
    billing.shop.sandbox.add_fault(Fault(kind="outage", method="GET"))

    ran = billing.at(EVENING, "run")

    assert (ran.code, "Could not be read back" in ran.err) == (3, True)


@pytest.mark.parametrize("granted", [(), ("rak_event_read",)])
def test_a_key_that_lacks_a_permission_is_exit_code_2_and_leaves_the_work_due(billing, granted):
    billing.report("k1")
    billing.shop.sandbox.grant(KEY, [*granted, "rak_customer_read"])

    ran = billing.at(AFTER_TEN, "run")

    assert (ran.code, "permission" in ran.err, KEY in ran.err) == (2, True, False)
    billing.shop.sandbox.grant(KEY, PERMISSIONS)
    assert "Published: 1 accepted" in billing.at("2026-09-01T10:20:00Z", "run").err
    assert "Published: 1 confirmed" in billing.at(EVENING, "run").err


def test_a_slot_that_is_refused_needs_a_person_and_is_exit_code_1(billing):
    billing.report("k1")
    meter = billing.shop.stripe.v1.billing.meters.list().data[0].id
    billing.shop.stripe.v1.billing.meters.deactivate(meter)

    ran = billing.at(AFTER_TEN, "run")

    assert (ran.code, "Needs a person: stripe.hour_meter" in ran.err) == (1, True)


def test_a_paused_store_sends_nothing_and_is_clean(billing):
    billing.report("k1")
    billing.run("pause", "--why", "a test")

    ran = billing.at(AFTER_TEN, "run")

    assert (ran.code, "Publishing is paused" in ran.err) == (0, True)
    assert billing.total() == 0
    billing.run("resume", "--why", "a test")
    assert "1 accepted" in billing.at(AFTER_TEN, "run").err


@pytest.fixture
def billed(billing):
    """One hour of September, confirmed."""
    billing.report("k1", 12)
    billing.at(AFTER_TEN, "run")
    billing.at(EVENING, "run")
    return billing


def test_reconcile_is_clean_from_the_events_to_the_invoice(billed):
    found = billed.at(NEXT_MONTH, "reconcile")

    assert (found.code, found.out, found.err) == (0, "", "No difference.\n")
    assert [line.quantity for line in billed.shop.sandbox.invoices()[0].lines] == [12]


def test_reconcile_names_a_total_that_was_changed_at_stripe_and_repairs_it(billed):
    plant(billed, 40)

    found = billed.at(EVENING, "reconcile", "--repair", "--why", "a test", "--json")

    (row,) = found.rows
    assert (found.code, row["kind"]) == (1, "provider_differs_from_slot")
    assert (row["ours"], row["theirs"], row["difference"]) == ("12", "40", "-28")
    assert "Repaired: 1 slots" in found.err
    billed.at("2026-09-01T17:05:00Z", "run")
    assert billed.total() == 12
    assert billed.at("2026-09-02T00:00:00Z", "run").code == 0
    assert billed.at("2026-09-02T00:00:00Z", "reconcile").code == 0


def plant(billed, total: int) -> None:
    billed.shop.sandbox.set_total("api_calls", billed.customer, seconds(NINE), total)


def test_reconcile_holds_a_customer_whose_subscription_has_another_period(billed):
    billed.run("tenants", "add", "acme", "--anchor", "2026-08-15", "--at", "2026-09-01T00:00:00Z")

    found = billed.at(NEXT_MONTH, "reconcile", "--json")

    assert found.code == 1
    assert "subscription_differs" in {row["kind"] for row in found.rows}
    assert "hold:cus_acme" in {row["subject"] for row in doctor(billed)}


def doctor(billed) -> list[dict[str, object]]:
    return billed.at(NEXT_MONTH, "doctor", "--json").rows


def test_a_run_compares_a_share_of_the_tenants_and_each_has_its_turn_within_a_week(billed):
    plant(billed, 99)
    begins = parse_instant(EVENING)
    ran = [billed.at(format_instant(begins + HOUR * n), "run", "--json") for n in range(168)]

    found = [row for run in ran for row in run.rows if "kind" in row]

    assert [(row["kind"], row["theirs"]) for row in found] == [("provider_differs_from_slot", "99")]
    assert [run.code for run in ran].count(1) == 1


def test_without_a_key_only_our_own_half_is_compared(billed, monkeypatch):
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")
    plant(billed, 40)

    found = billed.at(EVENING, "reconcile")

    assert (found.code, "Only our own half was compared" in found.err) == (0, True)


def test_a_slow_stripe_is_asked_by_several_senders_and_told_once(billing):
    for number in range(6):
        billing.report(f"k{number}", 1, f"2026-09-01T{number:02}:00:00Z")
    billing.shop.sandbox.add_fault(Fault(kind="drop_after", path=SENDS, count=3))

    billing.at(AFTER_TEN, "run")
    for at in ("2026-09-01T10:15:00Z", "2026-09-01T10:20:00Z"):
        billing.at(at, "run")

    assert billing.total("2026-09-01T00:00:00Z") == 6
    assert {row["state"] for row in billing.publications()} == {"accepted"}


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-09-30T23:49:59Z", 0),
        ("2026-09-30T23:50:00Z", 5),
        ("2026-09-30T23:58:00Z", 5),
        ("2026-09-30T23:58:40Z", 0),
    ],
)
def test_a_legacy_item_gets_its_last_hour_in_the_ten_minutes_before_its_period_ends(
    billing, at, sent
):
    item = billing.shop.legacy_item()
    last = "2026-09-30T23:30:00Z"
    billing.shop.sandbox.set_time(seconds(last))
    billing.run("meters", "add", "calls", "--code", "api_calls")
    target = ("--stripe-subscription-item", item, "--publish-from", BEGIN)
    billing.run("mappings", "add", "acme", "calls", *target)
    billing.report("k1", 5, last)

    billing.at(at, "run")

    assert billing.shop.sandbox.record_total(item, seconds(NINE), seconds(NEXT_MONTH)) == sent
