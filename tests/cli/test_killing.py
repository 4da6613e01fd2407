"""An import that is killed in the middle, and done again, counts what one import would have."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"
ROWS = 30_000
PROGRESS = 150_000


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def write_rows(path: Path) -> int:
    """The rows, and their sum."""
    with path.open("w") as rows:
        rows.write("tenant,code,key,quantity,occurred_at\n")
        for n in range(ROWS):
            rows.write(f"acme,requests,k{n},{n % 7},2026-01-{1 + n % 28:02}T10:00:00Z\n")
    return sum(n % 7 for n in range(ROWS))


def bytes_stored(store: Path) -> int:
    return sum(path.stat().st_size for path in store.parent.glob(f"{store.name}*"))


def kill_after_some_progress(importing: subprocess.Popen[bytes], store: Path) -> bool:
    """Whether it was still running when enough had been written."""
    enough = bytes_stored(store) + PROGRESS
    while importing.poll() is None and bytes_stored(store) < enough:
        time.sleep(0.005)
    was_running = importing.poll() is None
    if was_running:
        os.kill(importing.pid, signal.SIGKILL)
    importing.wait()
    return was_running


@pytest.mark.kill
def test_killed_again_and_again_the_totals_are_those_of_one_import(ready, tmp_path):
    expected = write_rows(tmp_path / "rows.csv")
    store = tmp_path / "usage.db"

    for _ in range(3):
        importing = start("import", tmp_path / "rows.csv", "--store", f"sqlite:///{store}")
        assert kill_after_some_progress(importing, store)

    (before,) = ready("usage", "--by", "total", "--json").rows
    (last,) = ready("import", tmp_path / "rows.csv", "--json").rows
    (row,) = ready("usage", "--by", "total", "--json").rows
    assert 0 < before["events"] == last["duplicate"] < ROWS
    assert (row["quantity"], row["events"]) == (str(expected), ROWS)
