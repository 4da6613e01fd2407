"""The writer's thread: from memory into the spool, at most `linger_seconds` after `record`.

It waits for nothing but the disk, so that what a `kill -9` can cost does not depend on the
network. Where the disk refuses, the sender takes the events from memory until it does not.
"""

import logging
import time
from typing import Final

from tallystick.client.limits import Limits
from tallystick.client.spool import Spool
from tallystick.client.traffic import FOREVER, Signal, Traffic

_log: Final = logging.getLogger("tallystick.client")


class Writer:
    """Owns the open file of the spool."""

    def __init__(self, traffic: Traffic, spool: Spool) -> None:
        self._traffic = traffic
        self._spool = spool
        self._opened_at = 0.0
        self._retry_at = 0.0
        self._is_refused = False

    def run(self) -> None:
        """Until `close`, and then once more. Whoever starts it says before that it is not done."""
        try:
            self._write_on()
            self._retry_at = 0
            self._write(is_urgent=True)
        finally:
            # Also where a bug has ended it: the sender waits for this before it puts away the rest.
            self._traffic.is_written = True
            self._traffic.sender.put(Signal.CLOSE)

    def _write_on(self) -> None:
        traffic = self._traffic
        while not traffic.is_closing:
            signal = traffic.writer.wait(self._patience())
            if signal is Signal.WORK and len(traffic.buffer) < traffic.limits.batch_events:
                signal = traffic.writer.linger(traffic.limits.linger_seconds)
            self._write(is_urgent=signal in (Signal.FLUSH, Signal.CLOSE))
            if signal is Signal.FLUSH:
                traffic.sender.put(Signal.FLUSH)

    @property
    def _limits(self) -> Limits:
        return self._traffic.limits

    @property
    def _is_durable(self) -> bool:
        """Whether a power cut must not take what is written: it will stay there for a while."""
        return self._traffic.is_away or self._traffic.is_closing

    def _patience(self) -> float:
        """How long there is nothing to do unless somebody says so."""
        if self._is_refused:
            return self._limits.spool_retry_seconds
        return self._limits.interval_seconds if self._spool.open_count else FOREVER

    def _write(self, *, is_urgent: bool) -> None:
        """Everything that is in memory, into files; complete files are handed to the sender."""
        if self._is_refused and time.monotonic() < self._retry_at:
            self._traffic.sender.poke()
            return
        self._traffic.buffer.hand_to_writer()
        try:
            self._spool_buffer()
        except OSError as error:
            self._leave_to_sender(error)
            return
        if self._is_refused:
            self._is_refused = False
            _log.warning("The spool %s takes events again.", self._spool.folder)
        if is_urgent or (not self._traffic.sealed and self._is_ripe()):
            self._seal()

    def _spool_buffer(self) -> None:
        buffer, limits = self._traffic.buffer, self._limits
        while lines := buffer.first(limits.batch_events, limits.batch_bytes):
            if not self._has_room_for(lines):
                self._seal()
            if not self._spool.open_count:
                self._opened_at = time.monotonic()
            self._spool.append(lines, is_durable=self._is_durable)
            buffer.remove(len(lines))

    def _has_room_for(self, lines: list[bytes]) -> bool:
        size = self._spool.open_size + sum(map(len, lines))
        count = self._spool.open_count + len(lines)
        return size <= self._limits.batch_bytes and count <= self._limits.batch_events

    def _is_ripe(self) -> bool:
        return time.monotonic() - self._opened_at >= self._limits.interval_seconds

    def _seal(self) -> None:
        segment = self._spool.seal(is_durable=self._is_durable)
        if segment is not None:
            self._traffic.sealed.append(segment)
            self._traffic.sender.poke()

    def _leave_to_sender(self, error: OSError) -> None:
        """The files first, since they hold the older events; then memory is the sender's."""
        self._seal()
        self._traffic.buffer.hand_to_sender()
        self._retry_at = time.monotonic() + self._limits.spool_retry_seconds
        self._traffic.sender.poke()
        if not self._is_refused:
            self._is_refused = True
            _log.error(
                "The spool %s takes no events (%s): they stay in memory, and are lost if this "
                "process ends before the service has them.",
                self._spool.folder,
                error,
            )
