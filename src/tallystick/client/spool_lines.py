"""The format of a spool file: one event a line, each with its checksum.

    1c291ca3 {"tenant":"acme",…}⏎

Eight hex digits of CRC-32 over the JSON text, a blank, the text, a newline. Files are only ever
appended to, so a crash can cut off the end, and the checksum finds that and what a disk changed.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(rb"([0-9a-f]{8}) (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Contents:
    """The events of a file in order, and the pieces that are none."""

    events: tuple[bytes, ...]
    damaged: tuple[bytes, ...] = ()


def write_lines(events: Iterable[bytes]) -> bytes:
    """The lines of these events, which hold no newline themselves."""
    return b"".join(b"%08x %b\n" % (zlib.crc32(event), event) for event in events)


def read_lines(content: bytes) -> Contents:
    """Every event that is whole, wherever the others are damaged; never an error."""
    events, damaged = [], []
    for piece in content.split(b"\n"):
        found = _LINE.fullmatch(piece)
        if found is not None and zlib.crc32(found[2]) == int(found[1], 16):
            events.append(found[2])
        elif piece:
            damaged.append(piece)
    return Contents(tuple(events), tuple(damaged))
