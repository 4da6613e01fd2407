"""How long one hourly run takes: so many tenants on three meters, one SQLite file, Stripe's SDK,
the sandbox.

Each tenant reports a few events in one hour, the first of them in many. The run seals every
Aggregate, stores and sends every publication over HTTP to a sandbox in a process of its own; it is
killed with kill -9 in the middle, and a second run goes on. A third, hours later, reads everything
back and confirms it, and a fourth what the kill had left in doubt. The sandbox's own ceiling
is measured first: the same calls from a load generator that does nothing else. Ends with an error
unless the sandbox's books hold exactly what was reported.

    python -m bench.hourly_run --tenants 10000
"""

import argparse
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import stripe
import urllib3

from bench.table.load import Refused, send_again
from bench.table.machine import SERVER_CORES, on_cores
from bench.table.sandbox import (
    CEILING,
    CUSTOMERS,
    KEY,
    ceiling_of,
    check_taken,
    port_of,
    posted,
    sandbox,
    set_sandbox_clock,
)
from tallystick.clock import FixedClock
from tallystick.domain.instant import (
    EARLIEST,
    HOUR,
    LATEST,
    MINUTE,
    SECOND,
    parse_instant,
)
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Answer, Limits, Publication
from tallystick.domain.tenant import Tenant
from tallystick.ports import Override
from tallystick.publishers.stripe import StripePublisher
from tallystick.publishers.stripe.pacing import Rates
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits
from tallystick.stores.sqlite import SqliteStore

BEGINS: Final = parse_instant("2026-01-10T10:00:00Z")
METERS: Final = ("calls", "tokens", "seats")
EVENTS_EACH: Final = 2
HUGE_HOURS: Final = 200
"""So many hours the first tenant is behind."""

SENDERS: Final = 8
UNPACED: Final = Rates(meter_events=1_000_000, usage_records=1_000_000, reads=1_000_000)
"""The sandbox's ceiling is to be met, and not the limits that Stripe documents."""

WHO: Final = Override(at=0, who="bench", why="bench", action="save", subject="catalog")
EVENTS_LISTED: Final = 10_000
HOUR_SECONDS: Final = HOUR // SECOND
TOLD_EACH: Final = 100
SAVING: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What the sandbox must hold apart, and the total there."""

    tenant: int
    meter: str
    hour: int
    total: int


def tenant_name(number: int) -> str:
    return f"t{number:06}"


def slots(tenants: int) -> Iterator[Slot]:
    """Every slot: each tenant's three of the hour, and the first tenant's of the hours before."""
    for number in range(tenants):
        hours = HUGE_HOURS if number == 0 else 1
        for meter in METERS:
            for hour in range(hours):
                total = EVENTS_EACH * (1 + (number + hour) % 7)
                at = BEGINS - hour * HOUR
                yield Slot(tenant=number, meter=meter, hour=at, total=total)


def reports(tenants: int) -> Iterator[Report]:
    for slot in slots(tenants):
        for part in range(EVENTS_EACH):
            yield Report(
                origin="bench",
                body={
                    "tenant": tenant_name(slot.tenant),
                    "code": slot.meter,
                    "key": f"{slot.meter}-{slot.hour}-{part}",
                    "quantity": slot.total // EVENTS_EACH,
                    "occurred_at": f"{_rfc(slot.hour + 20 * MINUTE)}",
                },
            )


def _rfc(instant: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant // SECOND))


# ── Setting up ────────────────────────────────────────────────────────────────────────────────────


def set_up(store: SqliteStore, url: str, tenants: int) -> None:
    """The tenants, the meters, their mappings; customers and meters at the sandbox."""
    client = stripe.StripeClient(KEY, base_addresses={"api": url})
    for name in (*METERS, CEILING):
        client.v1.billing.meters.create(
            {
                "display_name": name,
                "event_name": name,
                "default_aggregation": {"formula": "sum"},
                "event_time_window": "hour",
            }
        )
    for meter in METERS:
        store.catalog.save(Meter(id=meter, code=meter), WHO)
    names = [tenant_name(number) for number in range(max(tenants, CUSTOMERS))]
    customers = [posted("/v1/customers", {"id": f"cus_{name}", "name": name}) for name in names]
    send_again(port_of(url), customers, check_taken)
    with ThreadPoolExecutor(SAVING) as saving:
        list(saving.map(lambda name: _save_tenant(store, name), names[:tenants]))
    waiting = reports(tenants)
    intake = intake_of(store)
    while batch := list(islice(waiting, 1_000)):
        ingest(batch, intake, BEGINS + 30 * MINUTE)


def _save_tenant(store: SqliteStore, name: str) -> None:
    store.catalog.save(Tenant(id=name), WHO)
    for meter in METERS:
        mapping = Mapping(
            tenant=name,
            meter=meter,
            route="stripe.hour_meter",
            destination=f"cus_{name}",
            counter=meter,
            publish_from=EARLIEST,
        )
        store.catalog.save(mapping, WHO)


# ── The runs ──────────────────────────────────────────────────────────────────────────────────────


class NotingPublisher(StripePublisher):
    """The publisher; it notes when it told the sandbox something, and its parent how often."""

    def __init__(self, url: str, clock: FixedClock, told: Connection) -> None:
        super().__init__(KEY, clock=clock, api_base=url, rates=UNPACED)
        self.sends: list[float] = []
        self.began = self.sealed_at = self.used_before_sending = 0.0
        self._told = told
        self._lock = threading.Lock()

    def send(self, publication: Publication) -> Answer:
        with self._lock:
            if not self.sealed_at:
                self.sealed_at, self.used_before_sending = time.perf_counter(), time.process_time()
                self._told.send({"sealing_seconds": round(self.sealed_at - self.began, 2)})
        answer = super().send(publication)
        with self._lock:
            self.sends.append(time.perf_counter())
            if len(self.sends) % TOLD_EACH == 0:
                self._told.send({"told": len(self.sends)})
        return answer


def run_once(path: Path, url: str, at: int, told: Connection) -> None:
    """One pass in a process of its own; at its end it tells its parent what it did."""
    store, clock = SqliteStore.open(path, incarnation="bench"), FixedClock(at)
    publisher = NotingPublisher(url, clock, told)
    with ThreadPoolExecutor(SENDERS) as senders:
        publishing = Publishing(
            store=store, publisher=publisher, clock=clock, limits=Limits(), senders=senders
        )
        began = publisher.began = time.perf_counter()
        one_pass(publishing, SealLimits())
        ended, used_at_end = time.perf_counter(), time.process_time()
    store.close()
    told.send(
        {
            "seconds": round(ended - began, 2),
            "sending_processor_seconds": round(used_at_end - publisher.used_before_sending, 2),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            **_sent(publisher.sends),
        }
    )


def _sent(sends: list[float]) -> dict[str, object]:
    """How many, and how fast."""
    if len(sends) < 2:
        return {"calls": len(sends)}
    return {
        "calls": len(sends),
        "calls_per_second": round(len(sends) / (sends[-1] - sends[0]), 1),
    }


def run_at(path: Path, url: str, at: int, kill_after: int = 0) -> dict[str, object]:
    """One pass at an instant, on the server's core; killed when it has told so many slots."""
    set_sandbox_clock(url, at)
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe(duplex=False)
    process = spawning.Process(target=run_once, args=(path, url, at, theirs))
    with on_cores(SERVER_CORES):
        process.start()
    theirs.close()
    found: dict[str, object] = {}
    try:
        while "seconds" not in found:
            found |= ours.recv()
            if kill_after and int(str(found.get("told", 0))) >= kill_after:
                process.kill()
                break
    finally:
        process.join()
    return found


# ── The proof ─────────────────────────────────────────────────────────────────────────────────────


def check_books(url: str, tenants: int) -> tuple[int, float]:
    """The sandbox holds in each slot what was reported, and nothing else; how many slots, and how
    fair the order was: the share of the huge tenant's slots that had been told when half of the
    others' were. In turn it would be a half; 1 is the huge one first."""
    held: dict[tuple[str, str, int], Decimal] = {}
    is_huge: list[bool] = []
    after = -1
    while True:
        listing = f"{url}/_sandbox/events?after={after}&limit={EVENTS_LISTED}"
        found = urllib3.request("GET", listing).json()["events"]
        for event in found:
            after = event["sequence"]
            if event["event_name"] != CEILING and event["fate"] == "counted":
                place = (event["customer"], event["event_name"], event["timestamp"] // HOUR_SECONDS)
                held[place] = Decimal(event["value"])
                is_huge.append(event["customer"] == f"cus_{tenant_name(0)}")
        if len(found) < EVENTS_LISTED:
            break
    wanted = {
        (f"cus_{tenant_name(s.tenant)}", s.meter, s.hour // HOUR): Decimal(s.total)
        for s in slots(tenants)
    }
    if held != wanted:
        wrong = {place for place in held | wanted if held.get(place) != wanted.get(place)}
        raise Refused(f"{len(wrong)} slots differ at the sandbox, such as {sorted(wrong)[:3]}")
    return len(wanted), _share_before_half(is_huge)


def _share_before_half(is_huge: list[bool]) -> float:
    others = [position for position, huge in enumerate(is_huge) if not huge]
    half = others[len(others) // 2] if others else 0
    return round(sum(is_huge[:half]) / max(1, sum(is_huge)), 3)


def check_settled(path: Path) -> None:
    store = SqliteStore.open(path, incarnation="bench")
    due = store.outbox.slots_due(LATEST).elements
    store.close()
    if due:
        raise Refused(f"slots are still due: {due[:2]}")


def measure(folder: Path, tenants: int, *, port: int = 0, seconds: float = 3) -> dict[str, object]:
    """The whole story, and what it came to."""
    path = folder / "hourly.db"
    with sandbox(BEGINS, port) as url:
        began = time.perf_counter()
        store = SqliteStore.open(path, incarnation="bench")
        set_up(store, url, tenants)
        store.close()
        prepared = time.perf_counter() - began
        with on_cores(SERVER_CORES):
            customers = [f"cus_{tenant_name(number)}" for number in range(CUSTOMERS)]
            ceiling = ceiling_of(url, customers, BEGINS, SENDERS, seconds)
        count = sum(1 for _ in slots(tenants))
        at = BEGINS + HOUR + 5 * MINUTE
        killed = run_at(path, url, at, kill_after=count // 4)
        sent = run_at(path, url, at)
        confirmed = run_at(path, url, BEGINS + 8 * HOUR)
        # What the kill left in doubt was sent again just now, and is read like the rest.
        run_at(path, url, BEGINS + 16 * HOUR)
        held, fairness = check_books(url, tenants)
    check_settled(path)
    return {
        "tenants": tenants,
        "meters": len(METERS),
        "slots": held,
        "setting_up_seconds": round(prepared, 1),
        "ceiling_calls_per_second": round(ceiling, 1),
        "huge_share_told_at_half": fairness,
        "killed": killed,
        "sent": sent,
        "confirmed": confirmed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), asked.tenants)
    for name, value in found.items():
        print(f"{name:>26}: {value}")
    print(f"all {found['slots']} slots hold at the sandbox what was reported, and are confirmed")


if __name__ == "__main__":
    main()
