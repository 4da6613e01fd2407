"""A store that an older Tallystick wrote, opened by this one: all is there, and goes on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick.domain.event import Receipt
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.migrations import known_migrations
from tallystick.testing.contract.steps import content, count, find, report, seal
from tallystick.testing.factories import NOON, aggregate_key, event, place
from tests.crash.checking import our_half
from tests.crash.older import (
    INCARNATION,
    KEYS_SINCE,
    METERS,
    SCHEMAS,
    TOLD,
    add_key,
    make_older,
    older_life,
)

OLDER = range(1, len(known_migrations()))

KINDS_OF_AGGREGATES = ("aggregates", "aggregates due")

each_older = pytest.mark.parametrize("number", OLDER)


def upgraded(path: Path, number: int) -> SqliteStore:
    make_older(path, number)
    return SqliteStore.open(path, create=False, incarnation="newer")


def in_order(kinds: dict[str, Sequence[object]]) -> dict[str, Sequence[object]]:
    """What is due comes in an order of each store's own; and the programs of older schemas raised
    no marks when they appended an Entry."""
    listed = {kind: [replace(a, marks=0) for a in kinds[kind]] for kind in KINDS_OF_AGGREGATES}
    due = sorted(listed["aggregates due"], key=lambda a: str(a.key))
    return kinds | listed | {"aggregates due": due}


def test_every_older_schema_has_a_store_that_it_wrote():
    assert [int(rows.stem) for rows in sorted(SCHEMAS.glob("*.sql"))][: len(OLDER)] == list(OLDER)


@each_older
def test_all_that_an_older_schema_kept_is_there_after_the_upgrade(tmp_path: Path, number: int):
    store, same = upgraded(tmp_path / "tally.db", number), MemoryStore(incarnation=INCARNATION)
    older_life(same)
    if number >= KEYS_SINCE:
        add_key(same)
    expected = content(same)

    assert all(expected[kind] for kind in ("events", "entries", "publications", "letters"))
    assert in_order(content(store)) == in_order(expected)
    assert store.keys.list() == same.keys.list()
    assert store.incarnation == INCARNATION
    assert store.integrity_check() == ()
    store.close()


@each_older
def test_an_upgraded_store_knows_every_event_and_goes_on_counting(tmp_path: Path, number: int):
    store = upgraded(tmp_path / "tally.db", number)

    again = report(store, *TOLD, meters=METERS)
    assert {recorded.receipt for recorded in again} == {Receipt.DUPLICATE}
    before = find(store).value
    assert count(store, "new", 5).receipt is Receipt.LATE
    assert find(store).value == before + 5
    seal(store, aggregate_key(), into=place())
    assert list(our_half(store, NOON)) == []
    store.close()


@each_older
def test_an_upgraded_store_can_be_opened_again_and_by_two(tmp_path: Path, number: int):
    upgraded(tmp_path / "tally.db", number).close()
    one = SqliteStore.open(tmp_path / "tally.db", create=False, incarnation="newer")
    two = SqliteStore.open(tmp_path / "tally.db", create=False, incarnation="newer")

    assert one.events.record([], NOON) == ()
    assert report(one, event("e8"))[0].receipt is Receipt.LATE
    assert report(two, event("e8"))[0].receipt is Receipt.DUPLICATE
    one.close()
    two.close()
