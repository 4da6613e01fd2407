"""The hourly loop: a pass soon after each hour's end, a few early ones shortly before it, and more
while something is still due. It catches up first, and may run beside another on one store.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tallystick.domain.errors import InvariantViolated, StoreLost, TallystickError
from tallystick.domain.instant import HOUR, MINUTE, SECOND, floor_hour
from tallystick.entrypoints.logs import note
from tallystick.ports import Clock

EARLY: Final = (50 * MINUTE, 55 * MINUTE, 58 * MINUTE)
"""Into the hour. Where a bill takes nothing after its end, its last window is sealed in these; the
last leaves the time that a sender needs before that end."""

AGAIN: Final = 5 * MINUTE
"""How soon what is still due, or failed, is tried again."""

LOOK_AT_CLOCK: Final = 20 * SECOND
"""A machine that slept, or whose clock was set, is noticed within this time."""

STOP_SECONDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What one pass did.

    counts    how many of what, by words that are the same in every pass
    trouble   what a person should know of, though the pass went through
    again     something is still due
    """

    counts: Mapping[str, int]
    trouble: Mapping[str, str] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What the loop has done since it began; durations in microseconds."""

    done: int = 0
    failed: int = 0
    took: int = 0
    last_took: int = 0
    last_done_at: int | None = None
    counts: Counter[str] = field(default_factory=Counter)


def next_pass(after: int, grace: int, *, again: bool) -> int:
    """When the next pass is, the last one having begun at `after`."""
    hour = floor_hour(after)
    planned = [start + at for start in (hour, hour + HOUR) for at in (grace, *EARLY)]
    following = min(at for at in planned if at > after)
    return min(following, after + AGAIN) if again else following


class HourlyLoop:
    """Runs passes in a thread of its own. `on_lost` is told where the process has to end."""

    def __init__(
        self,
        one_pass: Callable[[], Passed],
        clock: Clock,
        *,
        grace: int,
        on_lost: Callable[[StoreLost], None],
    ) -> None:
        self._one_pass = one_pass
        self._clock = clock
        self._grace = grace
        self._on_lost = on_lost
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hourly loop", daemon=True)
        self._trouble = ""
        self._passes = Passes()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no further pass, and wait a while for one under way: a pass may be cut anywhere."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def trouble(self) -> str:
        """What went wrong in the last pass; nothing where all was well."""
        if not self._trouble and not self._stopping.is_set() and not self._thread.is_alive():
            return "it has ended; start this server again"
        return self._trouble

    def passes(self) -> Passes:
        return self._passes

    def _run(self) -> None:
        due_at = self._clock.now()
        while not self._stopping.is_set():
            now = self._clock.now()
            if now < due_at <= now + HOUR + self._grace:
                self._stopping.wait(min(due_at - now, LOOK_AT_CLOCK) / SECOND)
                continue
            due_at = next_pass(now, self._grace, again=self._passed(now))

    def _passed(self, begun_at: int) -> bool:
        """One pass; whether another is wanted soon."""
        try:
            passed = self._one_pass()
        except StoreLost as error:
            self._failed(begun_at, "the store is lost; this process ends", error)
            self._stopping.set()
            self._on_lost(error)
            return False
        except InvariantViolated as error:
            # Nothing is written after this: a person has to look, and start it again.
            self._failed(begun_at, "a promise of this program is broken; no further pass", error)
            self._stopping.set()
            return False
        except TallystickError as error:
            self._failed(begun_at, "the last pass failed", error)
            return True
        except Exception as error:  # noqa: BLE001  # the outermost loop: reported, and tried again
            self._failed(begun_at, "the last pass failed by a bug", error)
            return True
        self._done(begun_at, passed)
        return passed.again

    def _done(self, begun_at: int, passed: Passed) -> None:
        self._trouble = ""
        now, before = self._clock.now(), self._passes
        took = max(0, now - begun_at)
        self._passes = replace(
            before,
            done=before.done + 1,
            took=before.took + took,
            last_took=took,
            last_done_at=now,
            counts=before.counts + Counter(passed.counts),
        )
        level = logging.WARNING if passed.trouble else logging.INFO
        told = {name: count for name, count in passed.counts.items() if count}
        note(level, "pass", seconds=took / SECOND, **told, **passed.trouble)

    def _failed(self, begun_at: int, trouble: str, error: Exception) -> None:
        """The words for whoever asks are ours; the error's own go to the log only."""
        self._trouble = trouble
        took = max(0, self._clock.now() - begun_at)
        passes = self._passes
        self._passes = replace(
            passes, failed=passes.failed + 1, took=passes.took + took, last_took=took
        )
        told = f"{type(error).__name__}: {error}"
        note(logging.ERROR, trouble, seconds=took / SECOND, error=told)
