from collections.abc import Callable, Iterator

import pytest
import requests
import stripe

from tallystick.sandbox import Settings, StripeSandbox, serve
from tests.sandbox.shop import NOON, Shop

Opener = Callable[..., Shop]


@pytest.fixture
def open_shop() -> Iterator[Opener]:
    """Open shops at sandboxes with their own settings; all are closed at the end."""
    closing: list[Callable[[], None]] = []

    def opened(now: int | None = NOON, seed: int = 0, **settings: object) -> Shop:
        sandbox = StripeSandbox(now, seed=seed, settings=Settings(**settings))  # type: ignore[arg-type]
        running = serve(sandbox)
        session = requests.Session()
        closing.extend((session.close, running.close))
        client = stripe.StripeClient(
            "sk_test_shop",
            base_addresses={"api": running.url},
            http_client=stripe.RequestsClient(session=session),
        )
        return Shop(sandbox, client, running.url)

    yield opened
    for close in closing:
        close()


@pytest.fixture
def shop(open_shop: Opener) -> Shop:
    return open_shop()
