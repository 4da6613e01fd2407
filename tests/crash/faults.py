"""A real process on a disk that fails when it is told to.

`faulty(order)` is a prelude for a program of ours: from then on its SQLite does what the file
`order` says: nothing wrong while it is empty or not there, else one of FAULTS.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import apsw

ROOT = Path(__file__).parents[2]
FULL = "full"
"""No write finds room."""

BROKEN = "broken"
"""No write is taken: the file system was remounted for reading, or the disk is gone."""

UNSYNCED = "unsynced"
"""Writes are taken, and syncing them fails."""

READ_ONLY = "read-only"
"""Files can be opened for reading only."""


def faulty(order: Path) -> str:
    """What a program has to run first."""
    return (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from tests.crash.faults import install; install({str(order)!r})\n"
    )


def install(order: str) -> None:
    """Have every file of this process's SQLite go through the faults from now on."""
    base = apsw.vfs_names()[0]
    _INSTALLED.append(FaultyVfs(base, Path(order)))


_INSTALLED: list["FaultyVfs"] = []


class FaultyVfs(apsw.VFS):
    """The system's own file access, as long as no fault is ordered."""

    def __init__(self, base: str, order: Path) -> None:
        super().__init__("faulty", base, makedefault=True)
        self.base = base
        self._order = order

    def ordered(self) -> str:
        try:
            return self._order.read_text("utf-8")
        except FileNotFoundError:
            return ""

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if self.ordered() == READ_ONLY:
            if not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
                raise apsw.CantOpenError("read-only")
            writable = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            flags[0] = (flags[0] & ~writable) | apsw.SQLITE_OPEN_READONLY
            flags[1] = flags[0]
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    """One open file."""

    def __init__(
        self, vfs: FaultyVfs, name: apsw.URIFilename | str | None, flags: list[int]
    ) -> None:
        super().__init__(vfs.base, name, flags)
        self._vfs = vfs

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        if error := WRITING.get(self._vfs.ordered()):
            raise error("ordered")
        super().xWrite(content, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._vfs.ordered() == UNSYNCED:
            raise apsw.IOError("ordered")
        super().xSync(flags)


WRITING: Mapping[str, Callable[[str], apsw.Error]] = {
    FULL: apsw.FullError,
    BROKEN: apsw.IOError,
    READ_ONLY: apsw.ReadOnlyError,
}
"""What a write raises."""
