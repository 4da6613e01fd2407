"""The one place that reads the time of day. Everything else takes an instant, or a Clock."""

import time
from dataclasses import dataclass
from typing import Final

NANOSECONDS_PER_MICROSECOND: Final = 1_000


def seconds() -> float:
    """On a clock that only goes forward, from anywhere: for how long something took, not when."""
    return time.perf_counter()


@dataclass(frozen=True, slots=True)
class SystemClock:
    """This machine's clock."""

    def now(self) -> int:
        return time.time_ns() // NANOSECONDS_PER_MICROSECOND

    def sleep(self, microseconds: int) -> None:
        time.sleep(max(0, microseconds) / 1_000_000)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands at one instant (`--at`); it moves only while somebody sleeps."""

    at: int

    def now(self) -> int:
        return self.at

    def sleep(self, microseconds: int) -> None:
        self.at += max(0, microseconds)
