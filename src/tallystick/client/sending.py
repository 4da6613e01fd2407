"""The sender's thread: from the spool (or memory) to the service, until it has acknowledged.

One request at a time. What was recorded first is sent first; files that dead clients left are
sent in turn with our own. A file is removed when every event in it is delivered or set aside.
"""

import gzip
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick.client.answers import (
    Delivered,
    Later,
    Patience,
    Refused,
    Transport,
    Unanswered,
    Verdict,
    backoff,
    judge,
)
from tallystick.client.limits import Limits
from tallystick.client.notices import Notices
from tallystick.client.spool import Heritage, Segment, Spool
from tallystick.client.traffic import FOREVER, Signal, Traffic

ZIPPED_FROM_BYTES: Final = 2 * 1024
TOLD_EVERY_SECONDS: Final = 10
HALVED_AFTER: Final = frozenset({3, 6, 9})
"""Failures in a row: perhaps the request is too much for a slow line or a service that is behind.
Not more often, since an outage is no reason to send each event by itself later."""

_KINDS: Final = (
    ("duplicate", "duplicates"),
    ("conflict", "conflicts"),
    ("dead_letter", "dead_letters"),
)
_log: Final = logging.getLogger("tallystick.client")


@dataclass(slots=True, eq=False)
class Batch:
    """What is sent next. `count` is how many of its events this client recorded."""

    events: Sequence[bytes]
    count: int = 0
    segment: Segment | None = None
    heritage: Heritage | None = None


class Sender:
    """Owns the connection, and all of the spool but the open file."""

    def __init__(
        self,
        traffic: Traffic,
        transport: Transport,
        notices: Notices,
        *,
        now: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        tell: Callable[[], None],
    ) -> None:
        self._traffic = traffic
        self._transport = transport
        self._notices = notices
        self._now = now
        self._random_bytes = random_bytes
        self._tell = tell
        self._held: Batch | None = None
        self._inherited: deque[Heritage] = deque()
        self._is_heirs_turn = False
        self._is_urgent = False
        self._adopt_at = 0.0
        self.is_ended = False

    def run(self) -> None:
        """Until `close`, and then until all is sent or its time is over."""
        while not self._is_over():
            self._tell()
            self._adopt()
            self._held = self._held or self._next()
            if self._held is None:
                self._await_work()
            elif not self._deliver(self._held):
                break
            else:
                self._held = None
        self._await_writer()
        self.end()

    @property
    def _limits(self) -> Limits:
        return self._traffic.limits

    def _is_over(self) -> bool:
        traffic = self._traffic
        if not traffic.is_closing:
            return False
        is_done = traffic.is_written and not (self._held or traffic.sealed or traffic.buffer)
        return is_done or traffic.seconds_left <= 0

    def _await_work(self) -> None:
        patience = min(self._limits.adopt_every_seconds, max(0.0, self._traffic.seconds_left))
        signal = self._traffic.sender.wait(patience)
        self._is_urgent = signal in (Signal.FLUSH, Signal.CLOSE)

    # What is next.

    def _next(self) -> Batch | None:
        is_heirs_turn, self._is_heirs_turn = self._is_heirs_turn, not self._is_heirs_turn
        own = None if is_heirs_turn and self._inherited else self._next_own()
        return own or self._next_inherited()

    def _next_own(self) -> Batch | None:
        traffic = self._traffic
        if traffic.sealed:
            return self._next_sealed(traffic.sealed[0])
        if not traffic.buffer.is_direct or not traffic.buffer:
            return None
        is_small = len(traffic.buffer) < self._limits.batch_events
        if is_small and not self._is_urgent and not traffic.is_closing:
            self._is_urgent = traffic.sender.linger(self._limits.interval_seconds) is not None
        lines = traffic.buffer.take(self._limits.batch_events, self._limits.batch_bytes)
        return Batch(lines, len(lines)) if lines else None

    def _next_sealed(self, segment: Segment) -> Batch | None:
        batch = self._read(segment)
        if batch is None:
            # Nothing may wait for it any more; the file, if there still is one, stays.
            self._traffic.sealed.popleft()
            self._traffic.counts.add(dropped=segment.count)
            self._traffic.buffer.settle(segment.count)
        return batch

    def _next_inherited(self) -> Batch | None:
        if not self._inherited or self._traffic.is_closing:
            return None
        heritage = self._inherited[0]
        batch = self._read(heritage.segments[0], heritage)
        if batch is None:
            self._leave_heritage(heritage)
        else:
            self._traffic.counts.add(adopted=len(batch.events))
        return batch

    def _leave_heritage(self, heritage: Heritage) -> None:
        """On to its next file; after the last one its lock goes."""
        heritage.segments.pop(0)
        if not heritage.segments:
            self._spool.bury(self._inherited.popleft())

    def _read(self, segment: Segment, heritage: Heritage | None = None) -> Batch | None:
        """The file as a batch; None, loudly, where it cannot be read."""
        try:
            contents = self._spool.read(segment)
        except OSError as error:
            _log.error("%s cannot be read, and waits for a person: %s", segment.path, error)
            return None
        if contents.damaged:
            self._traffic.counts.add(damaged=len(contents.damaged))
            self._set_aside(contents.damaged, "damaged in the spool")
        return Batch(contents.events, segment.count, segment, heritage)

    @property
    def _spool(self) -> Spool:
        spool = self._traffic.spool
        if spool is None:
            raise RuntimeError("there are no files without a spool")
        return spool

    def _adopt(self) -> None:
        now = time.monotonic()
        if self._traffic.spool is None or now < self._adopt_at or self._traffic.is_closing:
            return
        self._adopt_at = now + self._limits.adopt_every_seconds
        try:
            self._inherited.extend(self._spool.adopt())
        except OSError as error:
            _log.error("The spool %s cannot be searched: %s", self._spool.folder, error)

    # Sending it.

    def _deliver(self, batch: Batch) -> bool:
        """Send until nothing of the batch is left; False where the time for that is over."""
        parts = [batch.events] if batch.events else []
        failures = 0
        while parts:
            verdict = self._sent(parts[-1])
            if isinstance(verdict, Later):
                failures += 1
                batch.events = [event for part in parts for event in part]
                if not self._waited(verdict, failures, batch):
                    return False
                if failures in HALVED_AFTER:
                    parts += _halves(parts.pop())
                continue
            part = parts.pop()
            if isinstance(verdict, Delivered):
                self._count(verdict, len(part))
                failures = 0
            else:
                parts += self._without_refused(part, verdict)
        self._done(batch)
        return True

    def _sent(self, events: Sequence[bytes]) -> Verdict:
        body = b"[" + b",".join(events) + b"]"
        headers = {"Content-Type": "application/json"}
        if len(body) >= ZIPPED_FROM_BYTES:
            body = gzip.compress(body, compresslevel=6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        try:
            answer = self._transport(body, headers)
        except Unanswered as error:
            return Later(f"no answer: {error}")
        return judge(answer, len(events), now=self._now() / 1_000_000_000, limits=self._limits)

    def _count(self, delivered: Delivered, number: int) -> None:
        kinds = {name: delivered.kinds.get(kind, 0) for kind, name in _KINDS}
        self._traffic.counts.add(delivered=number, **kinds)
        self._traffic.is_away = False
        self._notices.came_back()

    def _without_refused(self, events: Sequence[bytes], refused: Refused) -> list[Sequence[bytes]]:
        """What is to be sent again, once those that were refused are set aside."""
        blamed = refused.blamed or (frozenset({0}) if len(events) == 1 else frozenset())
        if not blamed:
            return _halves(events)
        self._set_aside([events[index] for index in sorted(blamed)], refused.reason)
        self._traffic.counts.add(rejected=len(blamed))
        rest = [event for index, event in enumerate(events) if index not in blamed]
        return [rest] if rest else []

    def _set_aside(self, events: Sequence[bytes], reason: str) -> None:
        """Into the rejected file; where there is no room or no file, into the log."""
        kept = 0
        if self._traffic.spool is not None:
            try:
                kept = self._spool.set_aside([(event, reason) for event in events])
            except OSError as error:
                _log.error("The rejected file cannot be written: %s", error)
        for event in events[kept:]:
            _log.error("Set aside (%s): %s", reason, event[:2_000].decode("utf-8", "replace"))

    def _done(self, batch: Batch) -> None:
        """Nothing of the batch is needed any more."""
        if batch.segment is not None:
            try:
                self._spool.remove(batch.segment)
            except OSError as error:
                _log.error("%s stays, and will be sent again: %s", batch.segment.path, error)
        if batch.heritage is not None:
            self._leave_heritage(batch.heritage)
        elif batch.segment is not None:
            self._traffic.sealed.popleft()
        self._tell()  # before a caller of `flush` goes on
        self._traffic.buffer.settle(batch.count)

    # Waiting.

    def _waited(self, later: Later, failures: int, batch: Batch) -> bool:
        """Wait as the answer asks; False where `close` cannot wait so long."""
        self._traffic.counts.failed(later.reason)
        if failures > 1 or later.patience is not Patience.BACKOFF:
            # A single failure may be a connection that was kept open for too long.
            self._notices.failed(later, self._traffic.buffer.waiting)
        self._went_away()
        self._tell()
        seconds = self._seconds_until_retry(later, failures)
        while seconds > 0:
            left = self._traffic.seconds_left
            if self._traffic.is_closing and batch.segment is not None:
                return False  # what is in a file loses nothing by staying there
            if left <= 0:
                return False
            began = time.monotonic()
            signal = self._traffic.sender.linger(min(seconds, left, TOLD_EVERY_SECONDS))
            seconds -= time.monotonic() - began
            self._tell()
            if signal is not None and later.patience is Patience.BACKOFF:
                break
        return self._traffic.seconds_left > 0

    def _seconds_until_retry(self, later: Later, failures: int) -> float:
        if later.patience is Patience.TOLD:
            return later.seconds
        if later.patience is Patience.DENIED:
            return self._limits.denied_seconds
        return backoff(failures, self._random_bytes(4), self._limits)

    def _went_away(self) -> None:
        """From now on the writer syncs what it writes; what it wrote before is synced here."""
        if self._traffic.is_away or self._traffic.spool is None:
            return
        self._traffic.is_away = True
        for segment in tuple(self._traffic.sealed):
            try:
                self._spool.make_durable(segment)
            except OSError as error:
                _log.error("%s cannot be synced: %s", segment.path, error)

    # The end.

    def _await_writer(self) -> None:
        """Memory and the open file are the writer's until it has done its last, which takes no
        network: two hands in them would write events twice, or lose them."""
        while not self._traffic.is_written:
            self._traffic.sender.wait(FOREVER)

    def end(self) -> None:
        """What is only in memory goes to the spool, or is counted as lost. Also for a client that
        was never given a thread, or whose thread a bug has ended."""
        self.is_ended = True
        traffic = self._traffic
        traffic.buffer.hand_to_sender()
        rest = self._held_in_memory()
        rest += traffic.buffer.take(len(traffic.buffer), 1 << 62)
        if rest and not self._is_spooled(rest):
            traffic.is_lossy = True
            traffic.counts.add(dropped=len(rest))
            traffic.buffer.settle(len(rest))
        if traffic.spool is not None:
            traffic.spool.release()
        self._notices.left(traffic.buffer.waiting, traffic.spool.folder if traffic.spool else None)
        self._tell()

    def _held_in_memory(self) -> list[bytes]:
        """What is left of a batch that is in no file; the rest of it was delivered."""
        held, self._held = self._held, None
        if held is None or held.segment is not None:
            return []
        self._traffic.buffer.settle(held.count - len(held.events))
        return list(held.events)

    def _is_spooled(self, events: Sequence[bytes]) -> bool:
        if self._traffic.spool is None:
            return False
        try:
            self._spool.append(events, is_durable=True)
            self._spool.seal(is_durable=True)
        except OSError as error:
            _log.error("The spool %s cannot be written: %s", self._spool.folder, error)
            return False
        return True


def _halves(events: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The second half and the first, which comes next; one event stays as it is."""
    half = len(events) // 2
    return [part for part in (events[half:], events[:half]) if part]
