"""What many keys cost the SQLite store by itself: rate, slowest call, memory, bytes, restart.

Events are those of the benchmark (`bench/table/usage.py`: 200 tenants, 5 meters, scattered keys),
stored without HTTP. Prints a line for each part of the fill: events a second of `record` alone, by
the processor's time and by the clock; the slowest call; the process's memory and the bytes an
event. Then, in a process of its own: how long the store takes to open, and to record its first new
event; what that process holds; and, once the filters before the keys are filled, the processor's
time for an event that comes alone, and for each of a thousand keys that it has, scattered over all.

    PYTHONPATH=src:. python bench/key_index.py --keys 10000000
    PYTHONPATH=src:. python bench/key_index.py --keys 200000 --batch 1
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.table.usage import LIVE, Usage, rules_of, set_up_catalog
from tallystick.domain.event import Receipt
from tallystick.domain.instant import parse_instant
from tallystick.ports import Recording, Store
from tallystick.stores.sqlite import SqliteStore

AT: Final = parse_instant("2026-11-01T12:00:00Z")
USAGE: Final = Usage(AT, AT)
LINES: Final = 10
FOUND: Final = 1_000
ALONE: Final = 500
TRIES: Final = 5


def resident_mb() -> int:
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) // 1_024


def batches(store: Store, first: int, last: int, size: int) -> Iterator[Sequence[Recording]]:
    rules = rules_of(store)
    for start in range(first, last, size):
        yield USAGE.sheet(rules, range(start, min(start + size, last)))


def fill(path: Path, keys: int, size: int) -> None:
    store = SqliteStore.open(path, incarnation="bench")
    set_up_catalog(store)
    part = max(size, keys // LINES)
    for first in range(0, keys, part):
        busy, clock, slowest = 0.0, 0.0, 0.0
        last = min(first + part, keys)
        for batch in batches(store, first, last, size):
            began, used = time.perf_counter(), time.process_time()
            store.events.record(batch, AT)
            took = time.perf_counter() - began
            busy, clock, slowest = (
                busy + time.process_time() - used,
                clock + took,
                max(slowest, took),
            )
        stored = sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))
        print(
            f"{last:>12,} keys",
            f"{(last - first) / busy:>8,.0f} /s of processor",
            f"{(last - first) / clock:>8,.0f} /s by the clock",
            f"slowest call {slowest * 1e3:>5.0f} ms",
            f"{resident_mb():>5,} MB",
            f"{stored / last:>5.1f} bytes an event",
            sep="  ",
            flush=True,
        )
    store.close()


def reopen(path: Path, keys: int) -> None:
    began = time.perf_counter()
    store = SqliteStore.open(path, incarnation="bench")
    opened = time.perf_counter()
    (new,) = batches(store, LIVE, LIVE + 1, 1)
    store.events.record(new, AT)
    ready = time.perf_counter()
    print(
        f"reopened: {opened - began:.2f} s to open, {ready - opened:.2f} s for the first event; "
        f"{resident_mb():,} MB"
    )
    # Half of the calls are enough for the filters, and of the others the one in the middle counts.
    alone = [used(store, one) for one in batches(store, LIVE + 1, LIVE + 1 + ALONE, 1)]
    scattered = USAGE.sheet(rules_of(store), range(0, keys, max(1, keys // FOUND)))
    known = min(used(store, scattered, Receipt.DUPLICATE) for _ in range(TRIES)) / len(scattered)
    print(
        f"of the processor: {median(alone[ALONE // 2 :]) * 1e6:.0f} µs for an event alone, "
        f"{known * 1e6:.1f} for each known key of {len(scattered)}"
    )
    store.close()


def used(store: Store, batch: Sequence[Recording], expected: Receipt = Receipt.RECORDED) -> float:
    """Seconds of the processor for one call."""
    began = time.process_time()
    receipts = {one.receipt for one in store.events.record(batch, AT)}
    ended = time.process_time()
    if receipts != {expected}:
        raise SystemExit(f"{receipts} where {expected} was to be expected")
    return ended - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    asked.add_argument("--keys", type=int, default=1_000_000)
    asked.add_argument("--batch", type=int, default=1_000)
    asked.add_argument("--file", type=Path, help="keep it here, and reopen one that is there")
    chosen = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.file or Path(folder) / "bench.db"
        if not path.exists():
            fill(path, chosen.keys, chosen.batch)
            again = [sys.argv[0], "--keys", str(chosen.keys), "--file", str(path)]
            subprocess.run([sys.executable, *again], check=True)  # noqa: S603
            return
        reopen(path, chosen.keys)


if __name__ == "__main__":
    main()
