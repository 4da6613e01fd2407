"""Where the microseconds of a batch go between the socket and the disk, without either's server.

Batches of the benchmark's own events, counted by the product's own functions on a SQLite file, in
columns and one by one; then all of them again, which are duplicates. Processor time of this one
process, the median of all calls.

    python -m bench.stages --batches 200 --together 4
    python -m bench.stages --batches 800 --batch 100 --together 8
    python -m bench.stages --batches 6400 --batch 1 --together 64
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.table.raw import CloudEvent
from bench.table.usage import LIVE, Usage, many, set_up_catalog
from tallystick.clock import SystemClock
from tallystick.ports import Recording
from tallystick.stages.decoding import decode_objects
from tallystick.stages.ingesting import AHEAD_MAX, Intake, Report, intake_of, kinds_of, prepared
from tallystick.stages.tabulating import PlainReports, sheet_of, tabulated, together
from tallystick.stores.sqlite import SqliteStore

ORIGIN: Final = "bench"


class Stages:
    """The processor time of each stage in each round, in microseconds an event."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._rounds: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self._rounds[name].append((time.process_time() - began) * 1e6 / self._events)

    def lines(self) -> Iterator[str]:
        """The median of each stage, and of their sums."""
        for name, found in (*self._rounds.items(), ("in all", self._sums())):
            yield f"  {name:<34}{sorted(found)[len(found) // 2]:8.2f} µs"

    def _sums(self) -> list[float]:
        return list(map(sum, zip(*self._rounds.values(), strict=True)))


def one_by_one(body: bytes) -> tuple[Report, ...]:
    found = decode_objects(body)
    assert found is not None  # noqa: S101  # the events are the benchmark's own
    return tuple(Report(origin=ORIGIN, body=fields) for fields in found)


def count_in_columns(bodies: Sequence[bytes], intake: Intake, now: int, told: Stages) -> None:
    """As `ingest` does, taken apart."""
    with told.stage("read into columns"):
        found = [tabulated(body, partial(one_by_one, body)) for body in bodies]
        reports: PlainReports = together([one for one in found if one is not None])
    with told.stage("meter"):
        latest = now + AHEAD_MAX
        sheet = sheet_of(reports, intake.rules, now, latest=latest, sent=lambda _: (ORIGIN, ""))
        assert sheet is not None  # noqa: S101
    with told.stage("record: keys, fold, pack, commit"):
        recorded = intake.store.events.record(sheet, now)
    with told.stage("count the receipts"):
        kinds_of(recorded)


def count_one_by_one(bodies: Sequence[bytes], intake: Intake, now: int, told: Stages) -> None:
    """The same for reports that are not plain."""
    with told.stage("read"):
        reports = [report for body in bodies for report in one_by_one(body)]
    with told.stage("parse and meter"):
        ready = [one for r in reports if isinstance(one := prepared(r, intake, now), Recording)]
    with told.stage("record: keys, fold, pack, commit"):
        recorded = intake.store.events.record(ready, now)
    with told.stage("count the receipts"):
        kinds_of(recorded)


Counting = Callable[[Sequence[bytes], Intake, int, Stages], None]
WAYS: Final[dict[str, Counting]] = {"in columns": count_in_columns, "one by one": count_one_by_one}


def measure(
    way: str, groups: Sequence[Sequence[bytes]], events: int, folder: Path, now: int
) -> None:
    """Count all groups, of so many events each, once, and once more."""
    store = SqliteStore.open(folder / f"{way}.db", incarnation="bench")
    set_up_catalog(store)
    intake = intake_of(store)
    intake.rules.refresh()
    for what in ("new", "duplicates"):
        told = Stages(events)
        for bodies in groups:
            WAYS[way](bodies, intake, now, told)
        print(f"{way}, {what}:", *told.lines(), sep="\n")
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--batch", type=int, default=1_000, help="events in each")
    parser.add_argument("--together", type=int, default=4, help="batches that share a call")
    chosen = parser.parse_args()
    now = SystemClock().now()
    usage = Usage(at=now, live_at=now)
    batch, size = chosen.batch, chosen.together
    firsts = range(LIVE, LIVE + chosen.batches * batch, batch)
    bodies = [many([usage.event(first + n) for n in range(batch)]) for first in firsts]
    groups = [bodies[start : start + size] for start in range(0, len(bodies) - size + 1, size)]
    decoder = msgspec.json.Decoder(list[CloudEvent])
    told = Stages(batch)
    for body in bodies:
        with told.stage("msgspec reads the JSON, typed"):
            decoder.decode(body)
    print("the measure:", *told.lines(), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            measure(way, groups, batch * size, Path(folder), now)


if __name__ == "__main__":
    main()
