"""Our Stripe publisher, a bad network, and the sandbox: when faults stop, Stripe's totals are ours,
and at no moment were they more."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tallystick.publishers.stripe import StripePublisher, wire
from tallystick.testing.network import BadNetwork, Choice, Mishap, bad_network, drawn, listed
from tests.scenarios.story import Story, story

BEGIN, END = "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z"
HOURS = 4


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound answer that takes longer, on a slow machine, is one more answer that is lost."""
    monkeypatch.setattr(wire, "EXCHANGE_SECONDS_MAX", 0.5)


@contextmanager
def told_through(choose: Choice) -> Iterator[tuple[Story, BadNetwork]]:
    """A story whose publisher, and nobody else, goes through the network."""
    with story(BEGIN) as told, bad_network(told.url, choose) as network:
        told.publisher = StripePublisher("sk_test_story", clock=told.clock, api_base=network.url)
        yield told, network


def live_through(told: Story, network: BadNetwork, window: str | None) -> None:
    """Some hours of usage and corrections under faults, then four quiet days."""
    told.tenant("acme", anchor=BEGIN)
    told.meter("used")
    told.subscribes("acme", "used", anchor=BEGIN, window=window)
    ours = Decimal(0)
    for hour in range(HOURS):
        told.jump(f"2026-01-10T{hour:02}:30:00Z")
        for number in range(3):
            quantity = 10 * hour + number + 1
            ours += quantity
            told.report("acme", f"2026-01-10T{hour:02}:10:00Z", quantity)
            if hour:
                ours += 1
                told.report("acme", f"2026-01-10T{hour - 1:02}:10:00Z", 1)
        told.until(told.next_hour())
        assert told.at_stripe("acme", "used", BEGIN, END) <= ours
    network.heal()
    told.days_later(4)

    assert told.at_stripe("acme", "used", BEGIN, END) == ours
    assert told.discrepancies() == []
    assert [due.current for due in told.store.outbox.slots().elements] == [None] * HOURS


@pytest.mark.parametrize("window", ["hour", None], ids=["absolute", "delta"])
@pytest.mark.parametrize(
    "mishap", [mishap for mishap in Mishap if mishap is not Mishap.NONE], ids=lambda m: m.name
)
def test_stripe_has_our_totals_when_requests_are(mishap: Mishap, window: str | None):
    with told_through(listed(*[mishap] * 4)) as (told, network):
        live_through(told, network, window)

        assert network.seen[:4] == [mishap] * 4


@pytest.mark.parametrize("window", ["hour", None], ids=["absolute", "delta"])
@pytest.mark.parametrize("seed", range(3))
def test_stripe_has_our_totals_on_a_network_drawn_from(seed: int, window: str | None):
    with told_through(drawn(seed, share=0.6)) as (told, network):
        live_through(told, network, window)

        assert len(set(network.seen)) > 4
