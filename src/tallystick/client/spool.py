"""The spool folder: files of events that wait for the service, each owned by one living client.

    OWNER.lock               locked (flock) for as long as its client lives
    OWNER.0000000001.events  events in the format of spool_lines, at most one request's worth
    rejected.ndjson          what the service refused for good, with the reason, from all clients

A file is written by its owner only, and removed when the service has acknowledged all of it. When
an owner's lock can be taken, it is dead, and whoever took the lock sends what it left. Should two
ever send one file, the events' keys make that harmless.

When it reaches the disk: a file is written before it is sent, so that it survives the process.
With `is_durable` it is also synced, so that it survives a power cut; the writer asks for that as
soon as the service has failed to answer, and at the end.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EDQUOT
from pathlib import Path
from typing import Final

from tallystick.client.spool_lines import Contents, read_lines, write_lines

EVENTS: Final = ".events"
LOCK: Final = ".lock"
REJECTED: Final = "rejected.ndjson"
CLAIMS_MAX: Final = 5
AGAIN: Final = "-"
"""Behind a name that somebody else has the lock of."""

_OURS: Final = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
"""Never through a link that somebody put there: the folder may be one that others can write."""

_WRITE: Final = os.O_WRONLY | os.O_APPEND | _OURS


class SpoolFull(OSError):
    """The folder holds as much as it may."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A file that is complete. `count` is how many of its events were recorded by this client."""

    path: Path
    count: int = 0


@dataclass(slots=True, eq=False)
class Heritage:
    """What a dead client left: its files in order, under its lock."""

    lock: Path
    descriptor: int
    segments: list[Segment]


@dataclass(slots=True)
class _Open:
    """The file that is being written."""

    path: Path
    descriptor: int
    count: int = 0
    size: int = 0


@dataclass(slots=True, eq=False)
class Spool:
    """One client's part of the folder. Every method may raise OSError.

    `append` and `seal` are for one thread, the others for another.
    """

    folder: Path
    owner: str
    bytes_max: int
    rejected_bytes_max: int
    _lock: int = -1
    _open: _Open | None = None
    _number: int = 0
    _inherited: list[Heritage] = field(default_factory=list)

    # The writer's side.

    def append(self, events: Sequence[bytes], *, is_durable: bool) -> None:
        """Write the events behind those of the open file; all of them, or none."""
        opened = self._open or self._opened()
        content = write_lines(events)
        try:
            _write_all(opened.descriptor, content)
        except OSError:
            # What was half written is taken back; if it cannot be, its checksum tells.
            with suppress(OSError):
                os.ftruncate(opened.descriptor, opened.size)
            raise
        opened.count += len(events)
        opened.size += len(content)
        if is_durable:
            os.fsync(opened.descriptor)
            _fsync_folder(self.folder)

    @property
    def open_count(self) -> int:
        return self._open.count if self._open else 0

    @property
    def open_size(self) -> int:
        return self._open.size if self._open else 0

    def seal(self, *, is_durable: bool) -> Segment | None:
        """The open file, complete from now on; None where none holds anything. Never an error:
        what could not be synced is there all the same, unless the power fails."""
        if self._open is None or not self._open.count:
            return None
        opened, self._open = self._open, None
        with suppress(OSError):
            if is_durable:
                os.fsync(opened.descriptor)
            os.close(opened.descriptor)
        return Segment(opened.path, opened.count)

    def _opened(self) -> _Open:
        self.claim()
        if self._used() >= self.bytes_max:
            raise SpoolFull(EDQUOT, f"the spool holds its {self.bytes_max} bytes")
        self._number += 1
        path = self.folder / f"{self.owner}.{self._number:010}{EVENTS}"
        self._open = _Open(path, os.open(path, _WRITE | os.O_EXCL, 0o600))
        return self._open

    def claim(self) -> None:
        """Make the folder and lock this client's name in it."""
        if self._lock >= 0:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(CLAIMS_MAX):
            descriptor = _lock(self.folder / f"{self.owner}{LOCK}")
            if descriptor is not None:
                self._lock = descriptor
                return
            # Between its making and its locking, somebody took it for a dead client's, and will
            # remove it. Nothing was written under the name yet.
            self.owner += AGAIN
        raise BlockingIOError("the spool's lock is held by somebody else; trying again")

    def _used(self) -> int:
        with os.scandir(self.folder) as found:
            return sum(_size(entry) for entry in found if entry.name.endswith(EVENTS))

    # The sender's side.

    def read(self, segment: Segment) -> Contents:
        return read_lines(segment.path.read_bytes())

    def remove(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)

    def make_durable(self, segment: Segment) -> None:
        """Sync a file that was written without."""
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _fsync_folder(self.folder)

    def set_aside(self, rejected: Iterable[tuple[bytes, str]]) -> int:
        """Append (event, reason) pairs to the rejected file, synced; how many it had room for."""
        path, kept = self.folder / REJECTED, 0
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, _WRITE, 0o600)
        try:
            room = self.rejected_bytes_max - os.fstat(descriptor).st_size
            for event, reason in rejected:
                line = _rejected_line(event, reason)
                room -= len(line)
                if room < 0:
                    break
                _write_all(descriptor, line)
                kept += 1
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return kept

    def adopt(self) -> list[Heritage]:
        """What dead clients left here, each under its lock until `bury`."""
        if not self.folder.is_dir():
            return []
        names = sorted(p.name for p in self.folder.iterdir() if p.suffix in (EVENTS, LOCK))
        owners = dict.fromkeys(name.partition(".")[0] for name in names)
        owners.pop(self.owner, None)
        mine = {heritage.lock.name for heritage in self._inherited}
        others = (owner for owner in owners if f"{owner}{LOCK}" not in mine)
        return [heritage for owner in others if (heritage := self._taken_over(owner))]

    def _taken_over(self, owner: str) -> Heritage | None:
        lock = self.folder / f"{owner}{LOCK}"
        descriptor = _lock(lock)
        if descriptor is None:
            return None
        # Looked for again under the lock: its owner may have removed some, or written more.
        left = [Segment(path) for path in sorted(self.folder.glob(f"{owner}.*{EVENTS}"))]
        heritage = Heritage(lock, descriptor, left)
        self._inherited.append(heritage)
        if left:
            return heritage
        self.bury(heritage)
        return None

    def bury(self, heritage: Heritage) -> None:
        """Remove a dead client's lock, once nothing of its is left."""
        self._inherited.remove(heritage)
        with suppress(OSError):
            heritage.lock.unlink(missing_ok=True)
        os.close(heritage.descriptor)

    # The end.

    def release(self) -> None:
        """Give up the locks. Whatever is left is for whoever comes next."""
        for heritage in self._inherited:
            os.close(heritage.descriptor)
        self._inherited = []
        if self._open is not None and not self._open.count:
            os.close(self._open.descriptor)
            self._open.path.unlink(missing_ok=True)
            self._open = None
        if self._lock < 0:
            return
        with suppress(OSError):
            if not any(self.folder.glob(f"{self.owner}.*{EVENTS}")):
                (self.folder / f"{self.owner}{LOCK}").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1

    def forget(self) -> None:
        """Close what a fork copied, without touching what is the parent's."""
        descriptors = [self._lock, *(heritage.descriptor for heritage in self._inherited)]
        descriptors += [self._open.descriptor] if self._open else []
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)


def _lock(path: Path) -> int | None:
    """The descriptor of a lock file that is now ours; None where it is somebody else's."""
    descriptor = os.open(path, os.O_RDWR | _OURS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It may have been removed between the opening and the locking: then it locks nothing.
        is_there = os.fstat(descriptor).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    except OSError:
        os.close(descriptor)
        raise
    if is_there:
        return descriptor
    os.close(descriptor)
    return None


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(entry: "os.DirEntry[str]") -> int:
    with suppress(FileNotFoundError):
        return entry.stat().st_size
    return 0


def _rejected_line(event: bytes, reason: str) -> bytes:
    """An event that is JSON as it is, so that it can be sent again; what is not, as text."""
    told = json.dumps(reason).encode()
    try:
        json.loads(event)
    except ValueError:
        event = json.dumps(event.decode("utf-8", "backslashreplace")).encode()
    return b'{"reason":%b,"event":%b}\n' % (told, event)
