"""What one call of the client's `record` costs its caller, in microseconds.

Calls come in bursts with the threads of the client at work beside them, as in a service: they spool
to a folder and deliver to a stand-in that acknowledges at once (in this process, so that its work
counts against us). Prints for each run the median and the 99th percentile of the call's duration
by the clock, and the mean of the calling thread's own processor time, which says more on a busy
machine. Ends with an error unless every event was delivered.

    PYTHONPATH=src python bench/client_record.py --events 100000 --runs 5
"""

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tallystick.client import Answer, Client

BURST = 100
PAUSE_SECONDS = 0.005


def acknowledge(body: bytes, headers: Mapping[str, str]) -> Answer:
    plain = gzip.decompress(body) if "Content-Encoding" in headers else body
    return Answer(status=204, headers={"tallystick-counts": f"recorded={len(json.loads(plain))}"})


def measured(client: Client, events: int) -> tuple[list[int], int]:
    """Nanoseconds of each call by the clock, and of all of them by the processor."""
    durations: list[int] = []
    processor = 0
    dimensions = {"model": "large", "region": "eu"}
    for _ in range(events // BURST):
        began = time.thread_time_ns()
        for number in range(BURST):
            start = time.perf_counter_ns()
            client.record("acme", "tokens", number, dimensions=dimensions)
            durations.append(time.perf_counter_ns() - start)
        processor += time.thread_time_ns() - began
        time.sleep(PAUSE_SECONDS)
    return durations, processor


def one_run(events: int, spool: Path | None) -> str:
    client = Client("http://127.0.0.1", "tally_bench", spool=spool, transport=lambda: acknowledge)
    durations, processor = measured(client, events)
    if not client.close(60) or client.stats.delivered != len(durations):
        sys.exit(f"not every event was delivered: {client.stats}")
    durations.sort()
    median, p99 = durations[len(durations) // 2], durations[len(durations) * 99 // 100]
    mean = processor / len(durations)
    return (
        f"median {median / 1e3:6.1f} us   p99 {p99 / 1e3:7.1f} us   processor {mean / 1e3:6.1f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    for number in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            print(f"run {number + 1}, spool    {one_run(given.events, Path(folder) / 'spool')}")
        print(f"run {number + 1}, no spool {one_run(given.events, None)}")


if __name__ == "__main__":
    main()
