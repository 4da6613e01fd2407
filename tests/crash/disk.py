"""A disk that forgets, when the power goes, what was written and not synced.

SQLite works on real files through this VFS, which keeps beside each file what of it is certainly on
the disk. When the power goes, every write since the file's last sync is lost, kept, torn or put in
another order, as the seed draws; files that were made, grown, cut or deleted since may be so or
not. What is left is a folder that the next store has to live with. The run itself goes on unharmed
until it looks at `is_off`; nothing that it does afterwards reaches the disk.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

SECTOR = 512
"""So much of a write reaches the disk whole, or not at all."""

SHM_SIZE = 32_768
TRACKED = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL
LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at an offset."""

    offset: int
    content: bytes

    def put(self, image: bytearray) -> None:
        end = self.offset + len(self.content)
        if len(image) < end:
            image.extend(bytes(end - len(image)))
        image[self.offset : end] = self.content


@dataclass(frozen=True, slots=True)
class Resize:
    """A file cut (or filled with zeros) to a size."""

    size: int

    def put(self, image: bytearray) -> None:
        del image[self.size :]
        image.extend(bytes(self.size - len(image)))


@dataclass(frozen=True, slots=True)
class Grow:
    """A file that grew by zeros."""

    size: int

    def put(self, image: bytearray) -> None:
        image.extend(bytes(max(0, self.size - len(image))))


Change = Write | Resize | Grow


@dataclass(eq=False)
class Inode:
    """One file's content: what is on the disk, and what is on its way."""

    settled: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def settle(self) -> None:
        for change in self.pending:
            change.put(self.settled)
        self.pending.clear()

    def after_power_cut(self, draws: Random) -> bytes:
        image = bytearray(self.settled)
        for change in draws.choice(FATES)(list(self.pending), draws):
            change.put(image)
        return bytes(image)


# ── What becomes of writes that were not synced ───────────────────────────────────────────────────


def _lost(pending: list[Change], draws: Random) -> list[Change]:
    """None arrived; the file may have grown all the same."""
    ends = [w.offset + len(w.content) for w in pending if isinstance(w, Write)]
    return [Grow(max(ends))] if ends and draws.random() < 0.3 else []


def _kept(pending: list[Change], draws: Random) -> list[Change]:
    return pending


def _first_few(pending: list[Change], draws: Random) -> list[Change]:
    return pending[: draws.randint(0, len(pending))]


def _some(pending: list[Change], draws: Random) -> list[Change]:
    share = draws.random()
    return [change for change in pending if draws.random() < share]


def _out_of_order(pending: list[Change], draws: Random) -> list[Change]:
    some = _some(pending, draws)
    draws.shuffle(some)
    return some


def _torn(pending: list[Change], draws: Random) -> list[Change]:
    """Of each write some sectors; a sector that was being written may hold anything."""
    torn: list[Change] = []
    for change in _some(pending, draws):
        torn += _sectors(change, draws) if isinstance(change, Write) else [change]
    return torn


def _sectors(write: Write, draws: Random) -> list[Change]:
    found: list[Change] = []
    for start in range(0, len(write.content), SECTOR):
        part = write.content[start : start + SECTOR]
        fate = draws.random()
        if fate < 0.1:
            part = draws.randbytes(len(part))
        if fate < 0.7:
            found.append(Write(write.offset + start, part))
    return found


Fate = Callable[[list[Change], Random], list[Change]]
FATES: tuple[Fate, ...] = (_lost, _kept, _first_few, _some, _out_of_order, _torn, _torn)


# ── The disk ──────────────────────────────────────────────────────────────────────────────────────


class Disk(apsw.VFS):
    """The files of one folder. The power goes at the `cut_at`-th change or sync.

    `lies` names kinds of files ('main', 'wal') whose syncs are answered and not carried out.
    """

    def __init__(
        self, name: str, folder: Path, *, cut_at: int, draws: Random, lies: Collection[str] = ()
    ) -> None:
        super().__init__(name, "")
        self.name = name
        self.is_off = False
        self.image: dict[str, bytes] = {}
        self.lies = lies
        self.syncs = 0
        self._draws = draws
        self._left = cut_at
        self._lock = threading.RLock()
        found = {str(f): Inode(bytearray(f.read_bytes())) for f in sorted(folder.glob("*.db*"))}
        self._files = {path: i for path, i in found.items() if not path.endswith("-shm")}
        self._settled_files = dict(self._files)
        self._moves: list[tuple[str, Inode | None]] = []

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None or not flags[0] & TRACKED:
            return apsw.VFSFile("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self._lock:
            is_new = path not in self._files and bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
            opened = DiskFile(self, path, name, flags, is_new_log=is_new and bool(flags[0] & LOGS))
            if is_new:
                self._move(path, Inode())
            opened.inode = self._files[path]
            return opened

    def xDelete(self, name: str, is_synced: bool) -> None:  # noqa: N802, FBT001
        with self._lock:
            super().xDelete(name, is_synced)
            if name in self._files:
                self._move(name, None)
            if is_synced:
                self.settle_folder()

    def _move(self, path: str, inode: Inode | None) -> None:
        """A file appears under its name, or goes; the folder is not synced yet."""
        self._moves.append((path, inode))
        if inode is None:
            del self._files[path]
        else:
            self._files[path] = inode
        self.tick()

    def change(self, inode: Inode, change: Change) -> None:
        inode.pending.append(change)
        self.tick()

    def sync(self, inode: Inode, kind: str, *, with_folder: bool) -> None:
        self.tick()
        self.syncs += 1
        if kind in self.lies:
            return
        inode.settle()
        if with_folder:
            self.settle_folder()

    def settle_folder(self) -> None:
        self._settled_files = dict(self._files)
        self._moves.clear()

    def tick(self) -> None:
        """One more thing was done; perhaps the last."""
        self._left -= 1
        if self._left <= 0:
            self.cut()

    def cut(self) -> None:
        """The power goes, now, unless it went before."""
        with self._lock:
            if self.is_off:
                return
            self.is_off = True
            there = dict(self._settled_files)
            for path, inode in self._moves[: self._draws.randint(0, len(self._moves))]:
                if inode is None:
                    there.pop(path, None)
                else:
                    there[path] = inode
            self.image = {p: inode.after_power_cut(self._draws) for p, inode in there.items()}

    def write_image(self, folder: Path) -> None:
        """What is left, as a folder of its own; the shared memory's file may hold anything."""
        for path, content in self.image.items():
            (folder / Path(path).name).write_bytes(content)
        if self._draws.random() < 0.3:
            (folder / "tally.db-shm").write_bytes(self._draws.randbytes(SHM_SIZE))

    def locked(self) -> threading.RLock:
        return self._lock


class DiskFile(apsw.VFSFile):
    """One open file of it."""

    inode: Inode

    def __init__(
        self,
        disk: Disk,
        path: str,
        name: apsw.URIFilename | str,
        flags: list[int],
        *,
        is_new_log: bool,
    ) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._kind = "wal" if path.endswith("-wal") else "main"
        # As SQLite does on unix: the first sync of a new log syncs its folder too.
        self._syncs_folder = is_new_log

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.locked():
            super().xWrite(content, offset)
            self._disk.change(self.inode, Write(offset, bytes(content)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._disk.locked():
            super().xTruncate(size)
            self._disk.change(self.inode, Resize(size))

    def xSync(self, flags: int) -> None:  # noqa: N802
        with self._disk.locked():
            self._disk.sync(self.inode, self._kind, with_folder=self._syncs_folder)
            self._syncs_folder = False
