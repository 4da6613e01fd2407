"""Files of reports, line by line: plain, gzipped, a zip's member, or standard input.

Memory stays flat however long a file or a line is; every line has a number, and one that cannot
be taken is yielded with the reason instead of ending the rest.
"""

import csv
import gzip
import io
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from tallystick.domain.errors import InvalidReport, InvalidSetting
from tallystick.stages.decoding import BODY_KEPT_MAX, REPORT_BYTES_MAX, too_large, unreadable

CHUNK: Final = 64 * 1024
BUFFER: Final = 1024 * 1024
QUOTED_LINES_MAX: Final = 1_000
"""How many lines one quoted CSV cell may span; an unclosed quote must not swallow the file."""

_KINDS: Final = (
    (".csv", "csv"),
    (".tsv", "tsv"),
    (".ndjson", "ndjson"),
    (".jsonl", "ndjson"),
    (".json", "ndjson"),
)
_BROKEN: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; where it was refused, `body` is its beginning."""

    number: int
    body: bytes
    refused: InvalidReport | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One CSV record; `raw` is its text, `number` its first line."""

    number: int
    raw: bytes
    cells: tuple[str, ...] = ()
    refused: InvalidReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An open file of reports. `size` is how many bytes `stream` will give, where that is known."""

    name: str
    kind: str
    stream: IO[bytes]
    size: int | None


@contextmanager
def open_source(file: str, kind: str | None) -> Iterator[Source]:
    """The file opened for reading, told apart by its name; `kind` overrides what the name says.

    'archive.zip' needs to have one member; 'archive.zip::member.csv' names one.
    Raises InvalidSetting where it cannot be read, also later, where its compression is broken.
    """
    with ExitStack() as stack:
        try:
            yield _opened(file, kind, stack)
        except _BROKEN as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise InvalidSetting(f"{file}: cannot be read: {error}") from error


def _opened(file: str, kind: str | None, stack: ExitStack) -> Source:
    if file == "-":
        return Source(name="-", kind=_kind("-", kind), stream=sys.stdin.buffer, size=None)
    path, _, member = file.partition("::")
    stream, inner, size = _uncompressed(path, member, stack)
    return Source(name=Path(path).name, kind=_kind(inner, kind), stream=stream, size=size)


def _uncompressed(path: str, member: str, stack: ExitStack) -> tuple[IO[bytes], str, int | None]:
    """(stream, the name that tells the kind, size)."""
    if path.endswith(".zip"):
        archive = stack.enter_context(zipfile.ZipFile(path))
        entry = _member(archive, path, member)
        # Buffered again, since a zip's own readline is slow where it has a limit.
        unzipped = io.BufferedReader(cast(io.RawIOBase, archive.open(entry)), BUFFER)
        return stack.enter_context(unzipped), entry.filename, entry.file_size
    plain = Path(path).open("rb")  # noqa: SIM115  (the stack closes it)
    stack.enter_context(plain)
    if path.endswith(".gz"):
        unpacked = io.BufferedReader(gzip.GzipFile(fileobj=plain), BUFFER)
        return stack.enter_context(unpacked), path[:-3], None
    return plain, path, Path(path).stat().st_size


def _member(archive: zipfile.ZipFile, path: str, name: str) -> zipfile.ZipInfo:
    members = [entry for entry in archive.infolist() if not entry.is_dir()]
    chosen = [entry for entry in members if name in ("", entry.filename)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(entry.filename for entry in members[:20]) or "nothing"
    raise InvalidSetting(f"{path} holds {names}; name one member as {path}::MEMBER")


def _kind(name: str, chosen: str | None) -> str:
    if chosen is not None:
        return chosen
    for ending, kind in _KINDS:
        if name.lower().endswith(ending):
            return kind
    raise InvalidSetting(f"{name}: say with --format whether it is csv, tsv or ndjson")


def lines(stream: IO[bytes]) -> Iterator[Line]:
    """The lines, each bounded; a longer one is refused and its rest skipped. Blank ones are b""."""
    number = 0
    while body := stream.readline(REPORT_BYTES_MAX + 2):
        number += 1
        if number == 1:
            body = body.removeprefix(b"\xef\xbb\xbf")
        stripped = body.rstrip(b"\r\n")
        if len(stripped) > REPORT_BYTES_MAX:
            size = len(stripped) if body.endswith(b"\n") else len(body) + _skip_rest(stream)
            yield Line(number, body[:BODY_KEPT_MAX], too_large(size))
        else:
            yield Line(number, stripped if stripped.strip() else b"")


def _skip_rest(stream: IO[bytes]) -> int:
    """Read on to the line's end in pieces; how many bytes that were."""
    size = 0
    while piece := stream.readline(CHUNK):
        size += len(piece.rstrip(b"\r\n"))
        if piece.endswith(b"\n"):
            break
    return size


def records(stream: IO[bytes], delimiter: str) -> Iterator[Record]:
    """The records of a CSV file. A cell in quotes may span lines; a quote that is never closed
    costs its own line only."""
    csv.field_size_limit(2 * REPORT_BYTES_MAX)
    ahead: deque[Line] = deque()
    rest = lines(stream)
    while line := ahead.popleft() if ahead else next(rest, None):
        if not _has_open_quote(line):
            if line.body:
                yield _record(line.number, line.body, delimiter, line.refused)
            continue
        count = _lines_until_closed(line, ahead, rest)
        if count:
            whole = [line, *(ahead.popleft() for _ in range(count))]
            yield _record(line.number, b"\n".join(part.body for part in whole), delimiter, None)
        else:
            unclosed = unreadable("invalid_csv", "a quote is opened and never closed; double it")
            yield Record(line.number, line.body, refused=unclosed)


def _has_open_quote(line: Line) -> bool:
    return line.refused is None and line.body.count(b'"') % 2 == 1


def _lines_until_closed(line: Line, ahead: deque[Line], rest: Iterator[Line]) -> int:
    """How many more lines the record has that `line` opens; 0 where nothing closes it near by.

    Lines that had to be read to find out are put into `ahead`.
    """
    size = len(line.body)
    for count in range(QUOTED_LINES_MAX):
        following = ahead[count] if count < len(ahead) else next(rest, None)
        if following is None:
            return 0
        if count == len(ahead):
            ahead.append(following)
        size += len(following.body)
        if following.refused is not None or size > REPORT_BYTES_MAX:
            return 0
        if _has_open_quote(following):
            return count + 1
    return 0


def _record(number: int, raw: bytes, delimiter: str, refused: InvalidReport | None) -> Record:
    if refused is not None:
        return Record(number, raw, refused=refused)
    try:
        text = raw.decode()
        if '"' not in text:
            return Record(number, raw, tuple(text.split(delimiter)))
        cells = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        refused = unreadable("invalid_utf8", "the line must be UTF-8; encode the file so")
    except csv.Error as error:
        refused = unreadable("invalid_csv", f"the line is no CSV: {error}")
    else:
        return Record(number, raw, tuple(cells))
    return Record(number, raw, refused=refused)
