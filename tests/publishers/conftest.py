from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from tallystick.clock import FixedClock
from tallystick.publishers.stripe import Rates, StripePublisher
from tallystick.sandbox import Settings, StripeSandbox, serve
from tests.publishers.world import KEY, NOW, World
from tests.sandbox.shop import NOON, Shop

FAST = Rates(meter_events=100_000, usage_records=100_000, reads=100_000)


@pytest.fixture
def open_world() -> Iterator[Callable[..., World]]:
    closing: list[Callable[[], None]] = []

    def opened(*, rates: Rates = FAST, seed: int = 0, **settings: Any) -> World:
        sandbox = StripeSandbox(NOON, seed=seed, settings=Settings(**settings))
        running = serve(sandbox)
        client = stripe.StripeClient("sk_test_shop", base_addresses={"api": running.url})
        clock = FixedClock(NOW)
        publisher = StripePublisher(KEY, clock=clock, api_base=running.url, rates=rates)
        closing.extend((client._requestor._client.close, running.close))
        return World(Shop(sandbox, client, running.url), clock, publisher)

    yield opened
    for close in closing:
        close()


@pytest.fixture
def world(open_world: Callable[..., World]) -> World:
    return open_world()


@pytest.fixture
def publisher_at() -> Callable[..., StripePublisher]:
    """Publishers for scripted servers; their clock stands at NOW."""

    def made(url: str, **options: Any) -> StripePublisher:
        options = {"clock": FixedClock(NOW), "rates": FAST, **options}
        return StripePublisher(options.pop("api_key", KEY), api_base=url, **options)

    return made
