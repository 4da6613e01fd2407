"""docs/cli.md is what the commands say, and each of them says something."""

import re
from pathlib import Path

import pytest

from scripts.cli_reference import PAGE, commands, help_of, page
from tallystick.entrypoints.cli import context
from tallystick.entrypoints.cli.main import build_app

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = list(commands(build_app()))
SPOKEN = [" ".join(names) for names in COMMANDS]


def test_the_page_is_what_the_commands_say():
    told = PAGE.read_text(encoding="utf-8")

    assert told == page(), "docs/cli.md is stale: run `python scripts/cli_reference.py`"


@pytest.mark.parametrize("names", COMMANDS, ids=SPOKEN)
def test_a_command_says_what_it_does_and_what_each_option_means(names):
    told = help_of(build_app(), names)
    sentence = told.split("\n\n")[1]
    options = re.findall(
        r"^│ [* ]*(--?\S+|[A-Z]+)(?: [A-Z.]+)*\s{2,}(.*?)\s*│$", told, re.MULTILINE
    )

    assert sentence.endswith((".", ":")) or ". " in sentence
    assert [name for name, meaning in options if not meaning or meaning.startswith("[")] == []


@pytest.mark.parametrize("command", SPOKEN)
def test_a_command_appears_in_the_pages_that_people_read(command):
    told = "".join(
        path.read_text(encoding="utf-8")
        for path in (*DOCS.glob("*.md"), DOCS.parent / "README.md")
        if path != PAGE
    )

    assert f"tallystick {command}" in told, "say in docs/operations.md when to use it"


def test_every_exit_code_is_in_the_table():
    codes = (context.CLEAN, context.NEEDS_A_PERSON, context.INPUT_ERROR, context.UNAVAILABLE)
    told = PAGE.read_text(encoding="utf-8")

    assert [code for code in codes if f"\n| {code} | " not in told] == []
