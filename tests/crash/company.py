"""The company whose usage is counted: its tenants, meters and key in the store, and the same in a
Stripe sandbox that runs as a process of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import stripe

from tallystick.bootstrap import App, app_of
from tallystick.clock import SystemClock
from tallystick.config import Settings
from tallystick.domain.api_key import Scope
from tallystick.domain.instant import EARLIEST, SECOND
from tallystick.domain.mapping import Mapping as Billing
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant, Terms
from tallystick.entrypoints.issuing import issued
from tallystick.ports import Override, Store
from tallystick.publishers import HOUR_METER
from tests.crash.checking import METERS
from tests.crash.telling import CODE, TENANTS, anchor_of
from tests.http.served import PROGRAM

STRIPE_KEY = "sk_test_crash"
PATIENCE_SECONDS = 120
SENDING = "/v1/billing/meter_events"
MISFORTUNE = {"error_before": 0.03, "error_after": 0.03, "drop_before": 0.03, "drop_after": 0.05}
"""What becomes of a request at the sandbox on a bad day, and how often."""

HOURLY: Mapping[str, str] = dict.fromkeys(METERS, HOUR_METER.name)


def audit(now: int) -> Override:
    return Override(at=now, who="crash", why="set up", action="add", subject="the company")


def fill(store: Store, now: int, routes: Mapping[str, str] = HOURLY) -> None:
    """Save the tenants, the meters, and whom each is billed to by which route."""
    for meter, aggregation in METERS.items():
        store.catalog.save(Meter(id=meter, code=CODE, aggregation=aggregation), audit(now))
    for name in TENANTS:
        terms = Terms(zone="UTC", anchor=anchor_of(now))
        store.catalog.save(Tenant(id=name, versions=(terms,)), audit(now))
        for meter in METERS:
            billing = Billing(
                tenant=name,
                meter=meter,
                route=routes[meter],
                destination=f"cus_{name}",
                counter=meter,
                publish_from=EARLIEST,
            )
            store.catalog.save(billing, audit(now))


def opened_company(folder: Path, now: int) -> str:
    """Make the store in this folder; the text of a key that may do everything."""
    with app_of(Settings(store=url_of(folder))) as app:
        fill(app.store, now)
        return _key(app, now)


def _key(app: App, now: int) -> str:
    key, text = issued([Scope.ADMIN], app.clock.now())
    app.store.keys.add(key, audit(now))
    return text


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'tally.db'}"


# ── Stripe ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, and what a company asks of it."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What a Tallystick finds that publishes here."""
        return {
            "TALLYSTICK_STRIPE_API_KEY": STRIPE_KEY,
            "TALLYSTICK_STRIPE_API_BASE": self.url,
        }

    def set_up(self, now: int) -> None:
        """Meters, prices, and a customer with a subscription for each tenant."""
        api = self._api()
        counters = [self._counter(api, meter) for meter in METERS]
        anchor = anchor_of(now) // SECOND
        for name in TENANTS:
            api.v1.customers.create({"id": f"cus_{name}", "name": name})
            api.v1.subscriptions.create(
                {
                    "customer": f"cus_{name}",
                    "items": [{"price": self._price(api, counter)} for counter in counters],
                    "billing_cycle_anchor": anchor,
                    "backdate_start_date": anchor,
                }
            )

    def set_clock(self, at: int) -> None:
        self._order("POST", "clock", {"now": at // SECOND})

    def misbehave(self) -> None:
        """Fail, before and after the effect, and lose answers, as a bad day would."""
        for kind, share in MISFORTUNE.items():
            self._order("POST", "faults", {"kind": kind, "probability": share, "path": SENDING})

    def behave(self) -> None:
        self._order("DELETE", "faults", {})

    def _order(self, method: str, path: str, order: Mapping[str, object]) -> None:
        host = urlsplit(self.url).netloc
        connection = HTTPConnection(host, timeout=PATIENCE_SECONDS)
        connection.request(method, f"/_sandbox/{path}", json.dumps(order))
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status == 200, text

    def total(self, tenant: str, meter: str, start: int, end: int) -> Decimal:
        """What Stripe shows for a customer's meter."""
        api = self._api()
        counter = next(m.id for m in api.v1.billing.meters.list().data if m.event_name == meter)
        span = {"start_time": start // SECOND, "end_time": end // SECOND}
        found = api.v1.billing.meters.event_summaries.list(
            counter, {"customer": f"cus_{tenant}", **span}
        )
        return sum((Decimal(str(one.aggregated_value)) for one in found.data), Decimal(0))

    def _api(self) -> stripe.StripeClient:
        return stripe.StripeClient(STRIPE_KEY, base_addresses={"api": self.url})

    @staticmethod
    def _counter(api: stripe.StripeClient, meter: str) -> str:
        return api.v1.billing.meters.create(
            {
                "display_name": meter,
                "event_name": meter,
                "default_aggregation": {"formula": "sum"},
                "event_time_window": "hour",
            }
        ).id

    @staticmethod
    def _price(api: stripe.StripeClient, counter: str) -> str:
        return api.v1.prices.create(
            {
                "currency": "usd",
                "product_data": {"name": "usage"},
                "unit_amount": 1,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": counter},
            }
        ).id


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """`tallystick sandbox stripe` as a process, by the real time."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "sandbox", "stripe", "--port", "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert program.stderr is not None
    try:
        line = program.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line
        yield Sandbox(found[0])
    finally:
        program.kill()
        program.wait()
        program.stderr.close()


def now_by_the_clock() -> int:
    return SystemClock().now()
