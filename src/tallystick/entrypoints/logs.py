"""Log lines: one JSON object each, or a line for people, on stderr.

They are written by a thread of their own, from a queue with an end: whoever reads our stderr may
stop reading, and counting must not wait for that. What finds no room is dropped, and counted.
No line holds a body, a path with its parameters or a secret; what looks like one of our secrets or
the provider's is struck out all the same.
"""

import json
import logging
import logging.handlers
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final, TextIO

from tallystick.domain.instant import SECOND, format_instant

LOG: Final = logging.getLogger("tallystick")

WAITING_MAX: Final = 10_000
"""So many lines wait to be written at most."""

FLUSH_SECONDS: Final = 2
"""So long the end waits for lines that nobody reads."""

GATHER_SECONDS: Final = 0.02
"""So long lines gather before they are written together: to wake the thread that writes for each
of them would take longer than to write it."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

CONTEXT: Final[ContextVar[Mapping[str, str]]] = ContextVar("log context", default=NOTHING)
"""What every line of the present request says beside its own: its id, its trace."""

_ENCODER: Final = json.JSONEncoder(default=str, ensure_ascii=False)
_SECRETS: Final = re.compile(
    r"(?P<known>tally_[a-z0-9]+_|[srp]k_(?:live|test)_|whsec_|Bearer )[A-Za-z0-9_\-.~+/=]+"
)
_STRUCK_OUT: Final = r"\g<known>…"


def note(level: int, event: str, **fields: object) -> None:
    """One line: what happened, and what is to be known of it. Built only where it is wanted."""
    if LOG.isEnabledFor(level):
        # Not by LOG.log, which looks for the caller's file and line; no line of ours says them.
        extra = {"fields": fields}
        LOG.handle(LOG.makeRecord(LOG.name, level, "", 0, event, (), None, extra=extra))


Lines = queue.SimpleQueue[logging.LogRecord | None]
"""What waits to be written; None ends it."""


class JsonLines(logging.Formatter):
    """A JSON object: time, level, event, then what the request and the line say."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.name != LOG.name:
            line["logger"] = record.name
        line |= _fields(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return without_secrets(_ENCODER.encode(line))


class PlainLines(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{name}={_shown(value)}" for name, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname:7} {record.getMessage()} {told}".rstrip()
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


def without_secrets(text: str) -> str:
    """The last line of defence, behind never writing one."""
    return _SECRETS.sub(_STRUCK_OUT, text)


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    return format_instant(int(record.created * SECOND))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    context: Mapping[str, str] = getattr(record, "context", NOTHING)
    fields: Mapping[str, object] = getattr(record, "fields", NOTHING)
    return {**context, **{name: value for name, value in fields.items() if value is not None}}


class Writing(logging.handlers.QueueHandler):
    """Hands lines to the thread that writes them; never waits."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._lines = lines
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        record.context = CONTEXT.get()
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() >= WAITING_MAX:
            self.dropped += 1
        else:
            self._lines.put(record)


class AtOnce(logging.StreamHandler[TextIO]):
    """Writes each line before the call returns: for a process that is frozen between its turns,
    where no thread of ours would come to it."""

    def emit(self, record: logging.LogRecord) -> None:
        record.context = CONTEXT.get()
        super().emit(record)


def log_at_once(stream: TextIO, level: str, form: str) -> None:
    """From now on every line of this process of that level goes to the stream, and nowhere else."""
    lines = AtOnce(stream)
    lines.setFormatter(_formatter(form))
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(logging.WARNING)
    LOG.setLevel(level.upper())


def _formatter(form: str) -> logging.Formatter:
    return PlainLines() if form == "text" else JsonLines()


@contextmanager
def logging_to(descriptor: int, level: str, form: str) -> Iterator[Writing]:
    """Within, every line of this process of that level goes to the file descriptor.

    Libraries are heard from WARNING on: below that they tell what they send.
    """
    lines: Lines = queue.SimpleQueue()
    writing = Writing(lines)
    root = logging.getLogger()
    before = root.handlers[:], root.level, LOG.level
    root.handlers[:] = [writing]
    root.setLevel(logging.WARNING)
    LOG.setLevel(level.upper())
    thread = threading.Thread(
        target=_write, args=(lines, _formatter(form), descriptor), name="log lines", daemon=True
    )
    thread.start()
    try:
        yield writing
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        LOG.setLevel(before[2])
        _end(lines, thread)


def _write(lines: Lines, formatter: logging.Formatter, descriptor: int) -> None:
    """Straight to the descriptor: a daemon that is cut off while it holds the lock of a buffered
    stream would stop the exit of the process."""
    is_open, pause = True, threading.Event()
    while is_open:
        gathered = [lines.get()]
        while not lines.empty():
            gathered.append(lines.get())
        is_open = None not in gathered
        text = "".join([f"{formatter.format(record)}\n" for record in gathered if record])
        rest = text.encode("utf-8", "replace")
        with suppress(OSError):  # nobody reads any more: there is nowhere to say so
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        pause.wait(GATHER_SECONDS if is_open else 0)


def _end(lines: Lines, thread: threading.Thread) -> None:
    lines.put(None)
    thread.join(FLUSH_SECONDS)
