"""What was recorded and is on no disk yet: lines in memory, bounded in bytes, first in first out.

It also counts what was settled, which is what `flush` waits for. Nothing here does I/O, so no
lock is ever held during any. The lock may be taken again by its own thread: a signal that
interrupts `record` may record.
"""

import threading
from collections import deque
from itertools import islice
from typing import Final

LINE_OVERHEAD: Final = 100
"""About what a line takes beside its bytes."""

REFUSALS_KEPT: Final = 10
"""Of the reasons, until they are logged. All are counted."""


class Buffer:
    """The events between `record` and the spool (or the wire, while there is no spool).

    Who takes from it is told by `is_direct`: the sender where True, else the writer. It changes
    only where nobody has taken without removing.
    """

    def __init__(self, bytes_max: int, *, is_direct: bool) -> None:
        self._bytes_max = bytes_max
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition(threading.RLock())
        self._is_direct = is_direct
        self._is_closed = False
        self.accepted = 0
        self.dropped = 0
        self.refused = 0
        self.settled = 0
        self._refusals: deque[str] = deque(maxlen=REFUSALS_KEPT)

    def append(self, line: bytes) -> bool:
        """Take the line; False, and one more dropped, where memory is full or `close` came."""
        size = len(line) + LINE_OVERHEAD
        with self._changed:
            if self._is_closed or self._bytes + size > self._bytes_max:
                self.dropped += 1
                return False
            self._lines.append(line)
            self._bytes += size
            self.accepted += 1
            return True

    def close(self) -> None:
        """Take nothing from now on: whoever empties the buffer after this leaves nobody behind."""
        with self._changed:
            self._is_closed = True

    def refuse(self, reason: str) -> None:
        """Count a call whose arguments are no event; the reason is told by a thread of ours."""
        with self._changed:
            self.refused += 1
            self._refusals.append(reason)

    def refusals(self) -> list[str]:
        """The latest reasons, once."""
        with self._changed:
            found = list(self._refusals)
            self._refusals.clear()
            return found

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def is_direct(self) -> bool:
        return self._is_direct

    def hand_to_sender(self) -> None:
        with self._changed:
            self._is_direct = True

    def hand_to_writer(self) -> None:
        with self._changed:
            self._is_direct = False

    def first(self, count: int, size: int) -> list[bytes]:
        """The oldest lines, at most `count` and about `size` bytes, at least one if there is one.
        They stay until `remove`."""
        with self._changed:
            return _first(self._lines, count, size)

    def remove(self, count: int) -> None:
        """Forget the oldest lines."""
        with self._changed:
            for _ in range(count):
                self._bytes -= len(self._lines.popleft()) + LINE_OVERHEAD
            if not self._lines:
                self._bytes = 0  # so that a count that a signal had upset is right again

    def take(self, count: int, size: int) -> list[bytes]:
        """The oldest lines, removed; none while the writer has the buffer."""
        with self._changed:
            found = _first(self._lines, count, size) if self._is_direct else []
            self.remove(len(found))
            return found

    @property
    def waiting(self) -> int:
        """Accepted and not settled, in memory and in the spool."""
        settled = self.settled  # first, so that the difference is never below zero
        return self.accepted - settled

    def settle(self, count: int) -> None:
        """So many more of the oldest accepted events need nothing more."""
        with self._changed:
            self.settled += count
            self._changed.notify_all()

    def wait_settled(self, number: int, timeout: float) -> bool:
        """Whether the first `number` accepted events are settled within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.settled >= number, timeout)


def _first(lines: "deque[bytes]", count: int, size: int) -> list[bytes]:
    found: list[bytes] = []
    for line in islice(lines, count):
        size -= len(line) + 1
        if found and size < 0:
            break
        found.append(line)
    return found
