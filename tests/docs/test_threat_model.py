"""The threat model names tests that exist, and answers every risk of the list that it names."""

import re
from pathlib import Path

from tests.docs.test_guarantees import exists, nodes_on

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text("utf-8")
STRIDE = ("Spoofing", "Tampering", "Repudiation", "Disclosure", "Denial", "Elevation")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_every_test_that_the_threat_model_names_exists():
    assert len(nodes_on(PAGE)) > 45
    assert [node for node in nodes_on(PAGE) if not exists(node)] == []


def test_every_threat_has_a_control_and_a_test_that_shows_it():
    threats = rows("What could be done, and what stands against it")

    assert [cells[0] for cells in threats if len(cells) != 3 or not nodes_on(cells[2])] == []
    named = re.findall(r"\*\*(\w+)\*\*", " ".join(cells[0] for cells in threats))
    assert named == list(STRIDE)


def test_each_of_the_ten_risks_has_a_test():
    risks = rows("OWASP API Security Top 10 (2023)")

    assert [cells[0].split()[0] for cells in risks] == [f"API{n}" for n in range(1, 11)]
    assert [cells[0] for cells in risks if not nodes_on(cells[1])] == []
