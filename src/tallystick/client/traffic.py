"""What the two threads of a client and its callers share, in one process."""

import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Final

from tallystick.client.buffer import Buffer
from tallystick.client.counts import Counts
from tallystick.client.limits import Limits
from tallystick.client.spool import Segment, Spool

FOREVER: Final = float("inf")


class Signal(Enum):
    """Why a thread is woken."""

    WORK = auto()
    FLUSH = auto()
    CLOSE = auto()


class Mailbox:
    """Wakes one thread. `poke` and `put` never wait, and may interrupt themselves (a signal)."""

    def __init__(self) -> None:
        self._signals: SimpleQueue[Signal] = SimpleQueue()
        self._is_poked = False

    def poke(self) -> None:
        """There is work; said once until it is noticed."""
        if not self._is_poked:
            self._is_poked = True
            self._signals.put(Signal.WORK)

    def put(self, signal: Signal) -> None:
        self._signals.put(signal)

    def wait(self, seconds: float) -> Signal | None:
        """The next signal; None where none comes in time."""
        signal = self._next(seconds)
        if signal is Signal.WORK:
            self._is_poked = False
        return signal

    def linger(self, seconds: float) -> Signal | None:
        """Wait whatever work comes; FLUSH or CLOSE end it early."""
        ends, signal = time.monotonic() + seconds, None
        while (left := ends - time.monotonic()) > 0:
            signal = self._next(left)
            if signal in (Signal.FLUSH, Signal.CLOSE):
                break
        # Work that was announced meanwhile is looked for by the caller, who comes from waiting.
        self._is_poked = False
        return signal if signal is not Signal.WORK else None

    def _next(self, seconds: float) -> Signal | None:
        try:
            return self._signals.get(timeout=None if seconds == FOREVER else max(0.0, seconds))
        except Empty:
            return None


@dataclass(slots=True, eq=False)
class Traffic:
    """One process's events on their way. `spool` is None where there is no folder."""

    limits: Limits
    buffer: Buffer
    spool: Spool | None
    counts: Counts = field(default_factory=Counts)
    sealed: "deque[Segment]" = field(default_factory=deque)
    """This client's files that are complete, oldest first: the writer adds, the sender takes."""

    writer: Mailbox = field(default_factory=Mailbox)
    sender: Mailbox = field(default_factory=Mailbox)
    is_away: bool = False
    """The service has not answered usefully since the last delivery."""

    ends_at: float = FOREVER
    """By the monotonic clock, when `close` has waited enough."""

    is_written: bool = False
    """There is no writer, or it has done its last: what is in memory now is the sender's."""

    is_lossy: bool = False
    """At the end, what was left in memory could not be kept."""

    @property
    def is_closing(self) -> bool:
        return self.ends_at != FOREVER

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()
