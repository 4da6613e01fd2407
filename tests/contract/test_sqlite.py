"""The SQLite store on real files, held to every promise."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tallystick.ports import Store
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.contract import StoreContract


class TestSqliteStore(StoreContract):
    def make_store(self, folder: Path) -> SqliteStore:
        return SqliteStore.open(folder / "tally.db", incarnation="first")

    def opener(self, store: Store) -> Callable[[], Store]:
        assert isinstance(store, SqliteStore)
        return partial(SqliteStore.open, store.path, incarnation="another")
