"""The README's walk prints what it says: the server, the sandbox, and other people's clients."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.docs.test_quickstart import (
    AFTER,
    COMMAND_LINE,
    PATIENCE_SECONDS,
    ROOT,
    pattern_of,
    steps_of,
)
from tests.http.served import PROGRAM, STILL
from tests.ports import free_port

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
PORTS = {"8750": "healthz", "12111": "_sandbox/healthz"}
READY = "curl -s -o ready --retry 300 --retry-delay 0 --retry-all-errors"
MAKE = f"""#!/bin/sh
echo 'The pages: http://127.0.0.1:8750/dashboard/ (with a key)'
exec python -c '{STILL}{PROGRAM}' serve --port 8750
"""


def script() -> str:
    """What a person would type, each server waited for."""
    lines = ["shopt -s expand_aliases"]
    for step in steps_of(PAGE):
        lines.append(step.command.rstrip("\n"))
        if step.command.rstrip().endswith("&"):
            port = "12111" if "sandbox" in step.command else "8750"
            lines.append(f"{READY} 127.0.0.1:{port}/{PORTS[port]}")
        lines.append(f"printf '{AFTER}'")
    return "\n".join(lines) + "\n"


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def test_every_command_of_the_walk_prints_what_the_readme_says(tmp_path: Path):
    ports = {told: str(free_port()) for told in PORTS}

    def here(text: str) -> str:
        for told, own in ports.items():
            text = text.replace(told, own)
        return text.replace("sandbox stripe", f"sandbox stripe --port {ports['12111']}")

    words = shlex.join((sys.executable, "-c", COMMAND_LINE))
    executable(tmp_path / "bin" / "tallystick", f'#!/bin/sh\nexec {words} "$@"\n')
    executable(tmp_path / "bin" / "make", here(MAKE))
    executable(tmp_path / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    example = here((ROOT / "examples" / "report_usage.py").read_text(encoding="utf-8"))
    executable(tmp_path / "empty" / "examples" / "report_usage.py", example)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
    environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT / "src")

    ran = subprocess.run(
        ["bash"],  # noqa: S607
        input=here(script()),
        cwd=tmp_path / "empty",
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_SECONDS,
    )

    told = ran.stdout
    for port, own in ports.items():
        told = told.replace(f":{own}", f":{port}")
    printed = told.split(AFTER)
    for step, text in zip(steps_of(PAGE), printed, strict=False):
        lines = "\n".join(" ".join(line.split()) for line in text.splitlines())
        assert pattern_of(step.told).fullmatch(lines), f"{step.command}printed:\n{text}"
    assert len(printed) == len(steps_of(PAGE)) + 1
