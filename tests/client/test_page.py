"""docs/client.md: its program and its commands print what it says, and its tables are complete."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

from tallystick.client import Limits, Stats
from tallystick.client.limits import EVENT_BYTES_MAX
from tests.docs.test_quickstart import (
    AFTER,
    COMMAND_LINE,
    PATIENCE_SECONDS,
    ROOT,
    pattern_of,
    steps_of,
)
from tests.ports import free_port

PAGE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
PORT = "8760"
READY = f"curl -s -o ready --retry 100 --retry-delay 0 --retry-all-errors 127.0.0.1:{PORT}/healthz"


def program_of(page: str) -> str:
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return str(program)


def script() -> str:
    lines = []
    for step in steps_of(PAGE):
        lines.append(step.command.rstrip("\n"))
        if step.command.rstrip().endswith("&"):
            lines.append(READY)
        lines.append(f"printf '{AFTER}'")
    return "\n".join([*lines, "kill %1; wait"]) + "\n"


def commands_in(folder: Path) -> Path:
    """`tallystick` and `python` as this test has them."""
    folder.mkdir()
    for name, words in (("tallystick", ("-c", COMMAND_LINE)), ("python", ())):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec {shlex.join((sys.executable, *words))} "$@"\n')
        command.chmod(0o755)
    return folder


def test_the_program_and_every_command_print_what_the_page_says(tmp_path: Path):
    folder, port = tmp_path / "empty", str(free_port())
    folder.mkdir()
    (folder / "report.py").write_text(program_of(PAGE).replace(PORT, port), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    environment["PATH"] = f"{commands_in(tmp_path / 'bin')}:{environment['PATH']}"
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


def test_the_page_has_every_limit_with_its_default_and_every_number_of_stats():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", PAGE, re.MULTILINE))
    limits = Limits()

    defaults = {f.name: Decimal(str(getattr(limits, f.name))) for f in fields(Limits)}
    assert {name: Decimal(told.replace(",", "")) for name, told in rows.items()} == defaults
    assert [f.name for f in fields(Stats) if f"`{f.name}`" not in PAGE] == []
    assert f"{EVENT_BYTES_MAX // 1024} KiB" in PAGE
