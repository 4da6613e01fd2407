"""The page of guarantees says nothing that is not so: its tests, mutants and numbers exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import tests.contract.test_memory as memory
import tests.contract.test_sqlite as sqlite
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.domain.publication import Limits
from tallystick.publishers import AWS_MARKETPLACE, HOUR_METER
from tallystick.stages.targeting import SealLimits
from tests.mutants.run import Mutant, all_mutants

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text("utf-8")
PROMISES = 11
UNITS = {"s": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}
SETTINGS = {
    "Limits": Limits(),
    "SealLimits": SealLimits(),
    "HOUR_METER": HOUR_METER,
    "AWS_MARKETPLACE": AWS_MARKETPLACE,
}
EVERY_STORE = (memory.TestMemoryStore, sqlite.TestSqliteStore)

each_mutant = pytest.mark.parametrize("mutant", all_mutants(), ids=lambda mutant: mutant.name)


@cache
def functions_in(path: str) -> frozenset[str]:
    """The names of the test functions of a file."""
    file = ROOT / path
    tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module([], [])
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(function.name for function in functions)


def exists(node: str) -> bool:
    """Whether a pytest node is there; its parameters are left to pytest."""
    path, *inside = node.split("[", maxsplit=1)[0].split("::")
    if len(inside) == 2:
        store = next((s for s in EVERY_STORE if s.__name__ == inside[0]), None)
        return callable(getattr(store, inside[1], None))
    return inside[0] in functions_in(path)


def promises() -> list[str]:
    """The page's sections, one a promise."""
    return re.findall(r"^## \d+\. .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)


def nodes_on(page: str) -> list[str]:
    return re.findall(r"`(tests/[\w/]+\.py::\w+(?:::\w+)?)`", page)


def contract_tests_on(page: str) -> list[str]:
    return re.findall(r"`contract: (test_\w+)`", page)


def mutants_on(page: str) -> list[str]:
    listed = re.findall(r"^- Mutants: (.*?)(?=\n\n|\Z)", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"`(\w+)`", " ".join(listed))


def test_every_promise_has_its_number_its_limits_and_its_tests():
    sections = promises()

    assert [int(re.match(r"## (\d+)", s)[1]) for s in sections] == list(range(1, PROMISES + 1))
    assert [s.splitlines()[0] for s in sections if "\nLimits. " not in s] == []
    assert [s.splitlines()[0] for s in sections if not nodes_on(s)] == []


def test_every_test_on_the_page_exists():
    assert len(nodes_on(PAGE)) > 40
    assert [node for node in nodes_on(PAGE) if not exists(node)] == []


def test_every_contract_test_on_the_page_is_run_on_every_store():
    named = contract_tests_on(PAGE)

    assert len(named) > 20
    assert [
        (store.__name__, n) for store in EVERY_STORE for n in named if not hasattr(store, n)
    ] == []


def test_the_mutants_on_the_page_are_those_that_there_are():
    assert sorted(mutants_on(PAGE)) == [mutant.name for mutant in all_mutants()]


@each_mutant
def test_what_catches_a_mutant_exists(mutant: Mutant):
    assert mutant.breaks
    nodes = [word for word in mutant.command if "::" in word]
    assert nodes or mutant.caught_by.startswith("simulate ")
    assert [node for node in nodes if not exists(node)] == []


def test_every_number_on_the_page_is_the_one_in_the_code():
    rows = re.findall(r"\| `(\w+)\.(\w+)` \| (\d+) (\w+) \|", PAGE)
    said = {f"{of}.{name}": int(number) * UNITS[unit] for of, name, number, unit in rows}
    limits = [f"Limits.{name}" for name in Limits.__slots__]

    assert {key: getattr(SETTINGS[key.split(".")[0]], key.split(".")[1]) for key in said} == said
    assert sorted(key for key in said if key.startswith("Limits.")) == sorted(limits)


@pytest.mark.parametrize(
    "node",
    [
        "tests/unit/test_report.py::test_that_is_not_there",
        "tests/unit/test_nothing.py::test_a",
        "tests/contract/test_memory.py::TestMemoryStore::test_that_is_not_there",
        "tests/contract/test_memory.py::TestOtherStore::test_everything_reads_back_equal",
    ],
)
def test_a_node_that_is_not_there_is_found(node: str):
    assert not exists(node)
