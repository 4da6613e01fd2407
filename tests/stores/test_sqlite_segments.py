"""Segments, and the index that finds their keys: whatever happens, what the reference does."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tallystick.domain.event import Receipt
from tallystick.domain.meter import Aggregation, Span
from tallystick.domain.window import Window
from tallystick.ports import Recording, Store
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.key_runs import runs_of
from tallystick.stores.sqlite.sizes import STANDARD, Sizes
from tallystick.testing.factories import NOON, TEN, event, meter, recording

MINUTE = 60_000_000
METERS = (
    meter("total"),
    meter("peak", Aggregation.MAX, span=Span.PERIOD),
    meter("last", Aggregation.LATEST),
    meter("planes", Aggregation.UNIQUE_COUNT, span=Span.PERIOD, value_path="plane"),
    meter("mean", Aggregation.AVERAGE, dimensions=("plane",)),
)
COLLIDING = Sizes(
    segment_max=7,
    signpost_every=4,
    accounts_max=4,
    recent_max=16,
    fan_in=2,
    slice_keys=16,
    filled_pages=1,
    filters_max=64,
    hash_bits=4,
    small_max=3,
    gathered_events=5,
)
"""Sixteen hashes for all keys."""

MERGING = Sizes(
    signpost_every=8, recent_max=16, fan_in=2, slice_keys=24, small_max=20, gathered_events=30
)
"""Small segments are gathered, a run comes every few calls, and merges take several."""

each_size = pytest.mark.parametrize("sizes", [STANDARD, COLLIDING, MERGING])


def opened(folder: Path, sizes: Sizes = MERGING) -> SqliteStore:
    """Without syncs, which are others' tests and nearly all the time; and always with one salt, or
    now and then few of the few hashes would occur."""
    store = SqliteStore.open(folder / "tally.db", incarnation="here", sizes=sizes)
    store._writer._db.execute("PRAGMA synchronous = off")
    store._writer._db.execute("UPDATE key_salt SET salt = ?", (bytes(16),))
    return store


def reported(drawn: random.Random, keys: int) -> Recording:
    """An event, now and then of a key that was seen, a conflict or a void."""
    number = drawn.randrange(keys)
    key, tenant = f"e{number}", drawn.choice(("acme", "globex", "initech"))
    if drawn.random() < 0.05:
        return recording(event(f"v-{key}", tenant=tenant, voids=key, occurred_at=TEN), *METERS)
    told = event(
        key,
        drawn.choice((1, 1, 1, 1, "2.5")) if drawn.random() < 0.1 else 1,
        tenant=tenant,
        occurred_at=TEN + number % 5 * MINUTE,
        properties={"plane": f"N{number % 4}"},
    )
    return recording(told, *METERS)


def batch_of(drawn: random.Random, keys: int) -> list[Recording]:
    return [reported(drawn, keys) for _ in range(drawn.choice((1, 3, 10, 40)))]


def several(first: int, last: int) -> list[Recording]:
    return [recording(event(f"e{n}")) for n in range(first, last)]


def receipts(store: Store, batch: list[Recording]) -> list[Receipt]:
    return [recorded.receipt for recorded in store.events.record(batch, NOON)]


def everything(store: Store) -> tuple[object, ...]:
    aggregates = store.events.aggregates(limit=10_000).elements
    return (
        store.events.events(limit=10_000).elements,
        aggregates,
        [store.events.changes(aggregate.key, limit=10_000) for aggregate in aggregates],
        store.dead_letters.list(limit=10_000).elements,
    )


def runs(store: SqliteStore) -> list[int]:
    """The levels of the runs in the file."""
    with store._readers.snapshot() as db:
        return [run.level for run in runs_of(db)]


def undone(store: SqliteStore, batch: list[Recording]) -> None:
    """Record the batch in a transaction that is undone, as a crash before its end would do."""

    def part(db: apsw.Connection) -> None:
        store.events._recorder.record(db, batch, NOON, store._writer.begun)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store._writer.write(part)


# ── As the reference ──────────────────────────────────────────────────────────────────────────────


@each_size
@pytest.mark.parametrize("seed", range(2))
def test_two_programs_on_one_file_and_undone_calls_end_as_in_the_reference(
    tmp_path: Path, sizes: Sizes, seed: int
):
    drawn = random.Random(seed)  # noqa: S311  # to be repeated, no secret
    reference = MemoryStore()
    stores = [opened(tmp_path, sizes), opened(tmp_path, sizes)]

    for _ in range(40):
        batch = batch_of(drawn, keys=400)
        store = drawn.choice(stores)
        if drawn.random() < 0.2:
            undone(store, batch_of(drawn, keys=400))
        if drawn.random() < 0.05:
            stores[0].close()
            stores[0] = store = opened(tmp_path, sizes)
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)

    expected = everything(reference)
    for store in stores:
        assert everything(store) == expected
        assert store.integrity_check() == ()
        store.close()


@each_size
def test_an_event_is_found_by_its_key_wherever_it_lies(tmp_path: Path, sizes: Sizes):
    warm = opened(tmp_path, sizes)
    for first in range(0, 300, 30):
        warm.events.record(several(first, first + 30), NOON)
        warm.events.record(several(first + 1_000, first + 1_001), NOON)
        cold = opened(tmp_path, sizes)
        for number in (*range(0, first + 30, 7), first + 29, first + 1_000):
            told = event(f"e{number}")
            assert warm.events.event("acme", f"e{number}") == told
            assert cold.events.event("acme", f"e{number}") == told
        assert cold.events.event("acme", f"e{first + 30}") is None
        assert cold.events.event("globex", "e1") is None
        cold.close()
    warm.close()


@each_size
def test_listings_page_through_rows_and_segments_alike(tmp_path: Path, sizes: Sizes):
    drawn = random.Random(5)  # noqa: S311
    reference, store = MemoryStore(), opened(tmp_path, sizes)
    for _ in range(20):
        batch = batch_of(drawn, keys=5_000)
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)
    window = Window(TEN + MINUTE, TEN + 3 * MINUTE)

    for tenant in ("", "acme", "globex", "nobody"):
        for within in (None, window):
            for limit in (7, 1_000):
                expected = reference.events.events(tenant, window=within, limit=10_000).elements
                paged = all_events(store, tenant, within, limit)
                assert paged == list(expected)
    store.close()


def all_events(store: Store, tenant: str, window: Window | None, limit: int) -> list[object]:
    found: list[object] = []
    cursor = ""
    while True:
        page = store.events.events(tenant, window=window, cursor=cursor, limit=limit)
        found += page.elements
        cursor = page.cursor
        if not cursor:
            return found


@each_size
def test_changes_are_read_from_any_position_to_any_other(tmp_path: Path, sizes: Sizes):
    drawn = random.Random(7)  # noqa: S311
    reference, store = MemoryStore(), opened(tmp_path, sizes)
    for _ in range(25):
        batch = batch_of(drawn, keys=300)
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)

    for aggregate in reference.events.aggregates(limit=10_000).elements:
        for after in (0, 3, 17, 64, aggregate.position):
            for upto in (None, after + 5, aggregate.position - 1):
                for limit in (1, 10, 1_000):
                    asked = {"after": after, "upto": upto, "limit": limit}
                    expected = reference.events.changes(aggregate.key, **asked)
                    assert store.events.changes(aggregate.key, **asked) == expected
    store.close()


def test_what_a_void_took_out_of_a_segment_stays_out_of_later_refolds(tmp_path: Path):
    store, peak = opened(tmp_path), meter("peak", Aggregation.MAX)
    store.events.record([recording(event(f"e{n}", n), peak) for n in range(50)], NOON)

    for number in (49, 48, 47):
        store.events.record([recording(event(f"v{number}", voids=f"e{number}"))], NOON)

    (aggregate,) = store.events.aggregates().elements
    assert aggregate.value == 46
    store.close()


# ── The index ─────────────────────────────────────────────────────────────────────────────────────


def test_a_hash_that_two_keys_share_swallows_neither(tmp_path: Path):
    store = opened(tmp_path, COLLIDING)

    for first in range(0, 500, 25):
        assert set(receipts(store, several(first, first + 25))) == {Receipt.RECORDED}
    assert set(receipts(store, several(0, 500))) == {Receipt.DUPLICATE}
    other = [recording(event(f"e{n}", 9)) for n in range(500)]
    assert set(receipts(store, other)) == {Receipt.CONFLICT}
    assert runs(store)
    store.close()


def grown(folder: Path, sizes: Sizes = MERGING) -> SqliteStore:
    """A store with 400 events, and runs of more than one level."""
    store = opened(folder, sizes)
    for first in range(0, 400, 20):
        assert set(receipts(store, several(first, first + 20))) == {Receipt.RECORDED}
    assert len(set(runs(store))) > 1
    return store


def assert_knows_all(store: SqliteStore) -> None:
    assert set(receipts(store, several(0, 400))) == {Receipt.DUPLICATE}
    (aggregate,) = store.events.aggregates().elements
    assert aggregate.value == 400


CHANGED = "hex(substr(body, 1, 8)) || hex(zeroblob(20)) || hex(substr(body, 29))"


def test_calls_that_share_a_transaction_see_what_a_merge_in_it_moved(tmp_path: Path):
    store = grown(tmp_path)

    def part(db: apsw.Connection) -> list[Receipt]:
        record, transaction = store.events._recorder.record, store._writer.begun
        for first in range(400, 600, 20):
            record(db, several(first, first + 20), NOON, transaction)
        again = record(db, several(0, 600), NOON, transaction)
        return [recorded.receipt for recorded in again]

    assert set(store._writer.write(part)) == {Receipt.DUPLICATE}
    assert set(receipts(store, several(0, 600))) == {Receipt.DUPLICATE}
    store.close()


DAMAGES = (
    f"UPDATE key_page SET body = unhex({CHANGED})",  # noqa: S608
    "UPDATE key_page SET body = substr(body, 1, length(body) - 12)",
    "UPDATE key_page SET body = zeroblob(length(body))",
    "UPDATE key_page SET body = x'00'",
    "UPDATE key_page SET body = (SELECT max(body) FROM key_page)",
    "DELETE FROM key_page WHERE id % 2 = 0",
    "DELETE FROM key_page",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_runs_are_made_again_from_the_segments(tmp_path: Path, damage: str):
    grown(tmp_path).close()
    db = apsw.Connection(str(tmp_path / "tally.db"))
    db.execute(damage)
    db.close()
    store = opened(tmp_path)

    assert_knows_all(store)
    assert store.events.event("acme", "e3") == event("e3")
    assert set(receipts(store, several(400, 450))) == {Receipt.RECORDED}
    store.close()


def test_lost_runs_are_made_again_when_the_store_is_opened(tmp_path: Path):
    grown(tmp_path).close()
    db = apsw.Connection(str(tmp_path / "tally.db"))
    for statement in ("DELETE FROM key_page", "DELETE FROM key_run"):
        db.execute(statement)
    db.close()

    store = opened(tmp_path)

    assert runs(store)
    assert_knows_all(store)
    store.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_page_that_is_damaged_under_a_running_store_gives_no_wrong_receipt(
    tmp_path: Path, damage: str
):
    store = grown(tmp_path)
    db = apsw.Connection(str(tmp_path / "tally.db"))
    db.execute(damage)
    db.close()

    assert_knows_all(store)
    store.close()


def test_filters_stay_within_their_memory_and_forget_nothing(tmp_path: Path):
    small = Sizes(recent_max=64, fan_in=4, slice_keys=64, filters_max=32)
    store = opened(tmp_path, small)
    for first in range(0, 2_000, 50):
        receipts(store, several(first, first + 50))

    filters = store.events._recorder._index._filters.values()
    assert 0 < sum(one.size for one in filters) <= 8 * max(4, len(filters))
    assert set(receipts(store, several(0, 2_000))) == {Receipt.DUPLICATE}
    store.close()


def test_a_merge_that_is_cut_short_goes_on_in_the_next_program(tmp_path: Path):
    with_open_merge = []
    for number, store in enumerate(stores_in_turn(tmp_path)):
        receipts(store, several(number * 20, number * 20 + 20))
        with store._readers.snapshot() as db:
            found = runs_of(db)
        with_open_merge.append(any(run.held_from > 0 for run in found))

    assert any(with_open_merge)
    store = opened(tmp_path)
    assert set(receipts(store, several(0, 1_200))) == {Receipt.DUPLICATE}
    assert store.integrity_check() == ()
    store.close()


def stores_in_turn(folder: Path) -> Iterator[SqliteStore]:
    """Sixty programs, one after the other."""
    for _ in range(60):
        store = opened(folder)
        yield store
        store.close()


# ── Damage, and what is not needed ────────────────────────────────────────────────────────────────


def test_a_small_store_does_without_the_library_for_large_ones(tmp_path: Path):
    program = """
import sys
from pathlib import Path
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording
store = SqliteStore.open(Path(sys.argv[1]), incarnation="here")
store.events.record([recording(event(f"e{n}")) for n in range(1_000)], NOON)
assert store.events.event("acme", "e1")
sys.exit("numpy" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "tally.db")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0
