"""A file from before there were segments goes on as if it had been one of today's."""

import random
from pathlib import Path

import pytest

from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite.sizes import Sizes
from tallystick.testing.factories import NOON
from tests.stores.old_rows import write_as_rows
from tests.stores.test_sqlite_segments import (
    batch_of,
    each_size,
    everything,
    opened,
    receipts,
    several,
)


@each_size
@pytest.mark.parametrize("seed", range(2))
def test_events_in_rows_are_found_counted_voided_and_listed_as_those_in_segments(
    tmp_path: Path, sizes: Sizes, seed: int
):
    drawn = random.Random(seed)  # noqa: S311  # to be repeated, no secret
    reference, store = MemoryStore(), opened(tmp_path, sizes)
    for turn in range(40):
        batch = batch_of(drawn, keys=400)
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)
        if turn == 20:
            store.close()
            assert write_as_rows(tmp_path / "tally.db") > 100
            store = opened(tmp_path, sizes)
            assert everything(store) == everything(reference)

    assert everything(store) == everything(reference)
    for told in reference.events.events(limit=10_000).elements:
        assert store.events.event(told.tenant, told.key) == told
    assert store.integrity_check() == ()
    store.close()


def test_a_key_that_changed_in_an_old_row_is_damage(tmp_path: Path):
    store, path = opened(tmp_path), tmp_path / "tally.db"
    receipts(store, several(0, 50))
    store.close()
    write_as_rows(path)
    raw = bytearray(path.read_bytes())
    key = raw.rindex(b"e30")
    raw[key : key + 3] = b"e31"
    path.write_bytes(raw)

    store = opened(tmp_path)

    assert store.integrity_check()
    store.close()
