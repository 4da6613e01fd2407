"""A client's life in one process: its buffer, its spool and its two threads.

A fork begins another one: threads do not survive it, locks may be held by nobody, and what is in
memory is the parent's to send.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tallystick.client.answers import Transport
from tallystick.client.buffer import Buffer
from tallystick.client.counts import Stats
from tallystick.client.limits import Limits
from tallystick.client.notices import Notices
from tallystick.client.sending import Sender
from tallystick.client.spool import Spool
from tallystick.client.traffic import Signal, Traffic
from tallystick.client.writing import Writer

OWNER_BYTES: Final = 8
RESTART_SECONDS: Final = 1.0
GRACE_SECONDS: Final = 0.5
"""For the threads to put away what they hold, after the time for sending is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a client was made with, the same before and after a fork."""

    service: str
    connect: Callable[[], Transport]
    spool: Path | None
    limits: Limits
    now: Callable[[], int]
    random_bytes: Callable[[int], bytes]


class Live:
    """Begun with the first event; ended by `close`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        spool = None if means.spool is None else _spool_in(means.spool, means)
        buffer = Buffer(means.limits.memory_bytes, is_direct=spool is None)
        self.traffic = Traffic(means.limits, buffer, spool)
        self._notices = Notices(means.service)
        self._inbox = self.traffic.writer if spool else self.traffic.sender
        self._runs: list[Callable[[], None]] = []
        self._threads: list[threading.Thread] = []
        self._sender: Sender | None = None
        self._starting = threading.Lock()
        self._is_running = False
        self._start_at = 0.0

    def take(self, line: bytes) -> None:
        """Put the event into memory and see to it that somebody is there to send it."""
        if not self.traffic.buffer.append(line):
            self._tell_loss()
            return
        self._inbox.poke()
        if not self._is_running:
            self.start()

    def refuse(self, reason: str) -> None:
        self.traffic.buffer.refuse(reason)
        self.traffic.sender.poke()
        if not self._is_running:
            self.start()

    def _tell_loss(self) -> None:
        if self.traffic.is_closing:
            self.tell()
        else:
            self.traffic.sender.poke()

    def stats(self) -> Stats:
        buffer = self.traffic.buffer
        return self.traffic.counts.stats(
            recorded=buffer.accepted,
            dropped=buffer.dropped,
            waiting=buffer.waiting,
            refused=buffer.refused,
        )

    def tell(self) -> None:
        """Log what a person has to know."""
        self._notices.tell(self.stats(), self.traffic.buffer.refusals())

    # Threads.

    def start(self) -> None:
        """Start the threads that do not run; where none can be had, a later event tries again."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self.traffic.is_closing or time.monotonic() < self._start_at:
                return
            self._start_at = time.monotonic() + RESTART_SECONDS
            self._start_threads()
        except RuntimeError:
            # No thread can be had now. What was recorded waits in memory.
            self._is_running = False
        finally:
            self._starting.release()

    def _start_threads(self) -> None:
        if not self._runs:
            self._runs = self._made_runs()
            self._threads = [threading.Thread() for _ in self._runs]
        self._is_running = True
        # Said before the writer runs: the sender might end before it has begun.
        self.traffic.is_written = self.traffic.spool is None
        for index, run in enumerate(self._runs):
            if not self._threads[index].is_alive():
                name = f"tallystick-{run.__qualname__.partition('.')[0].lower()}"
                thread = threading.Thread(target=self._run, args=(run,), name=name, daemon=True)
                self._threads[index] = thread
                thread.start()

    def _made_runs(self) -> list[Callable[[], None]]:
        means, traffic = self._means, self.traffic
        sender = self._sender = Sender(
            traffic,
            means.connect(),
            self._notices,
            now=means.now,
            random_bytes=means.random_bytes,
            tell=self.tell,
        )
        if traffic.spool is None:
            return [sender.run]
        return [sender.run, Writer(traffic, traffic.spool).run]

    def _run(self, run: Callable[[], None]) -> None:
        """A thread that a bug has ended is started again with the next event."""
        try:
            run()
        finally:
            self._is_running = False

    # The end.

    def flush(self, timeout: float) -> bool:
        """Whether everything recorded until now was settled within so many seconds."""
        number = self.traffic.buffer.accepted
        self.start()
        self._inbox.put(Signal.FLUSH)
        return self.traffic.buffer.wait_settled(number, timeout)

    def close(self, timeout: float) -> bool:
        """End the threads; whether all was settled by then, and nothing lost at the end."""
        ends_at = time.monotonic() + timeout
        if not self.traffic.is_closing:
            if self.traffic.buffer:
                self.start()
            self._begin_end(ends_at)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends_at - time.monotonic()) + GRACE_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            self._notices.left(self.traffic.buffer.waiting, self._means.spool)
        elif self._sender and not self._sender.is_ended:
            self._sender.end()
        return self.stats().waiting == 0 and not self.traffic.is_lossy

    def _begin_end(self, ends_at: float) -> None:
        """Not while somebody starts the threads: some would begin after the end. The wait is
        bounded, since that may be who was interrupted by a signal to call `close`."""
        seconds = max(0.0, ends_at - time.monotonic()) + GRACE_SECONDS
        is_free = self._starting.acquire(timeout=seconds)
        self.traffic.buffer.close()
        self.traffic.ends_at = ends_at
        if not any(thread.is_alive() for thread in self._threads[1:]):
            self.traffic.is_written = True
        self.traffic.writer.put(Signal.CLOSE)
        self.traffic.sender.put(Signal.CLOSE)
        if is_free:
            self._starting.release()

    def forget(self) -> None:
        """In a forked child: let go of what belongs to the parent."""
        if self.traffic.spool is not None:
            self.traffic.spool.forget()


def _spool_in(folder: Path, means: Means) -> Spool:
    return Spool(
        folder=folder,
        owner=means.random_bytes(OWNER_BYTES).hex(),
        bytes_max=means.limits.spool_bytes,
        rejected_bytes_max=means.limits.rejected_bytes,
    )
