"""How often one key may ask in a second; so that one caller's loop does not take all from others.

Of each key one instant is kept: when it will have used up what it took. A key that was quiet may
take a second's worth at once.
"""

from typing import Final

from tallystick.domain.instant import SECOND
from tallystick.entrypoints.http.problems import Problem

KEYS_MAX: Final = 4_096
"""Beyond so many keys at once, those that used up all are forgiven."""


class Pace:
    """The rate of each key, by this process. `per_second` 0: as often as they like."""

    def __init__(self, per_second: int) -> None:
        self._apart = SECOND // per_second if per_second else 0
        self._used_up: dict[str, int] = {}

    def check(self, key_id: str, now: int) -> None:
        """Take one request's worth; the problem says when there is some again."""
        if not self._apart:
            return
        wait = self._wait(key_id, now)
        if wait > 0:
            raise too_often(wait)

    def _wait(self, key_id: str, now: int) -> int:
        """Microseconds until the key may ask again; 0 where it may, and has, now."""
        before = self._used_up.get(key_id, now)
        if not now <= before <= now + SECOND:  # long ago, or the clock was set back
            before = now
        after = before + self._apart
        if after > now + SECOND:
            return after - now - SECOND
        if key_id not in self._used_up and len(self._used_up) >= KEYS_MAX:
            self._forget(now)
        self._used_up[key_id] = after
        return 0

    def _forget(self, now: int) -> None:
        busy = {key: at for key, at in self._used_up.items() if now < at}
        self._used_up = busy if len(busy) < KEYS_MAX else {}


def too_often(wait: int) -> Problem:
    detail = "this key asks more often than TALLYSTICK_KEY_RATE allows; nothing was done"
    headers = {"Retry-After": str(-(-wait // SECOND))}
    return Problem(status=429, kind="too-often", detail=detail, headers=headers)
