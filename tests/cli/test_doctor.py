"""`doctor`: what is in order, and each thing that is not, with what to do about it."""

import json
from collections.abc import Callable
from pathlib import Path

import apsw

from tallystick.bootstrap import open_store
from tallystick.config import unknown_variables
from tallystick.entrypoints.cli import doctor
from tallystick.sandbox import Fault
from tests.cli.billing import AFTER_TEN, EVENING, onboard
from tests.http.served import serving

WHY = ("--why", "a test")


def findings(billing, at: str = EVENING) -> dict[object, object]:
    rows = billing.at(at, "doctor", "--json").rows
    return {row["subject"]: row["finding"] for row in rows if row["level"] == "wrong"}


def test_a_store_in_order_is_in_order(billing):
    assert billing.at(EVENING, "doctor").code == 0
    assert findings(billing) == {}


def test_the_doctor_names_what_is_not_in_order(billing, write):
    billing.run("tenants", "add", "globex")
    billing.run("pause", *WHY)
    billing.run("import", write("bad.ndjson", "{}\n"))

    found = findings(billing)

    assert found == {
        "pause": "publishing is paused",
        "globex": "no mapping: its usage is held",
        "dead letters": "1 reports wait",
    }
    assert billing.run("doctor").code == 1


def test_the_doctor_names_a_period_that_starts_inside_an_hour(run, shop, tmp_path):
    billing = onboard(run, shop, tmp_path)
    anchored = ("tenants", "add", "late", "--anchor", "2026-09-01T10:17:23Z")
    billing.at("2026-09-01T00:00:00Z", *anchored)
    target = ("--stripe-customer", "cus_late", "--event-name", "api_calls")
    billing.run("mappings", "add", "late", "api_calls", *target)

    assert "inside a UTC hour" in str(findings(billing)["late/api_calls"])


def test_the_doctor_says_that_stripe_refuses_the_key_or_is_away_or_that_there_is_none(
    billing, monkeypatch
):
    billing.shop.sandbox.add_fault(Fault(kind="outage"))
    assert "cannot be read now" in str(findings(billing)["provider"])

    billing.shop.sandbox.clear_faults()
    billing.shop.sandbox.grant("sk_test_commands", ["rak_customer_read"])
    assert "rak_event_read" in str(findings(billing)["provider"])

    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")
    assert "there is no key" in str(findings(billing)["provider"])


def hints(billing, at: str = EVENING) -> set[object]:
    rows = billing.at(at, "doctor", "--json").rows
    return {row["subject"] for row in rows if row["level"] == "hint"}


def test_hints_alone_are_no_reason_to_wake_anybody(billing, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_METRICS_OPEN", "true")

    assert {"TALLYSTICK_STRIPE_API_BASE", "TALLYSTICK_METRICS_OPEN", "webhooks"} <= hints(billing)
    assert billing.at(EVENING, "doctor").code == 0
    monkeypatch.setenv("TALLYSTICK_STRIPE_WEBHOOK_SECRET", "whsec_something")
    assert "webhooks" not in hints(billing)


def test_a_setting_that_is_misspelt_is_named(billing, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_GRACES", "10m")

    assert findings(billing) == {"TALLYSTICK_GRACES": "no such setting: it has no effect"}


def test_every_setting_is_known_by_itself_and_by_its_file():
    known = ("STORE", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "LOG_LEVEL", "FIRST_KEY_FILE")
    asked = {f"TALLYSTICK_{name}": "" for name in known}
    wrong = {"TALLYSTICK_GRACE_FILE": "", "TALLYSTICK_": "", "OTHER": ""}

    assert unknown_variables({**asked, "TALLYSTICK_STRIPE_API_KEY_FILE": ""}) == ()
    assert unknown_variables({**asked, **wrong}) == ("TALLYSTICK_", "TALLYSTICK_GRACE_FILE")


def test_a_live_key_that_is_not_allowed_is_a_finding_and_the_rest_is_looked_at(
    billing, monkeypatch
):
    billing.run("pause", *WHY)
    monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", "sk_live_something")

    found = findings(billing)

    assert "allow-live" in str(found["provider"])
    assert "sk_live_something" not in json.dumps(list(found.items()))
    assert "pause" in found


def test_keys_that_open_nothing_any_more_are_named(billing):
    (made,) = billing.run("keys", "create", "--scope", "admin", "--json").rows
    assert findings(billing) == {}

    billing.run("keys", "revoke", made["id"], *WHY)
    assert "nobody can use the API" in str(findings(billing)["keys"])
    billing.at(EVENING, "keys", "create", "--scope", "ingest", "--expires-in", "1h")
    assert "keys" not in findings(billing)
    assert any(str(subject).startswith("key ") for subject in hints(billing))


def test_usage_that_nobody_seals_and_a_slot_that_closed_too_early_are_named(billing):
    billing.report("a")
    assert "not in the ledger" in str(findings(billing)["hourly loop"])

    billing.at(AFTER_TEN, "seal")
    assert {"hourly loop", "slots"}.isdisjoint(findings(billing, AFTER_TEN))
    assert "whole total" in str(findings(billing, "2026-11-01T00:00:00Z")["slots"])


def test_a_damaged_file_is_named_unless_it_is_too_large_to_be_read_through(billing, monkeypatch):
    for number in range(40):
        billing.report(f"e{number}")
    path = billing.folder / "usage.db"
    open_store(f"sqlite:///{path}").close()
    raw = bytearray(path.read_bytes())
    leaf = raw.rindex(b"e39")
    raw[leaf : leaf + 3] = b"e38"
    path.write_bytes(raw)

    assert "damaged" in str(findings(billing)["store"])
    monkeypatch.setattr(doctor, "PAGES_READ_MAX", 0)
    assert "store" not in findings(billing)
    rows = billing.at(EVENING, "doctor", "--thorough", "--json").rows
    assert any("damaged" in str(row["finding"]) for row in rows)


def test_keys_that_want_more_memory_than_they_may_take_are_a_hint(billing, monkeypatch):
    path = billing.folder / "usage.db"
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{path}?key_memory_mb=1")
    assert "key memory" not in hints(billing)

    db = apsw.Connection(str(path))
    db.execute(
        "INSERT INTO key_run (level, first_event_id, last_event_id, keys, held_from,"
        " held_below) VALUES (1, 0, 0, 1000000, 0, 0)"
    )
    db.close()

    assert "key memory" in hints(billing)
    rows = billing.at(EVENING, "doctor", "--json").rows
    assert any("key_memory_mb=2" in str(row["what_to_do"]) for row in rows)


def test_a_full_disk_and_a_file_that_all_can_read_are_named(billing, monkeypatch):
    (billing.folder / "usage.db").chmod(0o644)
    assert "store" in hints(billing)
    (billing.folder / "usage.db").chmod(0o600)
    assert "store" not in hints(billing)

    monkeypatch.setattr(doctor, "FREE_MIN", 2**80)
    assert "MiB of disk are free" in str(findings(billing)["store"])


def test_a_provider_whose_clock_is_ahead_is_named(billing):
    billing.shop.sandbox.set_time(billing.shop.sandbox.now() + 86_400)

    assert "behind the provider" in str(findings(billing, AFTER_TEN)["clock"])


def test_a_store_that_cannot_be_opened_is_3_and_one_that_is_not_there_2(run, tmp_path: Path):
    (tmp_path / "other.db").write_bytes(b"no database" * 100)

    assert run("doctor", "--store", f"sqlite:///{tmp_path / 'other.db'}").code == 3
    assert run("doctor", "--store", f"sqlite:///{tmp_path / 'absent.db'}").code == 2


def test_a_server_is_asked_where_its_port_is_given(run: Callable, tmp_path: Path):
    def told(port: int) -> list[object]:
        rows = run("doctor", "--port", port, "--json").rows
        return [row["finding"] for row in rows if row["subject"] == f"port {port}"]

    with serving(tmp_path) as served:
        assert run("tenants", "add", "acme").code == 0
        assert told(served.port) == []
    assert told(served.port) == ["nobody listens there"]
