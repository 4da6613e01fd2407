"""The pages for people: links lead somewhere, and what the code knows stands in them."""

import inspect
import re
from pathlib import Path

import pytest

from tallystick import config
from tallystick.domain.dead_letter import Reason
from tallystick.domain.discrepancy import Kind
from tallystick.domain.event import KEY_LENGTH_MAX
from tallystick.domain.fields import DEPTH_MAX, PROPERTIES_BYTES_MAX
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.meter import GROUPS_MAX, Aggregation
from tallystick.domain.publication import FAILURES_RESENT, Limits, State
from tallystick.domain.quantity import TOTAL_DIGITS_MAX, WHOLE_DIGITS_MAX
from tallystick.domain.tenant import NAME_LENGTH_MAX
from tallystick.stages.decoding import REPORT_BYTES_MAX
from tallystick.stages.ingesting import AHEAD_MAX
from tallystick.stages.targeting import SealLimits
from tallystick.stores.sqlite.connection import BUSY_TIMEOUT_MS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if path.name != "template.md"
)
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What can be linked to in a page, as GitHub names its headings."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    bare = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in bare}


def broken_links(path: Path, text: str) -> list[str]:
    broken = []
    for link in LINK.findall(text):
        if re.match(r"https?:|mailto:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place) if place else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


def first_cells(text: str) -> set[str]:
    """What stands between backticks in the first cells of all tables."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))


def told(instant: int) -> str:
    """A span of time as the page writes it."""
    for unit, size in (("h", HOUR), ("min", MINUTE), ("s", SECOND)):
        if instant % size == 0 and (unit != "min" or instant < HOUR):
            return f"{instant // size} {unit}"
    raise AssertionError(instant)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_leads_to_a_page_and_a_heading_that_exist(path):
    assert broken_links(path, prose(path)) == []


def test_a_link_to_nowhere_is_caught():
    links = "[a](absent.md) [b](README.md#absent) [c](README.md) [d](https://example.org/x)"

    assert broken_links(ROOT / "README.md", links) == ["absent.md", "README.md#absent"]


def test_every_variable_that_is_read_is_documented():
    source = inspect.getsource(config)
    names = set(re.findall(r'f"\{PREFIX\}([A-Z_]+)"', source))
    secrets = set(re.findall(r'_secret\(found, f"\{PREFIX\}([A-Z_]+)"\)', source))
    read = {f"{config.PREFIX}{n}" for n in names | {f"{s}_FILE" for s in secrets}}

    assert len(read) >= 8
    told = {n for n in first_cells(OPERATIONS) if n.startswith(config.PREFIX)}
    assert read == told, "docs/operations.md has a table of settings"


@pytest.mark.parametrize("word", [*Kind, *Reason])
def test_every_discrepancy_and_every_dead_letter_is_explained(word):
    assert word in first_cells(OPERATIONS)


def test_nothing_is_explained_that_does_not_exist():
    known = {*Kind, *Reason, *Limits.__slots__, *SealLimits.__slots__}

    words = {w for w in first_cells(OPERATIONS) if not w.startswith(config.PREFIX)}
    others = {w for w in words if w.startswith(("tallystick ", "tallystick_"))}
    assert words - others <= known


@pytest.mark.parametrize("limits", [Limits(), SealLimits()], ids=["Limits", "SealLimits"])
def test_every_limit_stands_in_its_table_as_in_the_code(limits):
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", OPERATIONS, re.MULTILINE))

    assert {n: rows.get(n) for n in limits.__slots__} == {
        n: told(getattr(limits, n)) for n in limits.__slots__
    }


def test_what_a_report_and_a_store_can_hold_is_told_as_in_the_code():
    wanted = [
        f"{WHOLE_DIGITS_MAX} digits before the point and 12 after it",
        f"| a total | {TOTAL_DIGITS_MAX} digits |",
        f"| {REPORT_BYTES_MAX:,} bytes; properties {PROPERTIES_BYTES_MAX:,} bytes, nested",
        f", nested {DEPTH_MAX} deep |",
        f"| {NAME_LENGTH_MAX} characters |",
        f"| a key | {KEY_LENGTH_MAX} characters |",
        f"| {GROUPS_MAX:,}; beyond",
        f"| time ahead of our clock | {AHEAD_MAX // MINUTE} minutes |",
        f"up to {BUSY_TIMEOUT_MS // 1_000} seconds",
    ]

    assert [text for text in wanted if text not in OPERATIONS] == []
    assert FAILURES_RESENT == 2, "operations.md says: two 5xx answers"


def test_the_concepts_name_every_aggregation_and_every_state_of_a_publication():
    page = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")

    assert [word for word in Aggregation if f"`{word}`" not in page] == []
    assert [word for word in State if word not in page] == []
