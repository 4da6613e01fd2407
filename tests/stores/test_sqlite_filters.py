"""Filters before the runs of keys say yes too often, and never no too often; and nobody waits until
all of them are filled."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tallystick.domain.event import Receipt
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.key_runs import Filter
from tallystick.stores.sqlite.sizes import Sizes
from tallystick.testing.factories import NOON, event, recording

BATCH = 50
STORED = 3_000
SLOW = Sizes(recent_max=600, fan_in=2, slice_keys=64, filled_pages=1)
"""Runs of several pages, merged a little at a time, and filters that take a page a call."""


def test_a_filter_that_was_halved_holds_what_it_held():
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**48, 10_000))
    others = np.random.default_rng(2).integers(0, 2**48, 10_000)
    found = Filter(10_000)
    found.add(hashes)

    assert len(found.possible(others)) < 400
    for _ in range(4):
        assert len(found.possible(hashes)) == 10_000
        assert found.halve()


def test_one_hash_is_told_as_many_are():
    hashes = np.sort(np.random.default_rng(1).integers(0, 2**48, 10_000))
    others = np.random.default_rng(2).integers(0, 2**48, 10_000)
    found = Filter(10_000)
    found.add(hashes)

    for _ in range(3):
        for asked in (hashes, others):
            assert [*filter(found.may_hold, asked.tolist())] == found.possible(asked).tolist()
        assert found.halve()


def receipts(store: SqliteStore, first: int, last: int) -> set[Receipt]:
    batch = [recording(event(f"e{n}")) for n in range(first, last)]
    return {recorded.receipt for recorded in store.events.record(batch, NOON)}


def filled(store: SqliteStore) -> list[bool]:
    """Whether each filter holds all that its run holds."""
    index = store.events._recorder._index
    filters = {run.mark: (run, index._filters.get(run.mark)) for run in index._runs}
    return [one is not None and one.filled_below == run.held_below for run, one in filters.values()]


def opened(folder: Path) -> SqliteStore:
    store = SqliteStore.open(folder / "tally.db", incarnation="here", sizes=SLOW)
    store._writer._db.execute("PRAGMA synchronous = off")
    return store


@pytest.fixture
def reopened(tmp_path: Path) -> SqliteStore:
    store = opened(tmp_path)
    for first in range(0, STORED, BATCH):
        assert receipts(store, first, first + BATCH) == {Receipt.RECORDED}
    store.close()
    return opened(tmp_path)


def test_no_write_waits_until_all_filters_are_filled(reopened: SqliteStore):
    seen = []
    while not seen or not all(seen[-1]):
        assert receipts(reopened, 0, 1) == {Receipt.DUPLICATE}
        seen.append(filled(reopened))

    assert len(seen) > STORED // 500
    assert not any(seen[0])
    reopened.close()


def test_large_calls_fill_more_at_once(reopened: SqliteStore):
    assert receipts(reopened, STORED, STORED + BATCH) == {Receipt.RECORDED}
    assert not all(filled(reopened))
    assert receipts(reopened, 0, 1) == {Receipt.DUPLICATE}
    assert all(filled(reopened))
    reopened.close()


def test_keys_are_found_while_filters_are_filled_and_runs_are_merged(reopened: SqliteStore):
    later = STORED
    while later == STORED or not all(filled(reopened)):
        known = later * BATCH % STORED
        assert receipts(reopened, known, known + 1) == {Receipt.DUPLICATE}
        assert receipts(reopened, later, later + 1) == {Receipt.RECORDED}
        later += 1
    for turn in range(0, STORED, BATCH):
        assert receipts(reopened, turn, turn + BATCH) == {Receipt.DUPLICATE}
        assert receipts(reopened, later + turn, later + turn + BATCH) == {Receipt.RECORDED}

    assert receipts(reopened, 0, later + STORED) == {Receipt.DUPLICATE}
    reopened.close()


def test_a_page_that_is_gone_is_missed_by_whoever_looks_for_its_keys(reopened: SqliteStore):
    while not reopened.events._recorder._index or not all(filled(reopened)):
        receipts(reopened, 0, 1)
    gone = "DELETE FROM key_page WHERE first_hash > 0"
    reopened._writer.write(lambda db: db.execute(gone))

    assert receipts(reopened, 0, STORED) == {Receipt.DUPLICATE}
    reopened.close()


def test_a_filter_ends_with_its_run(tmp_path: Path):
    store = opened(tmp_path)
    for first in range(0, STORED, BATCH):
        assert receipts(store, first, first + BATCH) == {Receipt.RECORDED}

    assert receipts(store, 0, 1) == {Receipt.DUPLICATE}

    index = store.events._recorder._index
    assert index._filters.keys() == {run.mark for run in index._runs}
    store.close()


def test_large_calls_owe_as_many_slices_of_merging_as_small_ones(tmp_path: Path):
    store = opened(tmp_path)
    for first in range(0, 8 * STORED, STORED // 2):
        assert receipts(store, first, first + STORED // 2) == {Receipt.RECORDED}

    levels = Counter(run.level for run in store.events._recorder._index._runs)
    assert max(levels.values()) <= 2 * SLOW.fan_in
    store.close()
