"""`backup` and `restore`: a copy, and opening one safely."""

import pytest

from tests.cli.billing import AFTER_TEN, EVENING, NEXT_MONTH, onboard

WHY = ("--why", "the disk is gone")
LATER = "2026-09-01T12:10:00Z"


def test_a_backup_is_a_store_with_the_same_usage(billing, tmp_path):
    billing.report("k1", 12)
    copy = tmp_path / "copy.db"

    ran = billing.run("backup", copy)

    assert (ran.code, f"Copied to {copy}" in ran.err) == (0, True)
    (row,) = billing.run("usage", "--store", f"sqlite:///{copy}", "--json").rows
    assert row["quantity"] == "12"


def test_a_backup_overwrites_nothing(billing, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_text("mine", encoding="utf-8")

    ran = billing.run("backup", copy)

    assert (ran.code, "exists" in ran.err, copy.read_text(encoding="utf-8")) == (2, True, "mine")


@pytest.fixture
def lost(billing, tmp_path, monkeypatch):
    """A copy is all that is left; after it was made an hour was reported and sent."""
    billing.report("k1", 12)
    billing.at(AFTER_TEN, "run")
    billing.run("backup", tmp_path / "copy.db")
    billing.report("k2", 3, "2026-09-01T09:30:00Z")
    billing.report("k3", 7, "2026-09-01T10:30:00Z")
    billing.at(LATER, "run")
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{tmp_path / 'copy.db'}")
    return billing


def test_a_restored_copy_is_told_what_it_forgot_and_bills_nothing_twice(lost):
    restored = lost.at("2026-09-01T12:30:00Z", "restore", *WHY)
    lost.report("k2", 3, "2026-09-01T09:30:00Z")
    lost.report("k3", 7, "2026-09-01T10:30:00Z")
    for at in ("2026-09-01T12:40:00Z", EVENING, "2026-09-02T00:00:00Z"):
        assert lost.at(at, "run").code == 0

    assert restored.code == 0
    assert "Compared 1 slots; 1 held something else" in restored.err
    assert lost.total("2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z") == 22
    assert lost.at(NEXT_MONTH, "reconcile").err == "No difference.\n"


def test_without_a_key_a_restore_leaves_publishing_off_until_it_is_run_again(lost, monkeypatch):
    key = "TALLYSTICK_STRIPE_API_KEY"
    with monkeypatch.context() as patch:
        patch.delenv(key)
        refused = lost.at("2026-09-01T12:30:00Z", "restore", *WHY)

    assert (refused.code, "publishing stays off" in refused.err) == (2, True)
    assert "finish the restore" in lost.at("2026-09-01T12:35:00Z", "run").err
    assert "restore is not finished" in lost.run("doctor").out
    assert lost.at("2026-09-01T12:40:00Z", "restore", *WHY).code == 0
    assert "finish the restore" not in lost.at("2026-09-01T12:45:00Z", "run").err


def test_with_a_sum_meter_a_restore_waits_until_stripe_shows_everything(
    run, shop, tmp_path, monkeypatch
):
    billing = onboard(run, shop, tmp_path, sum_meter=True)
    billing.report("k1", 12)
    run("backup", tmp_path / "copy.db")
    billing.at(AFTER_TEN, "run")
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{tmp_path / 'copy.db'}")

    early = billing.at("2026-09-01T12:00:00Z", "restore", *WHY)

    assert early.code == 3
    assert "run restore again from 2026-09-03T12:15:00Z on" in early.err
    assert billing.at("2026-09-03T12:20:00Z", "restore", *WHY).code == 0
    for at in ("2026-09-03T12:30:00Z", "2026-09-03T19:00:00Z"):
        assert billing.at(at, "run").code == 0
    assert billing.total() == 12


def test_a_lag_that_is_no_duration_is_refused(lost):
    ran = lost.at("2026-09-01T12:30:00Z", "restore", *WHY, "--lag", "soon")

    assert (ran.code, "--lag" in ran.err) == (2, True)
