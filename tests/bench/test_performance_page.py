"""docs/performance.md is what the kept results say, and nothing else."""

import re

from bench.table.page import PAGE, PICTURE, kept, page, picture
from bench.table.plot import Bar, Group, bars


def test_the_page_is_what_the_results_say():
    told = PAGE.read_text(encoding="utf-8")

    assert told == page(kept()), "docs/performance.md is stale: python -m bench.table.page"


def test_the_picture_is_of_the_results():
    shown = [result for result in kept() if result.get("ours")]

    assert PICTURE.read_text(encoding="utf-8") == picture(shown[-1])


def test_a_bar_is_as_long_as_its_value_by_powers_of_ten():
    drawn = bars("a & b", ("one", "two"), (Group("g", (Bar(0, 100), Bar(1, 10_000))),))

    lengths = [
        float(width)
        for width in re.findall(r'<rect x="\d+" y="\d+" width="([\d.]+)" height="15"', drawn)
    ]

    assert lengths[1] > 100 * lengths[0]


def test_words_in_a_picture_are_escaped():
    assert "a &lt;b&gt;" in bars("a <b>", ("one",), (Group("g", (Bar(0, 1),)),))
