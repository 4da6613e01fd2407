"""How long one hourly run takes: so many tenants, one SQLite file, the Stripe SDK, the sandbox.

Each tenant reports a few events in one hour; the run seals every tenant's Aggregate, stores and
sends every publication over HTTP to a sandbox in a process of its own, and then a second run, six
hours later, reads everything back and confirms it. Prints seconds and rates, and checks that the
sandbox's books hold exactly what was reported.

    PYTHONPATH=src python bench/hourly_run.py --tenants 10000
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing import Queue, get_context
from pathlib import Path

import stripe
import urllib3

from tallystick.clock import FixedClock
from tallystick.domain.instant import EARLIEST, HOUR, MINUTE, SECOND, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.ports import Override
from tallystick.publishers.stripe import StripePublisher
from tallystick.sandbox import run
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits
from tallystick.stores.sqlite import SqliteStore

BEGINS = parse_instant("2026-01-10T10:00:00Z")
EVENTS_EACH = 3
WHO = Override(at=0, who="bench", why="bench", action="save", subject="catalog")


def serve_sandbox(urls: Queue) -> None:
    run(port=0, at=BEGINS // SECOND, announce=urls.put)


@contextmanager
def sandbox() -> Iterator[str]:
    """A sandbox in a process of its own; its URL."""
    spawning = get_context("spawn")
    urls = spawning.Queue()
    process = spawning.Process(target=serve_sandbox, args=(urls,))
    process.start()
    try:
        yield urls.get(timeout=30)
    finally:
        process.terminate()
        process.join()


def set_sandbox_clock(url: str, at: int) -> None:
    body = json.dumps({"now": at // SECOND}).encode()
    urllib3.request("POST", f"{url}/_sandbox/clock", body=body)


def set_up(store: SqliteStore, url: str, tenants: int) -> str:
    """The tenants, one meter, their mappings; customers and the meter at the sandbox."""
    client = stripe.StripeClient("sk_test_bench", base_addresses={"api": url})
    store.catalog.save(Meter(id="used", code="used"), WHO)
    for number in range(tenants):
        name = f"t{number:05}"
        client.v1.customers.create({"id": f"cus_{name}", "name": name})
        store.catalog.save(Tenant(id=name), WHO)
        store.catalog.save(
            Mapping(
                tenant=name,
                meter="used",
                route="stripe.hour_meter",
                destination=f"cus_{name}",
                counter="used",
                publish_from=EARLIEST,
            ),
            WHO,
        )
    made = client.v1.billing.meters.create(
        {
            "display_name": "used",
            "event_name": "used",
            "default_aggregation": {"formula": "sum"},
            "event_time_window": "hour",
        }
    )
    return str(made.id)


def report(store: SqliteStore, tenants: int) -> None:
    intake = intake_of(store)
    reports = [
        Report(
            origin="bench",
            body={
                "tenant": f"t{number:05}",
                "code": "used",
                "key": f"{number}-{part}",
                "quantity": number % 7 + part,
                "occurred_at": "2026-01-10T10:20:00Z",
            },
        )
        for number in range(tenants)
        for part in range(EVENTS_EACH)
    ]
    for start in range(0, len(reports), 1_000):
        ingest(reports[start : start + 1_000], intake, BEGINS + 30 * MINUTE)


def run_at(store: SqliteStore, url: str, at: int) -> float:
    """One pass at an instant; its seconds."""
    set_sandbox_clock(url, at)
    clock = FixedClock(at)
    with ThreadPoolExecutor(8) as senders:
        publishing = Publishing(
            store=store,
            publisher=StripePublisher("sk_test_bench", clock=clock, api_base=url),
            clock=clock,
            limits=Limits(),
            senders=senders,
        )
        started = time.perf_counter()
        one_pass(publishing, SealLimits())
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    tenants = parser.parse_args().tenants
    with tempfile.TemporaryDirectory() as folder, sandbox() as url:
        store = SqliteStore.open(Path(folder) / "bench.db", create=True, incarnation="bench")
        meter = set_up(store, url, tenants)
        report(store, tenants)
        sent = run_at(store, url, BEGINS + HOUR + 5 * MINUTE)
        confirmed = run_at(store, url, BEGINS + 8 * HOUR)
        expected = sum(
            number % 7 + part for number in range(tenants) for part in range(EVENTS_EACH)
        )
        totals = urllib3.request("GET", f"{url}/_sandbox/books?limit=100000").json()["totals"]
        held = sum(Decimal(t["total"]) for t in totals if t["meter"] == meter)
        unsettled = len(store.outbox.slots_due(limit=tenants).elements)
        store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"tenants {tenants}  seal+publish {sent:.1f} s ({tenants / sent:.0f} slots/s)  "
        f"confirm {confirmed:.1f} s  memory {memory} MiB"
    )
    if held != expected or unsettled:
        raise SystemExit(f"reported {expected}, Stripe holds {held}, still due {unsettled}")
    print(f"reported {expected} = held by the sandbox {held}; every slot confirmed")


if __name__ == "__main__":
    main()
