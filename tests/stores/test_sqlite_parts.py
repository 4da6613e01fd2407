"""What was reported of a segment's events is in parts of about a page, each read by itself."""

from hashlib import sha256
from pathlib import Path

import pytest

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Event, Receipt
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.parts import EVENTS_MIN, PART_BYTES
from tallystick.testing.factories import NOON, event, recording

PAGE_BYTES = 4_030
"""So much of a row fits into one page, beside the row's other columns."""


def hex_key(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()[:32]


def plain(number: int) -> Event:
    return event(hex_key(number), number % 977)


def large(number: int) -> Event:
    return event(hex_key(number), properties={"note": hex_key(number) * 40})


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore.open(tmp_path / "tally.db", incarnation="here")


def recorded(store: SqliteStore, *events: Event) -> set[Receipt]:
    told = store.events.record([recording(one) for one in events], NOON)
    return {one.receipt for one in told}


def parts(store: SqliteStore) -> list[tuple[int, int]]:
    """(events, bytes) of each."""
    sizes = "SELECT count, length(reported) + length(fingerprints) FROM segment_part ORDER BY id"
    with store._readers.snapshot() as db:
        return db.execute(sizes).fetchall()


def test_a_call_of_many_events_is_kept_in_parts_that_each_fill_a_page(store: SqliteStore):
    events = [plain(number) for number in range(2_000)]

    assert recorded(store, *events) == {Receipt.RECORDED}
    *full, _ = (size for _, size in parts(store))
    assert all(0.9 * PART_BYTES < size < PAGE_BYTES for size in full)
    assert len(full) > 10
    assert list(store.events.events(limit=3_000).elements) == events


def test_each_event_of_each_part_is_found_again_and_none_is_taken_for_another(store: SqliteStore):
    recorded(store, *(plain(number) for number in range(500)))

    assert recorded(store, *(plain(number) for number in range(500))) == {Receipt.DUPLICATE}
    other = (event(hex_key(number), 1 + number % 977) for number in range(500))
    assert recorded(store, *other) == {Receipt.CONFLICT}
    assert all(store.events.event("acme", hex_key(n)) == plain(n) for n in range(0, 500, 20))


def test_large_events_share_a_part_though_it_takes_several_pages(store: SqliteStore):
    events = [large(number) for number in range(200)]

    recorded(store, *events)

    *full, _ = (count for count, _ in parts(store))
    assert set(full) == {EVENTS_MIN}
    assert list(store.events.events(limit=300).elements) == events


DAMAGED = (
    "UPDATE segment_part SET reported = ?",
    "UPDATE segment_part SET fingerprints = ?",
    "UPDATE segment SET body = ?",
    "DELETE FROM segment_part WHERE ? <> ''",
)


@pytest.mark.parametrize("broken", DAMAGED)
def test_a_damaged_segment_is_named_and_never_guessed_at(store: SqliteStore, broken: str):
    recorded(store, *map(plain, range(50)))
    store._writer.write(lambda db: db.execute(broken, (bytes(1_600),)))

    assert any("segment 1 " in problem for problem in store.integrity_check())
    with pytest.raises(StoreUnavailable, match="is damaged"):
        store.events.events()
    if "part" in broken:
        with pytest.raises(StoreUnavailable, match="is damaged"):
            recorded(store, plain(0))
    else:
        assert recorded(store, plain(0)) == {Receipt.DUPLICATE}
