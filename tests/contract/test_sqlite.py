"""The SQLite store on real files, held to every promise."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tallystick.ports import Store
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.sizes import STANDARD, Sizes
from tallystick.testing.contract import StoreContract

TINY = Sizes(
    segment_max=3,
    signpost_every=2,
    accounts_max=2,
    recent_max=4,
    fan_in=2,
    slice_keys=8,
    filters_max=16,
    hash_bits=3,
    small_max=3,
    gathered_events=4,
)
"""Segments of a few events, gathered again and again; most hashes shared by several keys; and a run
every few events."""


class TestSqliteStore(StoreContract):
    sizes = STANDARD

    def make_store(self, folder: Path) -> SqliteStore:
        return SqliteStore.open(folder / "tally.db", incarnation="first", sizes=self.sizes)

    def opener(self, store: Store) -> Callable[[], Store]:
        assert isinstance(store, SqliteStore)
        return partial(SqliteStore.open, store.path, incarnation="another", sizes=self.sizes)


class TestSqliteStoreInSegments(TestSqliteStore):
    sizes = TINY
