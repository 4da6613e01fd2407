"""Keeping to Stripe's limits: calls per second, and one call in flight per customer and meter."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import MINUTE, SECOND
from tallystick.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Calls per second that this process may make. The defaults are those of a live account
    (docs.stripe.com/rate-limits); other processes on the same account share its limits."""

    meter_events: int = 1_000
    usage_records: int = 100
    reads: int = 25

    def __post_init__(self) -> None:
        if min(self.meter_events, self.usage_records, self.reads) < 1:
            raise InvalidSetting("a rate must allow at least one call per second")


TEST_MODE: Final = Rates(meter_events=25, usage_records=25, reads=25)
"""In a sandbox of Stripe's everything counts to the basic limit of 25 operations a second."""


class Pace:
    """A token bucket: in no second more than `per_second` calls; what was saved up is 1/20."""

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._clock = clock
        burst = max(1, per_second // 20)
        self._interval = SECOND // max(1, per_second - burst)
        self._saved_up = (burst - 1) * self._interval
        self._lock = threading.Lock()
        self._next = clock.now() - self._saved_up

    def wait(self, deadline: int) -> bool:
        """Wait for this call's turn; False, at once, where it would come after the deadline."""
        with self._lock:
            now = self._clock.now()
            if self._next > now + MINUTE:
                # The clock was set back: the old schedule means nothing any more.
                self._next = now
            turn = max(self._next, now - self._saved_up)
            if max(turn, now) >= deadline:
                return False
            self._next = turn + self._interval
        if turn > now:
            self._clock.sleep(turn - now)
        return True

    def hold_back(self, microseconds: int) -> None:
        """Let nobody go for a while: Stripe said that we are too fast."""
        with self._lock:
            until = self._clock.now() + min(microseconds, MINUTE)
            self._next = max(self._next, until)


class Turns:
    """One call at a time for each key; the others wait for it to end."""

    def __init__(self) -> None:
        self._taken: set[Hashable] = set()
        self._freed = threading.Condition()

    @contextmanager
    def of(self, key: Hashable) -> Iterator[None]:
        with self._freed:
            while key in self._taken:
                self._freed.wait()
            self._taken.add(key)
        try:
            yield
        finally:
            with self._freed:
                self._taken.discard(key)
                self._freed.notify_all()
