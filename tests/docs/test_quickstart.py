"""The quickstart's commands do what the quickstart says, against a real sandbox."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
AFTER = "\x1e"
PORT_TOLD = "12111"
PATIENCE_SECONDS = 900
"""Far more than any page takes."""
COMMAND_LINE = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"
SERVES = (
    f"curl -s --retry 100 --retry-delay 0 --retry-all-errors 127.0.0.1:{PORT_TOLD}/_sandbox/healthz"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a console block, and what the page says it prints."""

    command: str
    told: str


def steps_of(page: str) -> list[Step]:
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    found = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [Step(command.replace("\n> ", "\n"), told) for command, told in found]


def pattern_of(told: str) -> re.Pattern[str]:
    """The page's text, with … for anything, however wide the columns are."""
    lines = [re.escape(" ".join(line.split())).replace("…", ".*?") for line in told.splitlines()]
    return re.compile("\n".join(lines), re.DOTALL)


def script_of(steps: list[Step]) -> str:
    """What a person would type, with a mark after each command; the sandbox is waited for."""
    lines = ["shopt -s expand_aliases"]
    for step in steps:
        lines.append(step.command.rstrip("\n"))
        if step.command.rstrip().endswith("&"):
            lines.append(f"{SERVES} >/dev/null")
        lines.append(f"printf '{AFTER}'")
    return "\n".join(lines) + "\n"


@pytest.fixture
def typed(tmp_path):
    """Types a script into a shell in an empty folder; what it printed after each command."""
    commands, folder, port = tmp_path / "bin", tmp_path / "empty", str(free_port())
    commands.mkdir()
    folder.mkdir()
    command = commands / "tallystick"
    words = (sys.executable, "-c", COMMAND_LINE)
    command.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    environment["PATH"] = f"{commands}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT / "src")

    def run(script: str) -> list[str]:
        at_port = script.replace("sandbox stripe", f"sandbox stripe --port {port}")
        ran = subprocess.run(
            ["bash"],  # noqa: S607
            input=at_port.replace(f":{PORT_TOLD}", f":{port}"),
            cwd=folder,
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SECONDS,
        )
        return ran.stdout.replace(f":{port}", f":{PORT_TOLD}").split(AFTER)

    return run


def test_every_command_prints_what_the_page_says(typed):
    steps = steps_of(PAGE)

    printed = typed(script_of(steps))

    for step, text in zip(steps, printed, strict=False):
        lines = "\n".join(" ".join(line.split()) for line in text.splitlines())
        assert pattern_of(step.told).fullmatch(lines), f"{step.command}printed:\n{text}"
    assert len(printed) == len(steps) + 1


def test_the_page_has_its_commands_in_console_blocks():
    commands = [step.command for step in steps_of(PAGE)]

    assert len(commands) > 20
    assert sum("tallystick" in command for command in commands) > 15


def test_a_page_that_says_something_else_is_caught():
    assert pattern_of("tly_… 3 calls\n").fullmatch("tly_ab 3 calls")
    assert not pattern_of("tly_… 3 calls\n").fullmatch("tly_ab 4 calls")
