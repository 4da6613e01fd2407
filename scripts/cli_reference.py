"""Write docs/cli.md from what the commands say of themselves.

python scripts/cli_reference.py          writes the page
python scripts/cli_reference.py --check  exits 1 where the page is not what would be written
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cyclopts import App
from rich.console import Console

from tallystick.entrypoints.cli.main import build_app

PAGE: Final = Path(__file__).parents[1] / "docs" / "cli.md"
COLUMNS: Final = 96
OWN_OPTIONS: Final = ("--help", "-h", "--version")

HEAD: Final = """\
# Command line

Made by `python scripts/cli_reference.py` from the commands' own help; a test fails when it is
stale. What to run when is in [operations](operations.md), and a first walk through it in the
[quickstart](quickstart.md).

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done, and clean |
| 1 | done, and something needs a person: a dead letter, a conflict, a discrepancy, a finding |
| 2 | the command, a setting or an input cannot be meant; one sentence on stderr says why |
| 3 | the store or the provider is away: run it again |
| 130 | interrupted; what was acknowledged is stored |

## What all commands share

- What was asked for goes to stdout, everything else that is said to stderr.
- `--json` prints one JSON object a line. Quantities are texts, so that no reader makes them
  floats; instants are RFC 3339 in UTC.
- `--store` wins over `TALLYSTICK_STORE`. The default is `sqlite:///./tallystick.db`, a file in
  the current folder.
- `--at` lets the command act as if it were that time. It is for trying things out and for tests;
  leave it out where real customers are billed.
- What changes the catalog or overrides a rule is kept with who (`--who`) and why (`--why`).
"""


def commands(app: App, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be run, in the order of their names."""
    inner = [name for name in app if name not in OWN_OPTIONS]
    if not inner:
        yield names
    for name in sorted(inner):
        yield from commands(app[name], (*names, name))


def help_of(app: App, names: tuple[str, ...]) -> str:
    """What `tallystick NAMES --help` prints, without colours and blanks at the ends of lines."""
    text = io.StringIO()
    console = Console(file=text, width=COLUMNS, color_system=None, force_terminal=False)
    app.help_print(names, console=console)
    return "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())


def page() -> str:
    app = build_app()
    parts = [HEAD]
    parts += [f"## {' '.join(n)}\n\n```text\n{help_of(app, n)}\n```\n" for n in commands(app)]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        is_fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        print(f"{PAGE.name} is {'as' if is_fresh else 'not what'} the commands say")
        return 0 if is_fresh else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
