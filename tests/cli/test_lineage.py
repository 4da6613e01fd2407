"""`trace` and `verify`: from a number to its events, and a ledger that is as it was written."""

import json
import os

import apsw
import pytest

from tests.cli.billing import AFTER_TEN, NINE, TEN


@pytest.fixture
def sent(billing):
    """An hour of two events, sent; then a third and a void, sent as a correction."""
    billing.report("k1", 12)
    billing.report("k2", "0.5", "2026-09-01T09:30:00Z")
    billing.at(AFTER_TEN, "run")
    billing.report("k3", 7, "2026-09-01T09:45:00Z")
    billing.run("void", "acme", "k2", "--why", "a test")
    billing.report("k4", 100, TEN)
    billing.at("2026-09-01T10:15:00Z", "run")
    return billing


def traced(billing, subject) -> list[tuple[object, ...]]:
    rows = billing.run("trace", subject, "--json").rows
    return [(row["kind"], row["event"], row["counts"], row["void"]) for row in rows]


def test_a_publication_leads_to_exactly_the_events_behind_it(sent):
    first, _ = sent.publications()

    assert traced(sent, first["identifier"]) == [
        ("seal", "k1", "12", ""),
        ("seal", "k2", "0.5", ""),
    ]


def test_a_slot_leads_to_all_events_and_voids_behind_its_total_now(sent):
    first, _ = sent.publications()
    ran = sent.run("trace", first["slot"])

    assert "19, from 2 ledger lines" in ran.err
    assert sorted(traced(sent, first["slot"])[2:]) == [
        ("correction", "k2", "-0.5", "void:k2"),
        ("correction", "k3", "7", ""),
    ]


@pytest.mark.parametrize(
    ("subject", "complaint"),
    [
        ("tly_absent", "a slot is route/account/destination/counter/start"),
        (f"stripe.hour_meter/default/cus_x/e/{NINE}", "there is no slot"),
    ],
)
def test_what_was_never_sent_cannot_be_traced(sent, subject, complaint):
    ran = sent.run("trace", subject)

    assert (ran.code, complaint in ran.err) == (2, True)


def test_a_ledger_as_it_was_written_verifies(sent):
    ran = sent.run("verify")

    assert (ran.code, ran.out) == (0, "")
    assert ran.err.endswith("Every chain holds.\n")


def test_a_ledger_line_that_was_changed_is_named(sent):
    path = os.environ["TALLYSTICK_STORE"].removeprefix("sqlite:///")
    with apsw.Connection(path) as db:
        db.execute("UPDATE entry SET sealed_at = sealed_at + 1 WHERE line = 2")
        assert db.changes() == 1
    db.close()

    ran = sent.run("verify", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == {
        "tenant": "acme",
        "meter": "api_calls",
        "fault": "line 2 was changed",
    }
