"""The benchmark: one command, one run, one table, ratios first.

Raw limits of this machine, Tallystick with no keys stored and with many, the honest rival on
PostgreSQL, and an hourly run against the sandbox, all in one run, since only ratios within a run
say anything about a program. Each row is proven after a kill -9: what was acknowledged is stored
and counted, once. The short form takes about ten minutes and stores as many of ten million keys as
it can in its time; the full form stores a hundred million and bills 100,000 tenants.

    make bench                       the short form
    make bench FORM=full             hours
    make bench KEEP=yes              keep the result in bench/results, and write docs/performance.md
    python -m bench --only raw ours --keys 100000 --seconds 2
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, TypeVar

from bench import hourly_run
from bench.rival.cluster import Rival, what_is_missing
from bench.table import profile
from bench.table.filling import Filled, fill
from bench.table.gates import Result, at_gate_size, row_of
from bench.table.ingest import Books, Row, Spent, latency, measure
from bench.table.load import Plan, Refused, closed_loop
from bench.table.machine import LOAD_CORES, ROOT, described, on_cores
from bench.table.page import RESULTS, write_page
from bench.table.queries import measure_queries
from bench.table.raw import measure_raw
from bench.table.serving import Tallystick
from bench.table.tables import printed
from bench.table.usage import FILLED, Usage

AnyServer = TypeVar("AnyServer", Tallystick, Rival)

PARTS: Final = ("raw", "ours", "rival", "hourly")
PLAIN: Final = (
    Row(batch=1, connections=1),
    Row(batch=1, connections=64),
    Row(batch=100, connections=16),
    Row(batch=1_000, connections=8),
)
REPEATED: Final = (
    Row(batch=1_000, connections=8, duplicates=10),
    Row(batch=1_000, connections=8, duplicates=100),
)
IN_ORDER: Final = Row(batch=1_000, connections=8, is_ordered=True)
PROFILED: Final = (Row(batch=1, connections=64), Row(batch=1_000, connections=8))
OPEN_SHARE: Final = 0.5
"""Of the measured throughput: what the open-loop generator asks for."""

FIRST_SHARE: Final = 0.2
"""Of the time to store keys: for the first tenth of them, so that there are always two sizes."""

RIVAL_KEYS_MAX: Final = 10_000_000
RESTARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much is measured: keys stored and the time to store them, seconds a row and before it,
    tenants."""

    name: str
    keys: int
    fill_seconds: float
    seconds: float
    warm: float
    tenants: int
    port: int = 4_610
    parts: tuple[str, ...] = PARTS


FORMS: Final = {
    "short": Form(
        name="short", keys=10_000_000, fill_seconds=150, seconds=5, warm=1, tenants=1_000
    ),
    "full": Form(
        name="full", keys=100_000_000, fill_seconds=36_000, seconds=10, warm=10, tenants=100_000
    ),
}


def now() -> int:
    """By this machine's clock; microseconds."""
    return time.time_ns() // 1_000


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {words}", flush=True)


@dataclass
class Run:
    """One run of the benchmark, in a folder of its own."""

    form: Form
    folder: Path
    usage: Usage
    result: Result

    def raw(self) -> None:
        say("raw limits")
        self.result["raw"] = measure_raw(
            self.usage, self.folder, self.form.port, self.form.seconds / 2
        )

    def rows(self, books: Books, rows: tuple[Row, ...]) -> list[Result]:
        found = []
        for row in rows:
            books.move_on(now())
            found.append(measure(books, row, self.form.seconds, self.form.warm))
            say(f"  {row.name}: {found[-1]['events_per_second']:,} events/s")
        return found

    # ── Ours ──────────────────────────────────────────────────────────────────────────────────────

    def ours(self) -> None:
        self.result["ours"] = []
        say("Tallystick, empty")
        with self._running(Tallystick(self.folder / "empty", self.form.port + 1)) as server:
            server.set_up()
            server.start()
            rows = self.rows(Books(server, self.usage), PLAIN)
            self.result["ours"].append({"keys": 0, "rows": rows})
        with self._running(Tallystick(self.folder / "filled", self.form.port + 1)) as server:
            server.set_up()
            self._at_sizes(server)

    def _at_sizes(self, server: Tallystick) -> None:
        books = Books(server, self.usage)
        for keys, share in ((self.form.keys // 10, FIRST_SHARE), (self.form.keys, 1 - FIRST_SHARE)):
            seconds = share * self.form.fill_seconds
            say(f"storing {keys:,} keys, for {seconds:.0f} s at most")
            filled = fill(books, server, keys, seconds)
            is_last = keys == self.form.keys
            self.result["ours"].append(self._at_size(books, server, filled, is_last=is_last))

    def _at_size(
        self, books: Books, server: Tallystick, filled: Filled, *, is_last: bool
    ) -> Result:
        """All rows at the last size, and in the full form at each; else what tells sizes apart."""
        say(f"Tallystick, {filled.keys:,} keys stored in {filled.seconds} s")
        ready = [server.start()]
        found: Result = {
            "keys": filled.keys,
            "keys_asked": filled.asked,
            "fill_seconds": filled.seconds,
            "bytes_per_event": filled.bytes_per_event,
            "queries": measure_queries(books),
        }
        if is_last or self.form.name == "full":
            found["rows"] = self.rows(books, (*PLAIN, *REPEATED, IN_ORDER))
            found["latency"] = self._latencies(books, found)
            ready += [float(row["ready_seconds"]) for row in found["rows"]]
        if is_last:
            self.result["profile"] = self._profiles(books)
        found["memory_mib"] = server.memory_mib()
        while len(ready) < RESTARTS:
            server.kill()
            ready.append(server.start())
        found["ready_seconds"] = round(sorted(ready)[len(ready) // 2], 3)
        server.stop()
        return found

    def _latencies(self, books: Books, side: Result) -> list[Result]:
        """At a share of what was measured; for a lone event and for a batch of 1,000."""
        found = []
        books.move_on(now())
        for batch, connections in ((1, 64), (1_000, 8)):
            rate = OPEN_SHARE * float(row_of(side, batch, connections)["events_per_second"])
            row = Row(batch=batch, connections=connections)
            found.append(latency(books, row, self.form.seconds, rate))
            say(f"  at {rate:,.0f} events/s: p99 {found[-1]['p99_ms']} ms")
        return found

    def _profiles(self, books: Books) -> Result:
        if not profile.PROFILER.exists():
            return {"missing": "the profiler is not installed; `make bench` installs it"}
        say("  a profile")
        try:
            return {str(row.batch): self._profiled(books, row) for row in PROFILED}
        except profile.NotAllowed as refusal:
            return {"missing": str(refusal)}

    def _profiled(self, books: Books, row: Row) -> Result:
        server, spent = books.server, Spent(books.server)
        begun: list[profile.Sampling] = []

        def on_phase(phase: str) -> None:
            spent.mark(phase)
            if phase == "measured":
                begun.append(profile.record(server.pid, self.form.seconds, self.folder / "stacks"))

        plan = Plan(port=server.port, connections=row.connections, seconds=self.form.seconds + 1)
        times, _ = closed_loop(
            plan, lambda: books.make(row), server.check, lambda: None, on_phase=on_phase
        )
        events = len(times.took) * row.batch / (times.ended[-1] - times.began)
        return profile.told(begun[0].stacks(), round(spent.shares[0] / events * 1e6, 2))

    # ── The rival, and the hourly run ─────────────────────────────────────────────────────────────

    def rival(self) -> None:
        if missing := what_is_missing():
            say(f"the rival is not measured: {missing}")
            self.result["rival"] = {"missing": missing}
            return
        ours = int(at_gate_size(self.result).get("keys", self.form.keys))
        keys = min(ours, RIVAL_KEYS_MAX)
        with self._running(Rival(self.folder / "rival", self.form.port + 2)) as server:
            server.set_up()
            say(f"the rival, {server.cluster.version}: storing {keys:,} keys")
            server.fill(self.usage, range(keys))
            server.start()
            books = Books(server, self.usage)
            books.next_of[FILLED] = keys
            found: Result = {
                "keys": keys,
                "version": server.cluster.version,
                "bytes_per_event": round(server.bytes_on_disk() / max(1, keys), 1),
                "rows": self.rows(books, PLAIN),
            }
            found["latency"] = self._latencies(books, found)
            self.result["rival"] = found

    def hourly(self) -> None:
        say(f"an hourly run of {self.form.tenants:,} tenants")
        folder = self.folder / "hourly"
        folder.mkdir()
        self.result["hourly"] = hourly_run.measure(
            folder, self.form.tenants, port=self.form.port + 4, seconds=self.form.seconds / 2
        )
        shutil.rmtree(folder)

    @contextmanager
    def _running(self, server: AnyServer) -> Iterator[AnyServer]:
        """The server, which is stopped at the end however that comes; its folder goes with it."""
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)


def run(form: Form, folder: Path, result: Result) -> None:
    """All parts that were asked for; the result has what was found so far at any time."""
    began = time.perf_counter()
    usage = Usage(at=now(), live_at=now())
    result |= {"form": form.name, "machine": described(folder)}
    running = Run(form, folder, usage, result)
    steps: dict[str, Callable[[], None]] = {part: getattr(running, part) for part in PARTS}
    with on_cores(LOAD_CORES):
        for part in form.parts:
            steps[part]()
    result["minutes"] = round((time.perf_counter() - began) / 60, 1)


def keep(result: Result, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['form']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def changed(form: Form, asked: argparse.Namespace) -> Form:
    """The form with what was asked for in its place."""
    names = [each.name for each in fields(Form) if each.name != "name"]
    return replace(form, **{n: v for n in names if (v := getattr(asked, n)) is not None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=FORMS, default="short")
    parser.add_argument("--keys", type=int, help="how many to store beforehand")
    parser.add_argument("--fill-seconds", type=float, help="for so long at most")
    parser.add_argument("--seconds", type=float, help="of each row")
    parser.add_argument("--warm", type=float, help="seconds before each row")
    parser.add_argument("--tenants", type=int, help="of the hourly run")
    parser.add_argument("--port", type=int, help="it takes this one and the six after it")
    parser.add_argument("--only", nargs="+", choices=PARTS, dest="parts", type=str)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "runs")
    parser.add_argument("--keep", action="store_true", help="keep the result and write the page")
    asked = parser.parse_args()
    form = changed(FORMS[asked.form], asked)
    top: Path = asked.folder
    top.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        top.chmod(0o755)
    folder = Path(tempfile.mkdtemp(dir=top))
    folder.chmod(0o755)  # PostgreSQL's own user has to get there
    result: Result = {}
    try:
        run(form, folder, result)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        say(f"what was found is in {os.path.relpath(keep(result, ROOT / 'build' / 'results'))}")
    print(printed(result))
    if asked.keep:
        keep(result, RESULTS)
        say(f"{os.path.relpath(write_page())} is written from it")


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        raise SystemExit(f"not proven, so not measured: {refusal}") from refusal
