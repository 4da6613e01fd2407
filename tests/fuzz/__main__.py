"""Fuzz every parser with atheris, led by coverage: `make fuzz SECONDS=60` (for each target).

    python -m tests.fuzz SECONDS [TARGET…]     all targets, or these, one after the other
    python -m tests.fuzz --one TARGET …        one, in this process, with libFuzzer's options

Prints what each did. Exit 1 when one found something; the input stands beside its message, and
becomes a file of tests/fuzz/corpus/TARGET with a regression test.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
WORDS = HERE / "words.dict"
INPUT_BYTES_MAX = 4_096
SECONDS_PER_INPUT = 10
MEGABYTES_MAX = 2_048


def fuzz_one(name: str, options: list[str]) -> None:
    """Run one target in this process until libFuzzer's options end it. Never returns."""
    import atheris  # noqa: PLC0415  (only `make fuzz` installs it)

    with atheris.instrument_imports(include=["tallystick", "json"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


def fuzz_all(seconds: int, names: list[str]) -> int:
    """Each target in a process of its own; how many found something."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    found = 0
    print("| target | executions | seconds | corpus | finding |\n| --- | --- | --- | --- | --- |")
    for name in names or list(TARGETS):
        ran = _run(name, seconds)
        found += bool(ran.returncode)
        print(_row(name, ran), flush=True)
        if ran.returncode:
            print(ran.stdout[-6_000:], ran.stderr[-6_000:], file=sys.stderr, flush=True)
    return found


def _run(name: str, seconds: int) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        grown = Path(folder) / "corpus"
        kept = CORPUS / name
        shutil.copytree(kept, grown) if kept.is_dir() else grown.mkdir()
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={INPUT_BYTES_MAX}",
            f"-timeout={SECONDS_PER_INPUT}",
            f"-rss_limit_mb={MEGABYTES_MAX}",
            f"-dict={WORDS}",
            f"-artifact_prefix={folder}/",
            "-print_final_stats=1",
            str(grown),
        ]
        return subprocess.run(  # our own module
            [sys.executable, "-m", "tests.fuzz", "--one", name, *options],
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def _row(name: str, ran: "subprocess.CompletedProcess[str]") -> str:
    done = re.search(r"Done (\d+) runs in (\d+) second", ran.stderr)
    corpus = re.findall(r"corp: (\d+)/", ran.stderr)
    last = re.findall(r"^#(\d+)", ran.stderr, re.MULTILINE)
    runs = done[1] if done else (last[-1] if last else "0")
    raised = re.findall(r"^ *(\w+(?:\.\w+)*(?:: .*)?)$", ran.stdout, re.MULTILINE)
    finding = (raised[-1] if raised else f"exit {ran.returncode}") if ran.returncode else "none"
    seconds = done[2] if done else "-"
    return f"| {name} | {int(runs):,} | {seconds} | {corpus[-1] if corpus else 0} | {finding} |"


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        fuzz_one(sys.argv[2], sys.argv[3:])
    sys.exit(min(1, fuzz_all(int(sys.argv[1]), sys.argv[2:])))
