"""How long each page of the dashboard takes, with many tenants in one SQLite file.

Every tenant has a mapping and an hour of usage, sealed and told to a provider; one busy tenant has
a month of hours on four meters; a thousand reports are dead letters. Each page is asked for in this
process, signed in and whole, headers and middleware included. Prints the median and the longest by
the clock, and the median of the processor's time. Ends with an error where a page's median of the
processor's time is above the limit.

    PYTHONPATH=src python bench/dashboard_pages.py --tenants 10000
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.testclient import TestClient

from tallystick.bootstrap import App
from tallystick.clock import FixedClock
from tallystick.config import Settings
from tallystick.domain.api_key import Scope
from tallystick.domain.instant import EARLIEST, HOUR, MINUTE, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Limits
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.http.api import build_api
from tallystick.entrypoints.http.service import service_for
from tallystick.entrypoints.issuing import issued
from tallystick.ports import Override, Store
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.fakes import SUM_METER, FakeProvider, FakePublisher

NOW = parse_instant("2026-01-31T12:30:00Z")
METERS = ("requests", "tokens", "bytes", "seats")
BUSY = "t00000"
BUSY_HOURS = 24 * 30
DEAD = 1_000
TIMES = 30
LIMIT_MS = 100
WHO = Override(at=0, who="bench", why="bench", action="save", subject="catalog")


def set_up(store: Store, tenants: int) -> None:
    """Meters, tenants and a mapping for each, several writers sharing a commit."""
    for meter in METERS:
        store.catalog.save(Meter(id=meter, code=meter), WHO)
    with ThreadPoolExecutor(16) as writers:
        names = [f"t{number:05}" for number in range(tenants)]
        list(writers.map(lambda name: store.catalog.save(Tenant(id=name), WHO), names))
        list(writers.map(lambda name: store.catalog.save(mapping_of(name), WHO), names))


def mapping_of(tenant: str) -> Mapping:
    return Mapping(
        tenant=tenant,
        meter=METERS[0],
        route=SUM_METER.name,
        destination=f"cus_{tenant}",
        counter=METERS[0],
        publish_from=EARLIEST,
    )


def reports(tenants: int) -> Iterator[dict[str, object]]:
    """Everybody's hour, the busy tenant's month, and what cannot be counted."""
    for number in range(tenants):
        yield told(f"t{number:05}", METERS[0], f"h{number}", NOW - HOUR)
    for hour in range(BUSY_HOURS):
        for meter in METERS:
            for part in range(3):
                at = NOW - hour * HOUR - part * MINUTE
                yield told(BUSY, meter, f"b{hour}-{meter}-{part}", at)
    for number in range(DEAD):
        yield told("nobody", METERS[0], f"d{number}", NOW - HOUR)


def told(tenant: str, code: str, key: str, at: int) -> dict[str, object]:
    return {
        "tenant": tenant,
        "code": code,
        "key": key,
        "quantity": "12.5",
        "occurred_at": format_instant(at),
    }


def count_all(store: Store, tenants: int) -> None:
    intake = intake_of(store)
    waiting = [Report(origin=f"bench {n}", body=body) for n, body in enumerate(reports(tenants))]
    for start in range(0, len(waiting), 1_000):
        ingest(waiting[start : start + 1_000], intake, NOW)


def publish_all(store: Store, clock: FixedClock) -> None:
    publisher = FakePublisher(FakeProvider(clock), clock)
    publishing = Publishing(store=store, publisher=publisher, clock=clock, limits=Limits())
    one_pass(publishing, SealLimits())


def signed_in(app: App, client: TestClient) -> None:
    key, text = issued([Scope.ADMIN], app.clock.now())
    app.store.keys.add(key, WHO)
    client.post("/dashboard/sign-in", data={"key": text}).raise_for_status()


def paths(store: Store) -> dict[str, str]:
    told_last = store.outbox.publications(limit=1).elements[0].identifier
    busy = f"/dashboard/tenant?id={BUSY}"
    return {
        "overview": "/dashboard/",
        "overview, each second": "/dashboard/live",
        "tenants": "/dashboard/tenants",
        "tenants, searched": "/dashboard/tenants?q=t09",
        "tenant, 24 hours": f"{busy}&reach=day&size=HOUR",
        "tenant, 30 days by day": f"{busy}&reach=month&size=DAY",
        "tenant, 30 days by hour": f"{busy}&reach=month&size=HOUR",
        "tenant, each second": f"/dashboard/tenant/now?id={BUSY}",
        "publications": "/dashboard/publications",
        "publication": f"/dashboard/publication?identifier={told_last}",
        "reconciliation": "/dashboard/reconciliation",
        "dead letters": "/dashboard/dead-letters",
        "dead letters, of a rare reason": "/dashboard/dead-letters?reason=overflow",
        "meters": "/dashboard/meters",
        "keys": "/dashboard/keys",
    }


def measured(client: TestClient, path: str) -> tuple[float, float, float]:
    """(median, longest, median of the processor's time) in milliseconds."""
    walls, works = [], []
    for _ in range(TIMES):
        began, worked = time.perf_counter(), time.process_time()
        answer = client.get(path)
        works.append((time.process_time() - worked) * 1_000)
        walls.append((time.perf_counter() - began) * 1_000)
        if answer.status_code != 200:
            sys.exit(f"{path} answered {answer.status_code}")
    return statistics.median(walls), max(walls), statistics.median(works)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    tenants = parser.parse_args().tenants
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore.open(Path(folder) / "bench.db", create=True, incarnation="bench")
        clock = FixedClock(NOW)
        set_up(store, tenants)
        count_all(store, tenants)
        publish_all(store, clock)
        app = App(store=store, clock=clock, settings=Settings())
        with TestClient(build_api(service_for(app))) as client:
            signed_in(app, client)
            print(f"{'page':32} {'median ms':>10} {'longest ms':>11} {'processor ms':>13}")
            for name, path in paths(store).items():
                median, longest, work = measured(client, path)
                slow += [name] if work > LIMIT_MS else []
                print(f"{name:32} {median:10.1f} {longest:11.1f} {work:13.1f}")
        store.close()
    if slow:
        sys.exit(f"above {LIMIT_MS} ms: {', '.join(slow)}")


if __name__ == "__main__":
    main()
