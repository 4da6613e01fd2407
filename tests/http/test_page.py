"""docs/http.md: its commands print what it says, and its tables are complete."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tallystick.domain.api_key import Scope
from tallystick.entrypoints.http import bodies, counting, reading
from tallystick.entrypoints.http.api import ROUTES
from tallystick.entrypoints.http.problems import TITLES
from tests.docs.test_quickstart import (
    AFTER,
    COMMAND_LINE,
    PATIENCE_SECONDS,
    ROOT,
    pattern_of,
    steps_of,
)
from tests.ports import free_port

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
PORT = "8750"
READY = f"curl -s -o ready --retry 100 --retry-delay 0 --retry-all-errors 127.0.0.1:{PORT}/healthz"


def script() -> str:
    lines = []
    for step in steps_of(PAGE):
        lines.append(step.command.rstrip("\n"))
        if step.command.rstrip().endswith("&"):
            lines.append(READY)
        lines.append(f"printf '{AFTER}'")
    return "\n".join(lines) + "\n"


def test_every_command_prints_what_the_page_says(tmp_path: Path):
    command, folder, port = tmp_path / "bin" / "tallystick", tmp_path / "empty", str(free_port())
    command.parent.mkdir()
    folder.mkdir()
    words = shlex.join((sys.executable, "-c", COMMAND_LINE))
    command.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    environment["PATH"] = f"{command.parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT / "src")

    ran = subprocess.run(
        ["bash"],  # noqa: S607
        input=script().replace(PORT, port),
        cwd=folder,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_SECONDS,
    )

    printed = ran.stdout.replace(f":{port}", f":{PORT}").split(AFTER)
    for step, text in zip(steps_of(PAGE), printed, strict=False):
        lines = "\n".join(" ".join(line.split()) for line in text.splitlines())
        assert pattern_of(step.told).fullmatch(lines), f"{step.command}printed:\n{text}"
    assert len(printed) == len(steps_of(PAGE)) + 1


def test_the_page_names_every_problem_scope_and_route():
    assert [kind for kind in TITLES if f"`{kind}`" not in PAGE] == []
    assert [scope for scope in Scope if f"| `{scope}` |" not in PAGE] == []
    assert [r.path_format for r in ROUTES if r.path_format not in PAGE] == []


def test_the_page_states_the_limits_that_hold():
    assert bodies.BODY_BYTES_MAX == 8 * 2**20
    assert bodies.STREAM_BYTES_MAX == 2**30
    assert bodies.HELD_BYTES_MAX == 64 * 2**20
    assert (bodies.SILENCE_SECONDS, bodies.WHOLE_BODY_SECONDS, bodies.RATIO_MAX) == (20, 60, 200)
    assert (reading.BATCH_MAX, counting.WAITING_MAX) == (10_000, 50_000)
