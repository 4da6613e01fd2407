"""Two servers on one store, both with their hourly loop and under load: counted once, told once."""

import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.bootstrap import open_store
from tallystick.domain.publication import State
from tallystick.entrypoints.cli import main
from tallystick.ports import Store
from tallystick.sandbox import StripeSandbox, serve
from tests.http.served import PATIENCE_SECONDS, Served, serving
from tests.sandbox.shop import Shop

KEY = "sk_test_twice"
RESTLESS = """
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import Limits
from tallystick.entrypoints import worker
from tallystick.entrypoints.cli import passes
passes.LIMITS = Limits(send_timeout=2 * SECOND)
worker.next_pass = lambda after, grace, *, again: after + SECOND // 20
"""
TENANTS = ("acme", "beta", "gamma")
HOURS = 3
ROUNDS = 12


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A sandbox by the real clock, which is the servers'."""
    with serve(StripeSandbox()) as running, requests.Session() as session:
        monkeypatch.setenv("TALLYSTICK_STRIPE_API_BASE", running.url)
        monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", KEY)
        through = stripe.RequestsClient(session=session)
        client = stripe.StripeClient(KEY, base_addresses={"api": running.url}, http_client=through)
        yield Shop(running.sandbox, client, running.url)


def onboarded(folder: Path, shop: Shop) -> dict[str, str]:
    """Tenants billed by a sum meter, where telling twice bills twice; their customers."""
    began = f"{datetime.now(UTC) - timedelta(days=10):%Y-%m-%dT00:00:00Z}"
    there = ("--store", f"sqlite:///{folder / 'tally.db'}")
    assert main(["stripe", "setup", "used", "--sum-meter", *there]) == 0
    assert main(["meters", "add", "used", *there]) == 0
    customers = {}
    for tenant in TENANTS:
        customers[tenant] = customer = shop.customer(name=tenant)
        assert main(["tenants", "add", tenant, "--anchor", began, *there]) == 0
        target = ["--stripe-customer", customer, "--event-name", "used", "--sum-meter"]
        mapped = ["mappings", "add", tenant, "used", *target, "--publish-from", began, *there]
        assert main(mapped) == 0
    return customers


def usage(round_: int, now: datetime) -> list[dict[str, object]]:
    """Events of hours that are over, so that every pass finds something to seal and to tell."""
    return [
        {
            "TenantID": tenant,
            "ProductCode": "used",
            "EventID": f"{round_}/{hour}",
            "Quantity": 1 + round_ % 3,
            "Timestamp": int((now - timedelta(hours=hour + 2)).timestamp() * 1_000) + round_,
        }
        for tenant, hour in itertools.product(TENANTS, range(HOURS))
    ]


def report_all(served: Served, key: str, rounds: list[list[dict[str, object]]]) -> None:
    for batch in rounds:
        status, text, _ = served.request("POST", "/api/v1/events", batch, key=key)
        assert status == 204, text


def is_told(store: Store) -> bool:
    """Whether the provider accepted the whole total of every slot."""
    dues = store.outbox.slots().elements
    return bool(dues) and all(
        due.slot.total == due.slot.confirmed
        if due.current is None
        else (due.current.state is State.ACCEPTED and due.current.total == due.slot.total)
        for due in dues
    )


def wait_until_told(folder: Path, expected: Decimal) -> None:
    store = open_store(f"sqlite:///{folder / 'tally.db'}")
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        sealed = sum(due.slot.total for due in store.outbox.slots().elements)
        if sealed == expected and is_told(store):
            break
        assert time.monotonic() < ends, (sealed, expected, store.backlog(0))
        time.sleep(0.1)
    store.close()


def test_two_servers_and_their_loops_count_once_and_tell_the_provider_once(
    tmp_path: Path, shop: Shop
):
    customers = onboarded(tmp_path, shop)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rounds = [usage(number, hour) for number in range(ROUNDS)]
    ours = Decimal(sum(int(str(event["Quantity"])) for batch in rounds for event in batch))
    environment = {
        "TALLYSTICK_STRIPE_API_BASE": shop.url,
        "TALLYSTICK_STRIPE_API_KEY": KEY,
        "TALLYSTICK_FIRST_KEY_FILE": str(tmp_path / "first.key"),
    }

    with (
        serving(tmp_path, prelude=RESTLESS, environment=environment) as one,
        serving(tmp_path, prelude=RESTLESS, environment=environment) as two,
    ):
        key = (tmp_path / "first.key").read_text().strip()
        senders = [
            threading.Thread(target=report_all, args=(served, key, order))
            for served, order in ((one, rounds), (two, rounds), (one, rounds[::-1]))
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        wait_until_told(tmp_path, ours)
        for served in (one, two):
            served.wait_for_passes(2)
        assert (one.end(), two.end()) == (0, 0)

    told = [
        total
        for customer in customers.values()
        for total in shop.sandbox.hour_totals("used", customer).values()
    ]
    assert sum(told) == ours
    assert len(told) == len(TENANTS) * HOURS
    received = [event.identifier for event in shop.sandbox.received_events()]
    assert len(received) == len(set(received))
    store = open_store(f"sqlite:///{tmp_path / 'tally.db'}")
    assert len(store.events.events().elements) == ROUNDS * HOURS * len(TENANTS)
    assert store.dead_letters.list().elements == ()
    store.close()
