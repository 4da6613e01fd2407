"""What this machine can do at all: one core reads JSON, the disk takes a record, the server stack
answers a request. The gates are ratios to these, measured in the same run."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.table.ingest import Books, Row, Spent, figures
from bench.table.load import Plan, closed_loop
from bench.table.machine import SERVER_CORES, on_cores
from bench.table.serving import NoOp
from bench.table.usage import LIVE, Usage, many

RECORD: Final = bytes(4_096)
BATCHES: Final = (1, 100, 1_000)
REPEATS_MIN: Final = 3


class Contents(msgspec.Struct):
    """What is in an event's `data`."""

    quantity: int
    region: str


class CloudEvent(msgspec.Struct):
    """The event, read strictly: the fastest that Python reads it with its types checked."""

    specversion: str
    type: str
    source: str
    subject: str
    time: str
    id: str
    data: Contents


def appends_per_second(folder: Path, seconds: float) -> float:
    """Appends of 4 KiB, each on stable storage before the next."""
    path = folder / "appended"
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sync = getattr(os, "fdatasync", os.fsync)
    try:
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            os.write(opened, RECORD)
            sync(opened)
            done += 1
        return done / (time.perf_counter() - began)
    finally:
        os.close(opened)
        path.unlink()


def decoded_per_second(usage: Usage, batch: int, seconds: float) -> float:
    """Events decoded a second of one core's time, in batches of this size."""
    events = [usage.event(LIVE + number) for number in range(max(batch, 1_000))]
    bodies = events if batch == 1 else [many(events[:batch])]
    decode = msgspec.json.Decoder(CloudEvent if batch == 1 else list[CloudEvent]).decode
    done, repeats = 0, 0
    with on_cores(SERVER_CORES):
        began, used = time.perf_counter(), time.process_time()
        while repeats < REPEATS_MIN or time.perf_counter() - began < seconds:
            for body in bodies:
                decode(body)
            done, repeats = done + len(bodies) * batch, repeats + 1
        return done / (time.process_time() - used)


def noop_figures(usage: Usage, folder: Path, port: int, seconds: float) -> list[dict[str, object]]:
    """The no-op POST with one event, on one and on 64 connections."""
    server = NoOp(folder, port)
    found = []
    for row in (Row(batch=1, connections=1), Row(batch=1, connections=64)):
        server.start()
        books, spent = Books(server, usage), Spent(server)
        plan = Plan(port=port, connections=row.connections, seconds=seconds)
        make = partial(books.make, row)
        try:
            times, _ = closed_loop(plan, make, server.check, server.kill, on_phase=spent.mark)
        finally:
            server.stop()
        found.append(figures(row, times, spent))
    return found


def measure_raw(usage: Usage, folder: Path, port: int, seconds: float) -> dict[str, object]:
    """All of them."""
    return {
        "appends_per_second": round(appends_per_second(folder, seconds)),
        "decoded_per_second": {
            str(batch): round(decoded_per_second(usage, batch, seconds / 2)) for batch in BATCHES
        },
        "noop": noop_figures(usage, folder / "noop", port, seconds),
    }
