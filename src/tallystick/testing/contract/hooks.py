"""What a store's test class fills in, and how it says what its store does not promise."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from tallystick.ports import Store

NONE_EXEMPT: Mapping[str, str] = MappingProxyType({})


class StoreHooks:
    """The hooks of every suite. Only `make_store` is always needed.

    A test that a store cannot pass is named with its reason where the class is made, and is then
    no part of it: `class TestMine(StoreContract, exempt={"test_…": "because …"})`.
    """

    folder: Path

    def __init_subclass__(cls, exempt: Mapping[str, str] = NONE_EXEMPT) -> None:
        for name, reason in exempt.items():
            if not hasattr(cls, name) or not reason:
                raise TypeError(f"{cls.__name__}: no test {name!r} to exempt, or no reason given")
            setattr(cls, name, None)

    def make_store(self, folder: Path) -> Store:
        """An empty store; what it keeps lies in the folder."""
        raise NotImplementedError

    def reopen(self, store: Store) -> Store:
        """Close the store, and open what it kept anew."""
        store.close()
        return self.opener(store)()

    def open_second(self, store: Store) -> Store:
        """A second handle on the same storage; the store itself where there can be only one."""
        return self.opener(store)()

    def opener(self, store: Store) -> Callable[[], Store]:
        """What opens the same storage in whatever process; it must be picklable."""
        raise NotImplementedError

    def damage(self, store: Store) -> None:
        """Make what lies under the open store fail from now on, as a lost disk or network does.

        Unless you say otherwise, every file in the store's folder is overwritten where it is.
        """
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        if not files:
            raise NotImplementedError("the store keeps no file here: say how it can fail")
        for path in files:
            with path.open("r+b") as file:
                file.write(b"\xff" * path.stat().st_size)

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        self.folder = tmp_path
        made = self.make_store(tmp_path)
        yield made
        made.close()

    @contextmanager
    def reopened(self, store: Store) -> Iterator[Store]:
        again = self.reopen(store)
        try:
            yield again
        finally:
            again.close()

    @contextmanager
    def second(self, store: Store) -> Iterator[Store]:
        other = self.open_second(store)
        try:
            yield other
        finally:
            if other is not store:
                other.close()
