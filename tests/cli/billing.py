"""A tenant that is billed through the sandbox, by commands only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tallystick.domain.instant import SECOND, parse_instant
from tests.sandbox.shop import Shop

KEY = "sk_test_commands"
BEGIN = "2026-09-01T00:00:00Z"
NINE, TEN = "2026-09-01T09:00:00Z", "2026-09-01T10:00:00Z"
AFTER_TEN = "2026-09-01T10:10:00Z"
EVENING = "2026-09-01T17:00:00Z"
NEXT_MONTH = "2026-10-01T04:00:00Z"
EVENT = '{"tenant":"acme","code":"api_calls","key":"%s","quantity":%s,"occurred_at":"%s"}\n'
SENDS = "/v1/billing/meter_events"


def seconds(text: str) -> int:
    return parse_instant(text) // SECOND


@dataclass(frozen=True, slots=True)
class Billing:
    """The commands, and the shop at the sandbox that they bill."""

    run: Callable
    shop: Shop
    folder: Path
    customer: str

    def at(self, text: str, *arguments: object):
        """Run a command at that time, by its clock and by the sandbox's."""
        if seconds(text) > self.shop.sandbox.now():
            self.shop.sandbox.set_time(seconds(text))
        return self.run(*arguments, "--at", text)

    def report(self, key: str, quantity: object = 5, occurred_at: str = NINE):
        """Import one event."""
        path = self.folder / f"{key}.ndjson"
        path.write_text(EVENT % (key, quantity, occurred_at), encoding="utf-8")
        return self.run("import", path)

    def publications(self, *arguments: str) -> list[dict[str, object]]:
        return self.run("publications", "list", "--json", *arguments).rows

    def total(self, start: str = NINE, end: str = TEN) -> object:
        """What the sandbox holds for the customer."""
        sandbox = self.shop.sandbox
        return sandbox.usage_total("api_calls", self.customer, seconds(start), seconds(end))


def onboard(run: Callable, shop: Shop, folder: Path, *, sum_meter: bool = False) -> Billing:
    """The tenant acme, its meter at Stripe, a price, a subscription, and the mapping between."""
    kind = ("--sum-meter",) if sum_meter else ()
    assert run("stripe", "setup", "api_calls", *kind).code == 0
    meter = shop.stripe.v1.billing.meters.list().data[0].id
    customer = shop.customer(id="cus_acme")
    shop.subscribe(customer, shop.price(meter))
    assert run("tenants", "add", "acme", "--anchor", "2026-09-01").code == 0
    assert run("meters", "add", "api_calls").code == 0
    target = ("--stripe-customer", customer, "--event-name", "api_calls", *kind)
    mapped = run("mappings", "add", "acme", "api_calls", *target, "--publish-from", BEGIN)
    assert mapped.code == 0
    return Billing(run, shop, folder, customer)
