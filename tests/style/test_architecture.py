"""The layers of pyproject.toml hold, and each contract breaks when it should."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# As a program of its own, since the linter keeps its settings in the process.
PROGRAM = """
import sys
from importlinter import cli
sys.exit(cli.lint_imports(sys.argv[1], no_cache=True))
"""
# One offence for each contract, in the order of pyproject.toml.
OFFENCES = {
    "stages/sealing.py": "import tallystick.stores.memory",
    "sandbox/server.py": "import tallystick.ports",
    "testing/contract.py": "import tallystick.stores.memory",
    "stores/sqlite.py": "import tallystick.stores.memory",
    "domain/window.py": "import os",
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the package `tallystick` in the folder against our contracts."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT / "pyproject.toml")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def write_package(folder: Path, modules: dict[str, str]) -> None:
    for name, text in modules.items():
        path = folder / "tallystick" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        for package in path.relative_to(folder).parents[:-1]:
            (folder / package / "__init__.py").touch()


def test_the_layers_hold():
    report = lint_imports(ROOT / "src")

    assert report.returncode == 0, report.stdout + report.stderr
    assert "0 broken" in report.stdout


def test_each_contract_can_break(tmp_path: Path):
    write_package(tmp_path, {"ports.py": "", "stores/memory.py": "", **OFFENCES})

    report = lint_imports(tmp_path)

    assert "0 kept, 5 broken" in report.stdout, report.stdout + report.stderr


def test_a_part_without_a_place_is_refused(tmp_path: Path):
    write_package(tmp_path, {"domain/window.py": "", "helpers.py": ""})

    report = lint_imports(tmp_path)

    assert "4 kept, 1 broken" in report.stdout, report.stdout + report.stderr
    assert "helpers" in report.stdout
