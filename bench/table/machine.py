"""The machine under the figures: what it is, its cores, and what a process used of it."""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import apsw

import tallystick

TICKS: Final = os.sysconf("SC_CLK_TCK")
MEBIBYTE: Final = 1024 * 1024
ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = Path(tallystick.__file__).parents[1]
"""Of what is measured: what this program imports is what the servers run."""


def _cores() -> tuple[set[int], set[int]]:
    """Those of the server and those of the load generator: one each, where there are two."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    found = sorted(os.sched_getaffinity(0))
    return {found[0]}, {found[-1]}


SERVER_CORES, LOAD_CORES = _cores()


@contextmanager
def on_cores(chosen: set[int]) -> Iterator[None]:
    """This thread, and whatever is started within, on these cores (where the system can)."""
    if not chosen:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def described(folder: Path) -> dict[str, object]:
    """The machine, the programs, and the commit, for whoever compares figures."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "commit": _told("git", "-C", str(SOURCES), "describe", "--always", "--dirty"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "file_system": _file_system(folder),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "uvicorn": version("uvicorn"),
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }


def _told(*command: str) -> str:
    with suppress(OSError, subprocess.CalledProcessError):
        return subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip()  # noqa: S603
    return ""


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _file_system(folder: Path) -> str:
    return _told("df", "--output=fstype", str(folder)).rpartition("\n")[2]


def tree(pid: int) -> list[int]:
    """The process and all that came of it and still run."""
    found = [pid]
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Of the process and its children, since they began."""
    return sum(_own_cpu_seconds(each) for each in tree(pid))


def _own_cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def memory_mib(pid: int, line: str = "VmRSS") -> int:
    """Of the process alone: now, or with VmHWM at its highest."""
    for found in Path(f"/proc/{pid}/status").read_text().splitlines():
        if found.startswith(f"{line}:"):
            return int(found.split()[1]) // 1024
    return 0
