"""The house rules hold in every file, and every rule catches what it bans."""

import ast
import statistics
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.style.finding import Source
from tests.style.house_rules import RULES, Rule

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
FUNCTION_LINES_MEDIAN_BELOW = 12

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def kept_files() -> list[Path]:
    """Every Python file of src and tests that git would keep."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard", "src/*.py", "tests/*.py"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.exists()]


@cache
def read_tree() -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """The files that parse, and what is wrong with those that do not."""
    parsed, broken = [], []
    for path in kept_files():
        name = str(path.relative_to(ROOT))
        try:
            parsed.append(Source.parse(name, path.read_text("utf-8")))
        except SyntaxError as error:
            broken.append(f"{name}:{error.lineno}: {error.msg}")
    return tuple(parsed), tuple(broken)


def sources() -> tuple[Source, ...]:
    return read_tree()[0]


def functions(source: Source) -> Iterator[tuple[str, int]]:
    """Each function's place and its length, the decorators left out."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield f"{source.path}:{node.lineno} {node.name}", length


def long_files(among: Iterable[Source]) -> list[str]:
    lengths = ((source.path, len(source.text.splitlines())) for source in among)
    return [f"{path}: {lines} lines" for path, lines in lengths if lines > FILE_LINES_MAX]


def long_functions(among: Iterable[Source]) -> list[str]:
    found = (found for source in among for found in functions(source))
    return [f"{place}: {lines} lines" for place, lines in found if lines > FUNCTION_LINES_MAX]


def function_median(among: Iterable[Source]) -> float:
    lengths = [lines for source in among for _, lines in functions(source)]
    return statistics.median(lengths) if lengths else 0


def test_every_file_parses():
    assert read_tree()[1] == ()


@each_rule
def test_the_tree_keeps(rule: Rule):
    assert [line for source in sources() for line in rule.violations(source)] == []


@each_rule
def test_each_bad_snippet_is_caught_by(rule: Rule):
    missed = [bad for bad in rule.bad if not rule.violations(Source.parse(*bad))]

    assert rule.bad
    assert missed == []


@each_rule
def test_no_good_snippet_is_caught_by(rule: Rule):
    caught = [good for good in rule.good if rule.violations(Source.parse(*good))]

    assert rule.good
    assert caught == []


def test_no_file_is_too_long():
    assert long_files(sources()) == []


def test_no_function_is_too_long():
    assert long_functions(sources()) == []


def test_the_usual_function_of_the_product_is_short():
    product = [source for source in sources() if source.is_product]

    assert function_median(product) < FUNCTION_LINES_MEDIAN_BELOW


def test_the_limits_of_size_are_measured():
    within = Source.parse("src/within.py", "def f():\n" + "    x = 1\n" * 49)
    function = Source.parse("src/function.py", "def f():\n" + "    x = 1\n" * 50)
    file = Source.parse("src/file.py", "x = 1\n" * 401)

    assert long_functions([within, function]) == ["src/function.py:1 f: 51 lines"]
    assert long_files([within, function, file]) == ["src/file.py: 401 lines"]
    assert function_median([within, function, file]) == 50.5


def test_the_sources_are_found():
    assert "src/tallystick/__init__.py" in [str(source.path) for source in sources()]
