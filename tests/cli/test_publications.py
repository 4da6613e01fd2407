"""`publications`: what the provider was told, and what a person decides."""

import pytest

from tallystick.sandbox import Fault
from tests.cli.billing import AFTER_TEN, EVENING, SENDS

WHY = ("--why", "the log shows it")


@pytest.fixture
def doubtful(billing):
    """One publication whose answer was lost after it had its effect."""
    billing.report("k1", 12)
    billing.shop.sandbox.add_fault(Fault(kind="drop_after", path=SENDS, count=1))
    assert billing.at(AFTER_TEN, "run").code == 0
    (row,) = billing.publications("--unsettled")
    assert row["state"] == "ambiguous"
    return billing


def test_a_publication_is_listed_with_what_was_sent_and_what_came_of_it(billing):
    billing.report("k1", 12)
    billing.at(AFTER_TEN, "run")

    (row,) = billing.publications()

    assert row["identifier"].startswith("tly_")
    assert row["slot"] == ("stripe.hour_meter/default/cus_acme/api_calls/2026-09-01T09%3A00%3A00Z")
    assert (row["revision"], row["value"], row["total"]) == (1, "12", "12")
    assert (row["state"], row["attempts"]) == ("accepted", 1)
    assert str(row["answer"]).startswith("HTTP 200")


def test_only_what_is_not_settled_can_be_listed(billing):
    billing.report("k1")
    billing.at(AFTER_TEN, "run")
    assert len(billing.publications("--unsettled")) == 1

    billing.at(EVENING, "run")

    assert billing.publications("--unsettled") == []
    assert "No publication" in billing.run("publications", "list", "--unsettled").err


def settle(billing, *arguments):
    (row,) = billing.publications("--unsettled")
    return billing.at(AFTER_TEN, "publications", "settle", row["identifier"], *arguments)


def test_what_a_person_says_arrived_is_confirmed(doubtful):
    settled = settle(doubtful, "--as", "arrived", *WHY, "--who", "ann")

    assert (settled.code, "is confirmed" in settled.err) == (0, True)
    (row,) = doubtful.publications()
    assert (row["state"], row["answer"]) == (
        "confirmed",
        "settled by a person: the log shows it",
    )
    assert "nothing was due" in doubtful.at("2026-09-01T10:20:00Z", "run").err


def test_what_a_person_says_never_arrived_is_sent_anew(doubtful):
    assert "is rejected" in settle(doubtful, "--as", "absent", *WHY).err

    doubtful.at("2026-09-01T10:20:00Z", "run")

    states = [(row["revision"], row["state"]) for row in doubtful.publications()]
    assert states == [(1, "rejected"), (2, "accepted")]
    assert doubtful.total() == 12


def test_what_is_settled_is_not_settled_again(doubtful):
    (row,) = doubtful.publications()
    again = ("publications", "settle", row["identifier"], "--as", "absent", *WHY)
    settle(doubtful, "--as", "arrived", *WHY)

    ran = doubtful.at(AFTER_TEN, *again)

    assert (ran.code, "is confirmed already" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("tly_absent", "--as", "arrived", *WHY), "no publication has this identifier"),
        (("tly_absent", "--as", "lost", *WHY), "it is 'arrived' or 'absent'"),
        (("tly_absent", "--as", "arrived"), "--why"),
        (("--as", "arrived", *WHY), "requires an argument"),
    ],
)
def test_a_verdict_that_cannot_be_meant_is_refused(ready, arguments, complaint):
    ran = ready("publications", "settle", *arguments)

    assert (ran.code, complaint in ran.err) == (2, True)
