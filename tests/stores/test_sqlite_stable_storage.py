"""Acked means on the disk: nothing that was only handed to the operating system is answered."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, event, recording


class WatchedFile(apsw.VFSFile):
    def __init__(self, vfs: "WatchedVfs", name: str, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.vfs = vfs
        self.name = str(name.filename() if hasattr(name, "filename") else name)

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        self.vfs.unsynced.add(self.name)
        super().xWrite(content, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self.vfs.unsynced.discard(self.name)
        self.vfs.syncs += 1


class WatchedVfs(apsw.VFS):
    """Knows which files were written and not synced since."""

    def __init__(self) -> None:
        super().__init__("watched", "")
        self.unsynced: set[str] = set()
        self.syncs = 0

    def xOpen(self, name: str, flags: list[int]) -> WatchedFile:  # noqa: N802
        return WatchedFile(self, name, flags)


@pytest.fixture
def vfs() -> Iterator[WatchedVfs]:
    watched = WatchedVfs()
    yield watched
    watched.unregister()


def test_every_commit_is_synced_before_it_is_acked(tmp_path: Path, vfs: WatchedVfs):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here", vfs="watched")
    for n in range(20):
        before = vfs.syncs
        store.events.record([recording(event(f"e{n}"))], NOON)

        assert vfs.syncs > before
        assert vfs.unsynced == set()
    store.close()
