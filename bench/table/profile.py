"""Where the microseconds go: py-spy samples the server while it is under load.

Each sample is given to the layer of the innermost function of ours (or, before any of ours, of the
server stack) on its stack: what SQLite, msgspec or hashlib do is told as the time of whoever called
them. Only threads that are on a processor are counted, as far as the sampler can tell.
"""

import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.table.machine import LOAD_CORES, ROOT, on_cores

PROFILER: Final = ROOT / "build" / "bench" / "bin" / "py-spy"
SAMPLES_PER_SECOND: Final = 250
FUNCTIONS: Final = 15
SAMPLER_SECONDS: Final = 120
HERE: Final = "tallystick/"
WAITING: Final = ("_worker (", "concurrent/futures/thread.py")
"""A pool's thread that is in the pool's own function waits for work, whatever the sampler says."""

RULES: Final = "rules: windows, contributions, folds"
READING: Final = "reading a report: fields, quantity, time, fingerprint"
OUTSIDE: Final = "HTTP: uvicorn, starlette, asyncio, sockets, threads"
LAYERS: Final = (
    ("stores/", "store: SQLite, its statements and rows"),
    ("domain/aggregate", RULES),
    ("domain/tenant", RULES),
    ("domain/window", RULES),
    ("domain/period", RULES),
    ("domain/meter", RULES),
    ("stages/metering", RULES),
    ("domain/", READING),
    ("entrypoints/http/reading", READING),
    ("stages/decoding", "JSON"),
    ("stages/", "ingesting: the way through the stages"),
    ("entrypoints/http/server", OUTSIDE),
    ("entrypoints/cli/", OUTSIDE),
    ("entrypoints/", "HTTP: our routes, keys, counting, log, answers"),
)


class NotAllowed(Exception):
    """The system does not let one process look into another."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """A sampler at work, and where it writes."""

    sampler: "subprocess.Popen[bytes]"
    target: Path

    def stacks(self) -> list[str]:
        """What it found, when it has ended."""
        if self.sampler.wait(SAMPLER_SECONDS):
            raise NotAllowed(
                "py-spy may not look into the server: run as root, or allow it to trace"
            )
        return self.target.read_text().splitlines()


def record(pid: int, seconds: float, target: Path) -> Sampling:
    """Begin to sample a process; its stacks come into the file."""
    command = [
        *(str(PROFILER), "record", "--nonblocking", "--format", "raw", "--pid", str(pid)),
        *("--rate", str(SAMPLES_PER_SECOND), "--duration", str(round(seconds))),
        *("--full-filenames", "--output", str(target)),
    ]
    with on_cores(LOAD_CORES):
        sampling = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    return Sampling(sampling, target)


def told(lines: Iterable[str], us_per_event: float) -> dict[str, object]:
    """Shares by layer and by function, as microseconds of the server's time for an event."""
    layers: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if all(word in frames[-1] for word in WAITING):
            continue
        ours = next((f for f in reversed(frames) if HERE in f), "")
        layers[layer_of(ours)] += int(count)
        functions[_short(ours or frames[-1])] += int(count)
    samples = layers.total()
    return {
        "samples": samples,
        "us_per_event": us_per_event,
        "layers": _shared(layers.most_common(), samples, us_per_event),
        "functions": _shared(functions.most_common(FUNCTIONS), samples, us_per_event),
    }


def layer_of(frame: str) -> str:
    """`parse_report (…/tallystick/domain/report.py:80)` is of the domain."""
    place = frame.rpartition(HERE)[2] if HERE in frame else ""
    return next((name for opening, name in LAYERS if place.startswith(opening)), OUTSIDE)


def _short(frame: str) -> str:
    """The function and its file, without the line."""
    name, _, place = frame.partition(" (")
    file = place.rpartition(HERE)[2] if HERE in place else place.rpartition("/")[2]
    return f"{name} ({file.partition(':')[0]})" if file else name


def _shared(
    found: list[tuple[str, int]], samples: int, us_per_event: float
) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "share": round(count / max(1, samples), 4),
            "us_per_event": round(us_per_event * count / max(1, samples), 2),
        }
        for name, count in found
    ]
