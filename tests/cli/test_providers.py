"""`stripe setup`, `stripe allow-live` and `sandbox stripe`."""

import re
import subprocess
import sys
import urllib.request

import pytest

from tests.cli.billing import AFTER_TEN

SERVE = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"


def test_a_meter_is_made_once_and_found_afterwards(run, shop):
    made = run("stripe", "setup", "api_calls", "--display-name", "API calls")
    found = run("stripe", "setup", "api_calls")

    assert (made.code, "(hour): made" in made.err) == (0, True)
    assert "(hour): was there" in found.err
    (meter,) = shop.stripe.v1.billing.meters.list().data
    assert (meter.display_name, meter.event_time_window) == ("API calls", "hour")


def test_a_meter_that_adds_up_is_made_on_demand_and_never_changed(run, shop):
    assert "(sum): made" in run("stripe", "setup", "api_calls", "--sum-meter").err

    other = run("stripe", "setup", "api_calls")

    assert (other.code, "choose another event name" in other.err) == (2, True)


def test_without_a_key_there_is_no_meter_to_set_up(run):
    ran = run("stripe", "setup", "api_calls")

    assert (ran.code, "TALLYSTICK_STRIPE_API_KEY" in ran.err) == (2, True)


def test_a_live_key_bills_nobody_until_somebody_allowed_it(billing, monkeypatch):
    billing.report("k1")
    monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", "sk_live_secret")

    refused = billing.at(AFTER_TEN, "run")
    allowed = billing.run("stripe", "allow-live", "--why", "we go live")
    sent = billing.at(AFTER_TEN, "run")

    assert (refused.code, "tallystick stripe allow-live" in refused.err) == (2, True)
    assert "secret" not in refused.err + allowed.err + sent.err
    assert (allowed.code, "1 accepted" in sent.err) == (0, True)


def test_allowing_live_keys_needs_a_reason(run):
    assert run("stripe", "allow-live").code == 2


@pytest.fixture
def served():
    """The sandbox in a process of its own, at any free port."""
    words = (sys.executable, "-c", SERVE, "sandbox", "stripe", "--port", "0")
    words += ("--at", "2026-09-01T00:00:00Z")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_the_sandbox_says_where_it_answers_and_stands_at_its_time(served):
    told = re.search(r"http://127\.0\.0\.1:\d+", served.stderr.readline())

    with urllib.request.urlopen(f"{told[0]}/_sandbox/clock", timeout=10) as answer:  # noqa: S310
        assert answer.read() == b'{"now":1788220800,"free_running":false}'


def test_a_time_of_the_sandbox_that_is_none_is_refused(run):
    ran = run("sandbox", "stripe", "--at", "noon")

    assert (ran.code, "--at: 'noon'" in ran.err) == (2, True)
