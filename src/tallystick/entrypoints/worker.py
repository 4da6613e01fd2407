"""The hourly loop: a pass soon after each hour's end, a few early ones shortly before it, and more
while something is still due. It catches up first, and may run beside another on one store.
"""

import json
import sys
import threading
from collections.abc import Callable
from typing import Final

from tallystick.domain.errors import InvariantViolated, TallystickError
from tallystick.domain.instant import HOUR, MINUTE, SECOND, floor_hour
from tallystick.ports import Clock

EARLY: Final = (50 * MINUTE, 55 * MINUTE, 58 * MINUTE)
"""Into the hour. Where a bill takes nothing after its end, its last window is sealed in these; the
last leaves the time that a sender needs before that end."""

AGAIN: Final = 5 * MINUTE
"""How soon what is still due, or failed, is tried again."""

LOOK_AT_CLOCK: Final = 20 * SECOND
"""A machine that slept, or whose clock was set, is noticed within this time."""

STOP_SECONDS: Final = 20


def next_pass(after: int, grace: int, *, again: bool) -> int:
    """When the next pass is, the last one having begun at `after`."""
    hour = floor_hour(after)
    planned = [start + at for start in (hour, hour + HOUR) for at in (grace, *EARLY)]
    following = min(at for at in planned if at > after)
    return min(following, after + AGAIN) if again else following


class HourlyLoop:
    """Runs passes in a thread of its own. `one_pass` says whether something is still due."""

    def __init__(self, one_pass: Callable[[], bool], clock: Clock, *, grace: int) -> None:
        self._one_pass = one_pass
        self._clock = clock
        self._grace = grace
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hourly loop", daemon=True)
        self._trouble = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no further pass, and wait a while for one under way: a pass may be cut anywhere."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def trouble(self) -> str:
        """What went wrong in the last pass; nothing where all was well."""
        return self._trouble

    def _run(self) -> None:
        due_at = self._clock.now()
        while not self._stopping.is_set():
            now = self._clock.now()
            if now < due_at <= now + HOUR + self._grace:
                self._stopping.wait(min(due_at - now, LOOK_AT_CLOCK) / SECOND)
                continue
            due_at = next_pass(now, self._grace, again=self._passed())

    def _passed(self) -> bool:
        """One pass; whether another is wanted soon."""
        try:
            again = self._one_pass()
        except InvariantViolated as error:
            # Nothing is written after this: a person has to look, and start it again.
            self._note("a promise of this program is broken; no further pass is made", error)
            self._stopping.set()
            return False
        except TallystickError as error:
            self._note("the last pass failed", error)
            return True
        except Exception as error:  # noqa: BLE001  # the outermost loop: reported, and tried again
            self._note("the last pass failed by a bug", error)
            return True
        self._trouble = ""
        return again

    def _note(self, trouble: str, error: Exception) -> None:
        """The words for whoever asks are ours; the error's own go to the log only."""
        self._trouble = trouble
        line = {"event": trouble, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(line), file=sys.stderr, flush=True)
