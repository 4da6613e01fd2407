"""A tenant billed at a sandbox that tells our API, by webhooks, what happens there."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import stripe

from tallystick.config import Secret, Settings
from tallystick.domain.instant import SECOND, parse_instant
from tallystick.domain.mapping import Mapping as Billed
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.publication import Limits, Publication
from tallystick.domain.tenant import Tenant, Terms
from tallystick.publishers import HOUR_METER
from tallystick.sandbox import StripeSandbox, serve
from tallystick.stages.publishing import HOLD, Publishing
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tests.http.conftest import AUDIT, NOW, Api, native
from tests.sandbox.shop import Shop

THIN, SNAPSHOT = "whsec_thin", "whsec_snapshot"
PATH = "/webhooks/stripe"
MONTH = parse_instant("2026-01-01T00:00:00Z")


@dataclass(frozen=True)
class World:
    """A tenant that is billed at a sandbox, which tells our API what happens there."""

    api: Api
    shop: Shop
    customer: str
    subscription: str

    @property
    def publishing(self) -> Publishing:
        app = self.api.service.app
        return Publishing(
            store=app.store, publisher=app.publisher, clock=app.clock, limits=Limits()
        )

    def advance(self, microseconds: int) -> None:
        self.api.clock.at += microseconds
        self.shop.sandbox.set_time(self.api.clock.at // SECOND)

    def publish(self) -> None:
        app = self.api.service.app
        seal(app.store, app.publisher.routes, app.clock.now(), limits=SealLimits())
        self.publishing.run()

    def count(self, key: str = "n1") -> None:
        at = parse_instant("2026-01-31T10:30:00Z") // 1_000
        assert self.api.post(native(key, Timestamp=at)).status_code == 204

    def deliver(self) -> list[int]:
        """The status that each delivery was answered with."""
        return [int(str(one["status"])) for one in self.shop.sandbox.deliver()]

    @property
    def publication(self) -> Publication:
        (found,) = self.api.store.outbox.publications().elements[-1:]
        return found

    @property
    def at_stripe(self) -> Decimal:
        return self.shop.sandbox.usage_total("requests", self.customer, 0, 2**40)

    @property
    def held(self) -> str | None:
        return self.api.store.catalog.switches().get(f"{HOLD}:{self.customer}")

    def told(self, event: object, *, secret: str = THIN, at: int = 0) -> Any:
        """Post an event signed by the SDK."""
        body = event if isinstance(event, str) else json.dumps(event)
        signed_at = (self.api.clock.at + at) // SECOND
        signature = stripe.WebhookSignature.generate_signature_header(body, secret, signed_at)
        names = {"stripe-signature": signature, "content-type": "application/json"}
        return self.api.client.post(PATH, content=body.encode(), headers=names)


@contextmanager
def opened(make_api: Callable[..., Api]) -> Iterator[World]:
    """A world whose sandbox tells the API in this process, with two endpoints."""
    sandbox = StripeSandbox(NOW // SECOND)
    running = serve(sandbox)
    client = stripe.StripeClient("sk_test_shop", base_addresses={"api": running.url})
    shop = Shop(sandbox, client, running.url)
    customer = shop.customer()
    price = shop.price(shop.meter("requests", event_time_window="hour"))
    anchor = MONTH // SECOND
    made = shop.subscribe(customer, price, billing_cycle_anchor=anchor, backdate_start_date=anchor)
    api = make_api(
        Settings(
            stripe_api_key=Secret("sk_test_tally"),
            stripe_api_base=running.url,
            stripe_webhook_secrets=(Secret(SNAPSHOT), Secret(THIN)),
        )
    )
    _onboard(api, customer)
    sandbox._post = _posting(api)
    sandbox.add_webhook("https://tally.example/webhooks/stripe", THIN, thin=True)
    sandbox.add_webhook("https://tally.example/webhooks/stripe", SNAPSHOT)
    yield World(api, shop, customer, made.id)
    client._requestor._client.close()
    running.close()
    assert api.service.deliveries.memory.held == 0


def _onboard(api: Api, customer: str) -> None:
    catalog = api.store.catalog
    catalog.save(Tenant(id="acme", versions=(Terms(anchor=MONTH),)), AUDIT)
    catalog.save(Meter(id="requests", code="requests", aggregation=Aggregation.SUM), AUDIT)
    billed = Billed(
        tenant="acme",
        meter="requests",
        route=HOUR_METER.name,
        destination=customer,
        counter="requests",
        publish_from=MONTH,
    )
    catalog.save(billed, AUDIT)


def _posting(api: Api) -> Callable[[str, Mapping[str, str], bytes], int]:
    def post(_: str, headers: Mapping[str, str], body: bytes) -> int:
        return api.client.post(PATH, content=body, headers=dict(headers)).status_code

    return post


def changed(customer: str, kind: str = "customer.subscription.updated") -> dict[str, object]:
    return {"id": "evt_1", "type": kind, "data": {"object": {"customer": customer}}}
