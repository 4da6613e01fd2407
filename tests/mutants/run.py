"""Break the source on purpose, one realistic bug at a time, and see that a test notices.

    make mutants                       all of them
    make mutants MUTANTS=short         the most dangerous ones, as CI does
    make mutants MUTANTS="NAME NAME"   these

Each *.patch beside this file begins with what it breaks and what must catch it: a pytest node,
or the simulator with a seed. Exit 1 when a mutant survives, when its patch no longer applies, and
when what should catch it fails on the sound source too.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS_MAX = 120
PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no")
SIMULATOR = ("-m", "tallystick.testing.simulation")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One patch, by the words of its first lines."""

    name: str
    breaks: str
    caught_by: str
    is_short: bool

    @property
    def command(self) -> tuple[str, ...]:
        """What must fail, as arguments of Python."""
        words = shlex.split(self.caught_by)
        return (*SIMULATOR, *words[1:]) if words[0] == "simulate" else (*PYTEST, *words)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    fault: str
    seconds: float


def read_mutant(path: Path) -> Mutant:
    """Raises KeyError where a header line is missing."""
    lines = path.read_text("utf-8").split("\n--- ")[0].splitlines()
    words = dict(line.removeprefix("# ").split(": ", 1) for line in lines)
    return Mutant(
        name=path.stem,
        breaks=words["breaks"],
        caught_by=words["caught by"],
        is_short=words.get("short") == "yes",
    )


def all_mutants() -> list[Mutant]:
    return [read_mutant(path) for path in sorted(HERE.glob("*.patch"))]


@contextmanager
def copied_source() -> Iterator[Path]:
    """A folder with a copy of src, compiled files included: they save a second each time."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        ignored = shutil.ignore_patterns(".*", "*.egg-info")
        shutil.copytree(ROOT / "src", Path(folder) / "src", ignore=ignored)
        yield Path(folder)


def apply(mutant: Mutant, folder: Path) -> str:
    """Change the copied source; why that was not possible, or ''."""
    # Outside of a repository, or git would look at the repository's files.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    done = subprocess.run(
        ["git", "apply", "-C1", str(HERE / f"{mutant.name}.patch")],  # noqa: S607
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"the patch does not apply: {done.stderr.strip()}" if done.returncode else ""


def run(command: tuple[str, ...], folder: Path) -> int | None:
    """The exit code of Python with the copied source; None where it did not end in time."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def verdict(mutant: Mutant) -> Verdict:
    started = time.monotonic()
    with copied_source() as folder:
        fault = apply(mutant, folder)
        if not fault:
            code = run(mutant.command, folder)
            # Anything but 1 is no failed test: the source cannot be read, or the node is gone.
            fault = {0: "SURVIVED", 1: "", None: "did not end"}.get(code, f"exit code {code}")
    return Verdict(mutant=mutant, fault=fault, seconds=time.monotonic() - started)


def unsound(mutants: list[Mutant]) -> list[str]:
    """What should catch the mutants and does not even pass on the source as it is."""
    nodes = sorted({m.caught_by for m in mutants if m.command[: len(PYTEST)] == PYTEST})
    seeds = sorted({m.command for m in mutants if m.command[: len(SIMULATOR)] == SIMULATOR})
    commands = seeds
    if nodes:
        commands.append((*PYTEST, *(word for node in nodes for word in shlex.split(node))))
    with copied_source() as folder:
        return [shlex.join(command) for command in commands if run(command, folder) != 0]


def chosen(names: list[str]) -> list[Mutant]:
    mutants = all_mutants()
    if names == ["short"]:
        return [mutant for mutant in mutants if mutant.is_short]
    unknown = set(names) - {mutant.name for mutant in mutants}
    if unknown:
        sys.exit(f"there is no mutant {', '.join(sorted(unknown))}")
    return [mutant for mutant in mutants if not names or mutant.name in names]


def main(names: list[str]) -> int:
    mutants = chosen(names)
    failing = unsound(mutants)
    if failing:
        print("fails without any mutant:", *failing, sep="\n  ")
        return 1
    width = max(len(mutant.name) for mutant in mutants)
    started, faults = time.monotonic(), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(verdict, mutants):
            told = found.fault or found.mutant.caught_by
            print(f"{found.mutant.name:{width}}  {found.seconds:5.1f} s  {told}", flush=True)
            faults += bool(found.fault)
    seconds = time.monotonic() - started
    print(f"{len(mutants) - faults} of {len(mutants)} mutants caught in {seconds:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
