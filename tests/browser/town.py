"""A company with a few days of usage behind it: counted, sealed, and told to the Stripe sandbox.

It is made by the commands that a person would use, against the real clock, since the server that
the browser looks at lives by that.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.bootstrap import open_store
from tallystick.domain.api_key import Scope
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant
from tallystick.entrypoints.cli import main
from tallystick.entrypoints.issuing import issued
from tallystick.ports import Override
from tallystick.sandbox import StripeSandbox, serve
from tests.http.served import STILL, Served, serving
from tests.sandbox.shop import Shop

STRIPE_KEY = "sk_test_browser"
DAYS = 4
OTHERS = 60
BILLED = ("acme", "globex")
DESTINATIONS = {"acme": "cus_acme", "globex": "cus_globex"}


@dataclass(frozen=True)
class Town:
    """The running server, with keys of each kind."""

    served: Served
    now: int
    admin: str
    reader: str
    tenant_reader: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"

    def report(self, *events: dict[str, object]) -> None:
        """Send events as a service would."""
        status, text, _ = self.served.request("POST", "/api/v1/events", list(events))
        assert status == 204, text


def instant_now() -> int:
    return int(time.time()) * SECOND


@contextmanager
def standing(folder: Path) -> Iterator[Town]:
    """The town, with the sandbox and the server running."""
    now = instant_now()
    begin = now - now % DAY - DAYS * DAY
    sandbox = StripeSandbox(now=begin // SECOND)
    with pytest.MonkeyPatch.context() as patch, serve(sandbox) as running:
        environment = {
            "TALLYSTICK_STORE": f"sqlite:///{folder / 'tally.db'}",
            "TALLYSTICK_STRIPE_API_BASE": running.url,
            "TALLYSTICK_STRIPE_API_KEY": STRIPE_KEY,
            "TALLYSTICK_EMBED_ORIGINS": "http://127.0.0.1:*",
        }
        for name in [name for name in os.environ if name.startswith("TALLYSTICK_")]:
            patch.delenv(name)
        for name, text in environment.items():
            patch.setenv(name, text)
        _settle_down(running.url, sandbox, begin)
        _live(folder, sandbox, begin, now)
        with serving(folder, prelude=STILL, environment=environment) as served:
            yield Town(
                served,
                now,
                admin=served.key,
                reader=_key(served.url, now),
                tenant_reader=_key(served.url, now, "acme"),
            )


def run(*arguments: object) -> None:
    code = main([str(argument) for argument in arguments])
    assert code in (0, 1), f"{arguments} ended with {code}"


def _settle_down(url: str, sandbox: StripeSandbox, begin: int) -> None:
    """Tenants, meters and mappings, billed since the town began."""
    day = format_instant(begin)
    with requests.Session() as session:
        through = stripe.RequestsClient(session=session)
        client = stripe.StripeClient(STRIPE_KEY, base_addresses={"api": url}, http_client=through)
        shop = Shop(sandbox, client, url)
        run("stripe", "setup", "api_calls")
        price = shop.price(client.v1.billing.meters.list().data[0].id)
        for destination in DESTINATIONS.values():
            shop.subscribe(shop.customer(id=destination), price)
    run("meters", "add", "api_calls")
    run("meters", "add", "tokens", "--dimension", "model")
    run("meters", "add", "users", "--code", "logins", "--aggregation", "unique_count",
        "--path", "user")  # fmt: skip
    for tenant in BILLED:
        run("tenants", "add", tenant, "--name", tenant.title(), "--anchor", day,
            "--zone", "UTC" if tenant == "globex" else "Europe/Berlin")  # fmt: skip
        run("mappings", "add", tenant, "api_calls", "--stripe-customer", DESTINATIONS[tenant],
            "--event-name", "api_calls", "--publish-from", day)  # fmt: skip
    for number in range(OTHERS):
        run("tenants", "add", f"tenant-{number:02}")


def _live(folder: Path, sandbox: StripeSandbox, begin: int, now: int) -> None:
    """Usage of some days; two passes, a day apart, so that the older publications are confirmed."""
    path = folder / "usage.ndjson"
    path.write_text("".join(f"{json.dumps(e)}\n" for e in _usage(begin, now)), encoding="utf-8")
    run("import", path)
    yesterday = now - now % DAY - 2 * HOUR
    for at in (yesterday, now):
        sandbox.set_time(at // SECOND)
        run("run", "--at", format_instant(at))


def _usage(begin: int, now: int) -> Iterator[dict[str, object]]:
    for hour, at in enumerate(range(begin, now - HOUR, HOUR)):
        for tenant in BILLED:
            for part in range(1 + (hour * 7 + len(tenant)) % 5):
                event = {"tenant": tenant, "key": f"{tenant}-{hour}-{part}"}
                when = {"occurred_at": format_instant(at + (part * 11 % 60) * MINUTE)}
                calls = 900 + (hour % 24) * 37 + part * 113
                yield {**event, "code": "api_calls", "quantity": calls, **when}
                yield {**event, "key": f"{event['key']}-l", "code": "logins", **when,
                       "properties": {"user": f"user-{(hour + part) % 9}"}}  # fmt: skip
                tokens = f"{1_000 + hour * 17 + part}.{part}25"
                yield {**event, "key": f"{event['key']}-t", "code": "tokens", **when,
                       "quantity": tokens,
                       "properties": {"model": ("large", "small")[part % 2]}}  # fmt: skip
    stray = {"code": "api_calls", "quantity": 1, "occurred_at": format_instant(now - HOUR)}
    for number in range(3):
        yield {**stray, "tenant": "initech", "key": f"stray-{number}"}
    yield {**stray, "tenant": "acme", "key": "odd", "code": "gigabytes"}
    yield {**stray, "tenant": "acme", "key": "bad", "quantity": "a lot"}


def _key(url: str, now: int, tenant: str = "") -> str:
    """The text of a key that may only look."""
    key, text = issued([Scope.READ], now)
    store = open_store(url, create=False)
    line = Override(at=now, who="the town", why="to look", action="keys create", subject=key.id)
    assert store.keys.add(replace(key, tenant=tenant, name="To look"), line)
    store.close()
    return text
