"""How fast, in how much memory and in how many bytes the SQLite store takes a year of flights.

A synthetic year: 16 airlines, each flight an event, read by 4 meters (count and sum by the hour,
distinct planes and the longest delay by the month). Prints events/s of `record` alone (by the
clock, and by the processor time it used, which says more on a busy machine) and with metering, the
process's memory, and bytes an event in the file.

    PYTHONPATH=src python bench/import_rows.py --events 327346 --batch 1000
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

from tallystick.domain.aggregate import contributions
from tallystick.domain.event import Event, fingerprint_of, key_of
from tallystick.domain.instant import DAY, HOUR, MINUTE, parse_instant
from tallystick.domain.meter import Aggregation, Meter, Span
from tallystick.domain.quantity import ONE
from tallystick.domain.tenant import Tenant
from tallystick.ports import Recording
from tallystick.stores.sqlite import SqliteStore

YEAR = parse_instant("2025-01-01T00:00:00Z")
NOW = parse_instant("2026-01-02T00:00:00Z")
SHARES = {"UA": 58, "B6": 54, "EV": 51, "DL": 48, "AA": 32, "MQ": 25, "US": 20, "9E": 17}
SHARES |= {"WN": 12, "VX": 5, "FL": 3, "AS": 2, "F9": 2, "YV": 2, "HA": 1, "OO": 1}
AIRLINES = tuple(SHARES)
METERS = (
    Meter(id="flights", code="flight", aggregation=Aggregation.COUNT),
    Meter(id="miles", code="flight", value_path="miles"),
    Meter(
        id="planes",
        code="flight",
        aggregation=Aggregation.UNIQUE_COUNT,
        span=Span.PERIOD,
        value_path="plane",
    ),
    Meter(
        id="longest_delay",
        code="flight",
        aggregation=Aggregation.MAX,
        span=Span.PERIOD,
        value_path="delay",
    ),
)


def flights(count: int, seed: int) -> Iterator[Event]:
    """So many flights, spread over the year in order of departure."""
    drawn = random.Random(seed)  # noqa: S311  # to be repeated, no secret
    for number in range(count):
        day = YEAR + number * 365 // count * DAY
        at = day + (5 + number * 365 % count * 18 // count) * HOUR + drawn.randrange(60) * MINUTE
        (airline,) = drawn.choices(AIRLINES, tuple(SHARES.values()))
        plane = f"N{drawn.randrange(250):03d}{airline}"
        miles, delay = drawn.randrange(80, 4984), drawn.randrange(-40, 900)
        properties = f'{{"delay":{delay},"miles":{miles},"plane":"{plane}"}}'
        key = key_of("flights-2025", f"{number:07d}")
        yield Event(
            tenant=airline,
            key=key,
            code="flight",
            quantity=ONE,
            occurred_at=at,
            received_at=NOW,
            properties=properties,
            fingerprint=fingerprint_of({"key": key, "miles": Decimal(miles)}),
        )


def recordings(count: int, seed: int) -> Iterator[Recording]:
    tenants = {airline: Tenant(id=airline) for airline in AIRLINES}
    for event in flights(count, seed):
        yield Recording(event, contributions(event, tenants[event.tenant], METERS))


def measure(path: Path, options: argparse.Namespace) -> None:
    store = SqliteStore.open(path, incarnation="bench")
    reported = recordings(options.events, options.seed)
    recording_time, processor_time, slowest = 0.0, 0.0, 0.0
    begun = time.perf_counter()
    while batch := list(islice(reported, options.batch)):
        before, used = time.perf_counter(), time.process_time()
        store.events.record(batch, NOW)
        took = time.perf_counter() - before
        processor_time += time.process_time() - used
        recording_time += took
        slowest = max(slowest, took)
    total_time = time.perf_counter() - begun
    store.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"record alone     {options.events / recording_time:10,.0f} events/s")
    print(f"record, by CPU   {options.events / processor_time:10,.0f} events/s")
    print(f"with metering    {options.events / total_time:10,.0f} events/s")
    print(f"slowest batch    {slowest * 1000:10.0f} ms of {options.batch} events")
    print(f"memory, at most  {memory:10.0f} MiB")
    print(f"in the file      {path.stat().st_size / options.events:10.0f} bytes/event")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=327_346)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder) / "flights.db", parser.parse_args())


if __name__ == "__main__":
    main()
