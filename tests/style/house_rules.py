"""The rules of this house that no linter knows, after TigerBeetle's tidy.

Each names what is banned and what to write instead, and carries snippets that it must
catch and some that it must let pass, so that a rule gone blind is found (test_style.py).
The limits of size live in test_style.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.style.finding import (
    Source,
    find_async,
    find_broad_excepts,
    find_clock_reads,
    find_environment_reads,
    find_floats,
    find_impurity,
    find_left_overs,
    find_mutable_constants,
    find_pasted_sql,
    find_prints,
    find_randomness,
    find_stray_drivers,
    find_vague_names,
)

Finder = Callable[[Source], Iterator[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is banned where, what to write instead, and the proof that it is found."""

    name: str
    instead: str
    find: Finder
    bad: tuple[tuple[str, str], ...]
    good: tuple[tuple[str, str], ...]

    def violations(self, source: Source) -> list[str]:
        lines = sorted(set(self.find(source)))
        return [f"{source.path}:{line}: {self.name}; instead: {self.instead}" for line in lines]


def at(part: str) -> str:
    return f"src/tallystick/{part}.py"


RULES = (
    Rule(
        name="a float in the core",
        instead="Decimal, or Quantity",
        find=find_floats,
        bad=((at("domain/quantity"), "x = float('1.5')"),),
        good=((at("entrypoints/cli"), "x = float('1.5')"), (at("domain/event"), "x: float")),
    ),
    Rule(
        name="reads the clock",
        instead="take the instant as an argument; only clock.py reads it",
        find=find_clock_reads,
        bad=(
            (at("stages/sealing"), "import datetime\nx = datetime.datetime.now(tz)"),
            (at("stores/memory"), "from time import monotonic as tick"),
        ),
        good=(
            (at("clock"), "import time\nx = time.monotonic()"),
            (at("stores/memory"), "from datetime import datetime\nx = datetime(2026, 1, 1)"),
        ),
    ),
    Rule(
        name="reads the environment",
        instead="a setting of config.py, handed over by bootstrap.py",
        find=find_environment_reads,
        bad=(
            (at("publishers/stripe"), "import os\nx = os.environ['KEY']"),
            (at("entrypoints/cli"), "from os import getenv"),
        ),
        good=((at("config"), "import os\nx = os.environ['KEY']"),),
    ),
    Rule(
        name="randomness",
        instead="take the value, or a random.Random with a seed, as an argument",
        find=find_randomness,
        bad=((at("stages/publishing"), "from random import choice"),),
        good=((at("testing/simulation"), "import random"),),
    ),
    Rule(
        name="catches everything",
        instead="the errors that can be mended here; the entry point reports the rest",
        find=find_broad_excepts,
        bad=(
            (at("stages/ingesting"), "try:\n    f()\nexcept (OSError, Exception):\n    pass"),
            (at("stores/memory"), "try:\n    f()\nexcept:\n    pass"),
        ),
        good=(
            (at("stages/ingesting"), "try:\n    f()\nexcept (OSError, ValueError):\n    pass"),
            (at("entrypoints/worker"), "try:\n    f()\nexcept Exception:\n    raise"),
        ),
    ),
    Rule(
        name="prints",
        instead="return the value; an entry point shows it",
        find=find_prints,
        bad=((at("testing/fakes"), "print('hello')"),),
        good=((at("testing/simulation"), "def main():\n    print('hello')"),),
    ),
    Rule(
        name="SQL put together at run time",
        instead="a constant statement with ? or :name parameters",
        find=find_pasted_sql,
        bad=(
            (at("stores/sqlite/ledger"), "q = f'SELECT * FROM entry WHERE tenant = {t}'"),
            (at("stores/sqlite/ledger"), "q = 'DELETE FROM entry WHERE id = %s' % x"),
            (at("stores/sqlite/ledger"), "q = 'UPDATE entry SET total = {}'.format(x)"),
            (at("stores/sqlite/ledger"), "q = 'SELECT * FROM ' + table"),
        ),
        good=(
            (at("stores/sqlite/ledger"), "q = 'SELECT a FROM entry ' 'WHERE tenant = ?'"),
            (at("stages/sealing"), "q = 'DELETE FROM entry WHERE id = %s' % x"),
        ),
    ),
    Rule(
        name="a left-over marker",
        instead="do it, or open an issue and say why not now",
        find=find_left_overs,
        bad=(("tests/unit/test_event.py", "x = 1  # " + "todo".upper()),),
        good=(("tests/unit/test_event.py", "x = 1  # The todo list of the tenant."),),
    ),
    Rule(
        name="a module constant that can change",
        instead="a tuple, a frozenset or MappingProxyType",
        find=find_mutable_constants,
        bad=(
            (at("domain/meter"), "KINDS: list[str] = ['sum']"),
            (at("domain/meter"), "import collections\nKINDS = collections.defaultdict(int)"),
        ),
        good=((at("domain/meter"), "KINDS = ('sum',)\ndef f():\n    return ['sum']"),),
    ),
    Rule(
        name="a vague name",
        instead="the word for what it is or does (README, the words)",
        find=find_vague_names,
        bad=(
            (at("stages/metering"), "class EventManager: ..."),
            (at("stages/metering"), "def load_data(): ..."),
            (at("stages/metering"), "def handle(): ..."),
            (at("domain/utils"), ""),
        ),
        good=(
            (at("stages/metering"), "class Database: ...\ndef fsync(): ..."),
            (at("sandbox/server"), "class A:\n    def handle(self): ..."),
        ),
    ),
    Rule(
        name="a driver outside its adapter",
        instead="a port; drivers stay in stores/ and publishers/, and apsw replaces sqlite3",
        find=find_stray_drivers,
        bad=(
            (at("entrypoints/cli"), "from stripe import StripeClient"),
            (at("stores/sqlite/connection"), "import sqlite3"),
        ),
        good=(
            (at("stores/sqlite/connection"), "import apsw.bestpractice"),
            (at("publishers/stripe_meters"), "import stripe"),
        ),
    ),
    Rule(
        name="something impure in the domain",
        instead="the standard library's pure parts; whoever calls does the rest",
        find=find_impurity,
        bad=(
            (at("domain/event"), "import msgspec"),
            (at("domain/event"), "from tallystick.ports import Ledger"),
            (at("domain/event"), "from uuid import uuid4"),
            (at("domain/event"), "x = open('ledger')"),
        ),
        good=(
            (at("domain/event"), "from urllib.parse import quote\nfrom hashlib import sha256"),
            (at("domain/event"), "from tallystick.domain.window import Window"),
        ),
    ),
    Rule(
        name="async in the synchronous core",
        instead="a plain function; only the HTTP entry point is async",
        find=find_async,
        bad=((at("stores/memory"), "async def record(): ..."),),
        good=((at("entrypoints/http"), "async def record(): ..."),),
    ),
)
