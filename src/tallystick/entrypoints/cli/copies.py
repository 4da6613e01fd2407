"""The copy of the checkpoints that is kept elsewhere: a file with one JSON object a line."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from tallystick.bootstrap import App
from tallystick.domain.checkpoint import Taken, checkpoint_of, line_of
from tallystick.domain.errors import InvalidSetting
from tallystick.stages.checkpointing import kept

LINE_CHARACTERS_MAX: Final = 256 * 1024 * 1024
"""Of one checkpoint: about two million chains that moved in one hour."""

OWNER_ONLY: Final = 0o600
PIECE: Final = 64 * 1024


def text_of(one: Taken) -> str:
    return json.dumps(line_of(one), separators=(",", ":"))


def read_copy(path: Path) -> Iterator[Taken]:
    """The checkpoints of a file. Raises InvalidSetting with the line that is none."""
    try:
        with path.open(encoding="utf-8") as lines:
            yield from _parsed(path, iter(lambda: lines.readline(LINE_CHARACTERS_MAX), ""))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path}: cannot be read: {error}") from error


def _parsed(path: Path, lines: Iterable[str]) -> Iterator[Taken]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield checkpoint_of(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise InvalidSetting(f"{path}, line {number}: {error}") from error


def catch_up(app: App) -> str:
    """Add to the copy what it lacks; on the disk when this returns. Why that cannot be, if so: it
    holds up no billing, and the next time adds what is missing then."""
    path = app.settings.checkpoint_copy
    if not path:
        return ""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, OWNER_ONLY)
        with os.fdopen(descriptor, "r+b") as file:
            # Two servers on one store may have one file; the lock ends with the file's being open.
            fcntl.flock(file, fcntl.LOCK_EX)
            for one in kept(app.store, _last_number(app, _last_line(file))):
                file.write(text_of(one).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"the copy of the checkpoints {path!r} cannot be written: {error.strerror}"
    except ValueError as error:
        return f"the copy of the checkpoints {path!r} cannot go on: {error}"
    return ""


def _last_line(file: BinaryIO) -> bytes:
    """The last whole line; what a crash left of another is cut off."""
    size = file.seek(0, os.SEEK_END)
    found = b""
    while size > 0 and found.count(b"\n") < 2:
        start = max(0, size - PIECE)
        file.seek(start)
        found = file.read(size - start) + found
        size = start
    whole = found.rfind(b"\n") + 1
    if whole < len(found):
        file.truncate(size + whole)
    return found[:whole].rstrip(b"\n").rpartition(b"\n")[2]


def _last_number(app: App, line: bytes) -> int:
    """The number that the copy ends in. Raises ValueError where it is of another series."""
    if not line:
        return 0
    last = checkpoint_of(json.loads(line)).checkpoint
    same = app.store.checkpoints.list(after=last.number - 1, limit=1)
    if not same or same[0].hash != last.hash:
        raise ValueError(
            f"it ends in a {last} that this store does not have, as after a restore; keep it, and "
            "name a new file in TALLYSTICK_CHECKPOINT_COPY"
        )
    return last.number
