"""Sandbox time: whole UTC seconds that stand still until moved, or follow the wall clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

LATEST = 4_102_444_800  # the year 2100: beyond it a date is a mistake


def wall_clock() -> float:
    """The only reading of real time in the sandbox."""
    return time.time()


class Clock:
    """Moves forwards only: a billing period that closed must stay closed."""

    def __init__(self, now: int | None, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._free_running = now is None
        self._now = int(wall()) if now is None else now

    @property
    def free_running(self) -> bool:
        """True until somebody sets the time."""
        return self._free_running

    def now(self) -> int:
        """The current second; a wall clock that steps back is not followed."""
        if self._free_running:
            self._now = max(self._now, int(self._wall()))
        return self._now

    def move_to(self, at: int) -> None:
        """Fix the time at a later or equal second; ValueError when it lies in the past."""
        now = self.now()
        if at > LATEST:
            raise ValueError(f"sandbox time ends at {LATEST}")
        if at < now:
            raise ValueError(f"sandbox time cannot go back from {now} to {at}")
        self._free_running = False
        self._now = at


def rfc3339(at: int) -> str:
    """The second as Stripe's v2 API writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def seconds_from_rfc3339(text: str) -> int:
    """The UTC second named by an RFC 3339 text; ValueError when it names none."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return int(instant.timestamp())
