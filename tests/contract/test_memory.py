"""The memory store is the reference: it is held to the whole contract like any other."""

import pickle
from pathlib import Path

from tallystick.ports import Store
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return MemoryStore("here")

    def reopen(self, store: Store) -> Store:
        kept = pickle.dumps(store)
        store.close()
        return pickle.loads(kept)  # noqa: S301  # our own store, just pickled

    def open_second(self, store: Store) -> Store:
        return store
