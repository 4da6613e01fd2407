"""Small segments become large ones, and nobody can tell by what is read."""

import random
from pathlib import Path

from tallystick.domain.event import Receipt
from tallystick.domain.meter import Aggregation
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.sizes import STANDARD, Sizes
from tallystick.testing.factories import NOON, event, meter, recording
from tests.stores.test_sheets import counted, in_sqlite, sent
from tests.stores.test_sqlite_segments import (
    MERGING,
    METERS,
    everything,
    opened,
    receipts,
    reported,
    several,
    undone,
)

TOGETHER = Sizes(small_max=20, gathered_events=30, signpost_every=8)


def counts(store: SqliteStore) -> list[int]:
    """The events of each segment, in order."""
    with store._readers.snapshot() as db:
        return [count for (count,) in db.execute("SELECT count FROM segment ORDER BY id")]


def test_single_events_end_in_segments_of_many(tmp_path: Path):
    store = opened(tmp_path, TOGETHER)

    for number in range(100):
        receipts(store, several(number, number + 1))

    assert counts(store) == [30, 30, 30, *[1] * 10]
    assert set(receipts(store, several(0, 100))) == {Receipt.DUPLICATE}
    store.close()


def test_a_large_call_ends_what_waits_before_it(tmp_path: Path):
    store = opened(tmp_path, TOGETHER)
    for first in (0, 2, 4):
        receipts(store, several(first, first + 2))

    receipts(store, several(6, 56))

    assert counts(store) == [6, 50]
    assert [told.key for told in store.events.events().elements] == [f"e{n}" for n in range(56)]
    store.close()


def test_what_waits_is_gathered_by_the_next_program_too(tmp_path: Path):
    for number in range(40):
        store = opened(tmp_path, TOGETHER)
        receipts(store, several(number, number + 1))
        if number % 3 == 0:
            undone(store, several(number + 1, number + 2))
        store.close()

    store = opened(tmp_path, TOGETHER)
    assert counts(store) == [30, *[1] * 10]
    assert store.integrity_check() == ()
    store.close()


def test_no_segment_that_was_gathered_has_more_bytes_than_it_may(tmp_path: Path):
    sizes = Sizes(gathered_events=500, small_bytes=2_000, gathered_bytes=4_000)
    store, drawn = opened(tmp_path, sizes), random.Random(3)  # noqa: S311
    for number in range(60):
        noise = {"text": drawn.randbytes(400).hex()}
        store.events.record([recording(event(f"e{number}", properties=noise))], NOON)

    with store._readers.snapshot() as db:
        ((largest,),) = db.execute("SELECT max(length(body)) FROM segment").fetchall()
    assert len(counts(store)) < 20
    assert largest < sizes.gathered_bytes + sizes.small_bytes
    store.close()


def test_changes_keep_their_places_where_voids_came_between(tmp_path: Path):
    drawn = random.Random(9)  # noqa: S311
    reference, store = MemoryStore(), opened(tmp_path, TOGETHER)
    for number in range(200):
        batch = [reported(drawn, keys=100)]
        if number % 3 == 2:
            batch = [recording(event(f"w{number}", voids=f"e{drawn.randrange(100)}"), *METERS)]
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)

    assert len(counts(store)) < 50
    assert everything(store) == everything(reference)
    store.close()


def test_a_void_takes_out_of_a_gathered_segment_what_its_event_added(tmp_path: Path):
    store, peak = opened(tmp_path, TOGETHER), meter("peak", Aggregation.MAX)
    for number in range(65):
        store.events.record([recording(event(f"e{number}", number), peak)], NOON)

    for number in (64, 63, 30, 29):
        void = recording(event(f"v{number}", voids=f"e{number}"))
        assert store.events.record([void], NOON)[0].receipt is Receipt.RECORDED
    (aggregate,) = store.events.aggregates().elements

    assert (aggregate.value, aggregate.tally.count) == (62, 61)
    store.close()


def test_a_reader_that_looks_while_segments_are_gathered_sees_all_events(tmp_path: Path):
    store = opened(tmp_path, MERGING)
    receipts(store, several(0, 10))

    with store._readers.snapshot() as db:
        before = db.execute("SELECT id FROM segment").fetchall()
        for number in range(10, 60):
            receipts(store, several(number, number + 1))
        assert db.execute("SELECT id FROM segment").fetchall() == before
    assert len(store.events.events(limit=1_000).elements) == 60
    store.close()


def test_single_events_take_the_room_that_a_batch_takes(tmp_path: Path):
    sizes = []
    for size in (1, 512):
        (folder := tmp_path / str(size)).mkdir()
        store = opened(folder, STANDARD)
        for first in range(0, 5_120, size):
            receipts(store, several(first, first + size))
        store.close()
        sizes.append((folder / "tally.db").stat().st_size)

    assert sizes[0] < sizes[1] + 200_000


def test_gathered_sheets_tell_their_fingerprints_without_keeping_them(tmp_path: Path):
    store = in_sqlite(tmp_path, TOGETHER)

    for first in range(0, 30, 2):
        counted(store, sent(first), sent(first + 1, 2.5))

    assert counts(store) == [30]
    with store._readers.snapshot() as db:
        kept = db.execute("SELECT fingerprints FROM segment_part").fetchall()
    assert set(kept) == {(b"",)}
    assert counted(store, sent(4), sent(5, 2.5), sent(7)) == ["duplicate", "duplicate", "conflict"]
    store.close()
