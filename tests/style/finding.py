"""What the house rules look for: each finder yields the lines of one parsed file.

Where a thing is allowed is part of its finder. The rules themselves, with what to write
instead and the proof that each finder sees, are in house_rules.py.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

CORE = ("domain", "stages", "stores", "publishers")
AWS_ADAPTERS = ("stores/dynamodb", "publishers/aws_marketplace", "entrypoints/aws", "aws_secrets")
# Each driver, and how the paths begin where it may be imported.
DRIVERS = {
    "apsw": ("stores/sqlite",),
    "sqlite3": (),
    "stripe": ("publishers/stripe",),
    "boto3": AWS_ADAPTERS,
    "botocore": AWS_ADAPTERS,
    "requests": ("publishers/stripe",),
}
CLOCK_READS = frozenset(
    {
        *(f"datetime.{name}" for name in ("now", "utcnow", "today")),
        *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
        *("date.today", "datetime.date.today"),
        *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns")),
    }
)
ENVIRONMENT_READS = frozenset({"os.environ", "os.environb", "os.getenv", "os.getenvb"})
VAGUE = frozenset(("data", "info", "handle", "process", "manager", "helper", "util", "job", "sync"))
# Names that a technology chose and we override, and how the paths begin where we may.
TECHNOLOGY_TERMS = {
    "data_received": ("entrypoints/http/server",),  # asyncio
    "data_type": ("stores/dynamodb",),
    "handle": ("sandbox/server",),  # socketserver
    "handle_error": ("sandbox/server",),
    "process_request": ("sandbox/server",),
}
CATCH_ALLS = frozenset({"Exception", "BaseException"})
NAMED = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = frozenset(
    ("list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict")
)
IMPURE_MODULES = ("urllib.request", "urllib.error", "uuid.uuid1", "uuid.uuid4")
IMPURE_CALLS = frozenset({"open", "input", "uuid.uuid1", "uuid.uuid4"})
SQL_OPENING = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|WITH)\b")
LEFT_OVER = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Python file: its path from the repository's root, its text and its tree."""

    path: PurePosixPath
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def parse(cls, path: str, text: str) -> "Source":
        return cls(path=PurePosixPath(path), text=text, tree=ast.parse(text))

    @property
    def is_product(self) -> bool:
        return self.path.parts[0] == "src"

    @property
    def inner(self) -> str:
        """The path inside src/tallystick, or nothing."""
        return "/".join(self.path.parts[2:]) if self.is_product else ""

    def within(self, *parts: str) -> bool:
        """Whether the file is, or lies below, one of the parts of src/tallystick."""
        return any(self.inner.startswith((f"{part}/", f"{part}.py")) for part in parts)


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def called(node: ast.AST) -> str:
    return dotted(node.func) if isinstance(node, ast.Call) else ""


def imported(node: ast.AST) -> list[str]:
    """The full names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return [f"{module}.{alias.name}" for alias in node.names]
    return []


def find_names(source: Source, names: frozenset[str]) -> Iterator[int]:
    for node in ast.walk(source.tree):
        if dotted(node) in names or names.intersection(imported(node)):
            yield node.lineno


def find_floats(source: Source) -> Iterator[int]:
    if source.within(*CORE):
        yield from (node.lineno for node in ast.walk(source.tree) if called(node) == "float")


def find_clock_reads(source: Source) -> Iterator[int]:
    if source.is_product and not source.within("clock", "sandbox/clock", "client"):
        yield from find_names(source, CLOCK_READS)


def find_environment_reads(source: Source) -> Iterator[int]:
    if source.is_product and not source.within("config"):
        yield from find_names(source, ENVIRONMENT_READS)


def find_randomness(source: Source) -> Iterator[int]:
    if source.is_product and not source.within("testing", "sandbox"):
        for node in ast.walk(source.tree):
            if any(name.split(".")[0] == "random" for name in imported(node)):
                yield node.lineno


def find_broad_excepts(source: Source) -> Iterator[int]:
    if not source.is_product or source.within("entrypoints", "sandbox/server"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or dotted(kind) in CATCH_ALLS for kind in caught):
                yield node.lineno


def find_prints(source: Source) -> Iterator[int]:
    if not source.is_product or source.within("entrypoints") or is_testing_program(source):
        return
    yield from (node.lineno for node in ast.walk(source.tree) if called(node) == "print")


def is_testing_program(source: Source) -> bool:
    names = {node.name for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    return source.within("testing") and ("main" in names or source.path.stem == "__main__")


def find_pasted_sql(source: Source) -> Iterator[int]:
    if source.within("stores"):
        for node in ast.walk(source.tree):
            if SQL_OPENING.match(pasted_onto(node)):
                yield node.lineno


def pasted_onto(node: ast.AST) -> str:
    """The text at the front of a string that is put together at run time."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), _, *_]):
            return text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add(), right=right):
            return "" if isinstance(right, ast.Constant) else text
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text
    return ""


def find_left_overs(source: Source) -> Iterator[int]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if LEFT_OVER.search(line):
            yield number


def find_mutable_constants(source: Source) -> Iterator[int]:
    if not source.within("domain"):
        return
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            is_call = called(node.value).rpartition(".")[2] in MUTABLE_CALLS
            if is_call or isinstance(node.value, MUTABLE_DISPLAYS):
                yield node.lineno


def find_vague_names(source: Source) -> Iterator[int]:
    if not source.is_product:
        return
    if any(is_vague(part) for part in source.path.with_suffix("").parts[1:]):
        yield 1
    for node in ast.walk(source.tree):
        if isinstance(node, NAMED) and is_vague(node.name):
            places = TECHNOLOGY_TERMS.get(node.name, ())
            yield from () if source.inner.startswith(places) else (node.lineno,)


def is_vague(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    return any(word in VAGUE or word.removesuffix("s") in VAGUE for word in words)


def find_stray_drivers(source: Source) -> Iterator[int]:
    if not source.is_product:
        return
    for node in ast.walk(source.tree):
        for name in imported(node):
            driver = name.split(".")[0]
            if driver in DRIVERS and not source.inner.startswith(DRIVERS[driver]):
                yield node.lineno


def find_impurity(source: Source) -> Iterator[int]:
    if source.within("domain"):
        for node in ast.walk(source.tree):
            foreign = [name for name in imported(node) if not is_pure(name)]
            if foreign or called(node) in IMPURE_CALLS:
                yield node.lineno


def is_pure(name: str) -> bool:
    """Whether the domain may import it; pyproject.toml bans more of the standard library."""
    top = name.partition(".")[0]
    if top == "tallystick":
        return name.startswith("tallystick.domain.")
    if not top:  # relative, which ruff keeps inside the package
        return not name.startswith("..")
    return top in sys.stdlib_module_names and not name.startswith(IMPURE_MODULES)


def find_async(source: Source) -> Iterator[int]:
    if source.is_product and not source.within("entrypoints", "client"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.AsyncFunctionDef):
                yield node.lineno
