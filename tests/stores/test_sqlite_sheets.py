"""A sheet that is cut into several segments."""

from pathlib import Path

from tallystick.testing.contract.steps import aggregates
from tests.stores.test_sheets import SMALL, counted, in_sqlite, sent


def test_each_segment_of_a_sheet_counts_in_aggregates_of_its_own(tmp_path: Path):
    store = in_sqlite(tmp_path, SMALL)
    codes = ["requests"] * SMALL.segment_max + ["calls"] * SMALL.segment_max + ["requests"]

    became = counted(store, *(sent(number, type=code) for number, code in enumerate(codes)))

    assert became == ["recorded"] * len(codes)
    assert sorted(one.tally.count for one in aggregates(store)) == [5, 5, 5, 6]
    store.close()
