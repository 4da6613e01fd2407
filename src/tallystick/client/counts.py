"""What became of the events, as numbers: `Stats` to look at, `Counts` to count with."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What this client has done in this process since it was made, or since the fork.

    Every recorded event is, in the end, delivered or rejected; until then it is waiting.
    `delivered` and `rejected` also count what an earlier client left in the spool (`adopted`).
    """

    recorded: int = 0
    """Events that `record` took."""

    refused: int = 0
    """Calls of `record` whose arguments can never be counted (a float, an empty tenant)."""

    dropped: int = 0
    """Events lost here: memory was full, or the process ended without a spool to keep them."""

    waiting: int = 0
    """Recorded, in memory or in the spool, and not yet acknowledged by the service."""

    delivered: int = 0
    """Events that the service acknowledged: they are counted there, or kept as dead letters."""

    duplicates: int = 0
    """Of the delivered: known to the service already, as after an answer that was lost."""

    conflicts: int = 0
    """Of the delivered: the key was taken by other content. Not counted; kept by the service."""

    dead_letters: int = 0
    """Of the delivered: could not be counted (an unknown tenant). Kept by the service."""

    rejected: int = 0
    """Events that the service refused for good, set aside in `rejected.ndjson`."""

    damaged: int = 0
    """Lines of the spool that a crash had cut off or a disk had changed."""

    adopted: int = 0
    """Events that were read from the spool of clients that are gone."""

    failures: int = 0
    """Requests without a useful answer."""

    last_failure: str = ""


class Counts:
    """The running numbers, by the names of Stats. Safe between threads; no I/O.

    A thread that holds the lock may take it again: a signal that interrupts it may record.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._last_failure = ""

    def add(self, **numbers: int) -> None:
        with self._lock:
            for name, number in numbers.items():
                self._numbers[name] = self._numbers.get(name, 0) + number

    def failed(self, reason: str) -> None:
        self.add(failures=1)
        self._last_failure = reason

    def stats(self, *, recorded: int, dropped: int, waiting: int, refused: int) -> Stats:
        """A frozen copy; the numbers given are counted elsewhere (what was dropped, in both)."""
        with self._lock:
            numbers = dict(self._numbers)
        dropped += numbers.pop("dropped", 0)
        return Stats(
            recorded=recorded,
            dropped=dropped,
            waiting=waiting,
            refused=refused,
            last_failure=self._last_failure,
            **numbers,
        )
