"""What the client says in the log `tallystick.client`: loudly, and not over and over.

Only threads of the client log, never `record`: a slow log cannot hold up its caller. After `close`
there is no thread left, and whoever records still is told at once.
"""

import logging
import time
from pathlib import Path
from typing import Final

from tallystick.client.answers import Later, Patience
from tallystick.client.counts import Stats

REPEATED_SECONDS: Final = 60.0

_log: Final = logging.getLogger("tallystick.client")

# What a person has to know of, as soon as there is more of it.
_LOUD: Final = (
    (
        "dropped",
        logging.ERROR,
        "%d more events are LOST (%d in all): memory had no room, the disk or service took none.",
    ),
    ("refused", logging.ERROR, "%d more calls of record() (%d in all) were no events."),
    ("conflicts", logging.ERROR, "%d more events (%d in all) have the key of another event."),
    (
        "dead_letters",
        logging.ERROR,
        "%d more events (%d in all) cannot be counted: see `tallystick dead-letters list`.",
    ),
    ("rejected", logging.ERROR, "%d more events (%d in all) were refused for good."),
    ("damaged", logging.ERROR, "%d more lines of the spool (%d in all) were damaged."),
)


class Notices:
    """Remembers what was said, for one thread."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._said: dict[str, int] = {}
        self._away_since: float | None = None
        self._away_said = 0.0
        self._away_reason = ""

    def tell(self, stats: Stats, refusals: list[str]) -> None:
        """Say what there is more of since the last time."""
        for reason in refusals:
            _log.error("record() refused: %s", reason)
        for name, level, text in _LOUD:
            number = getattr(stats, name)
            more = number - self._said.get(name, 0)
            if more > 0:
                self._said[name] = number
                _log.log(level, text, more, number)

    def failed(self, later: Later, waiting: int) -> None:
        """The service did not take events: said at once, and then once a minute."""
        now = time.monotonic()
        is_new = self._away_since is None or later.reason != self._away_reason
        if self._away_since is None:
            self._away_since = now
        if is_new or now - self._away_said >= REPEATED_SECONDS:
            self._away_said, self._away_reason = now, later.reason
            level = logging.ERROR if later.patience is Patience.DENIED else logging.WARNING
            text = "%s does not take events: %s. %d wait for it, since %.0f s."
            _log.log(level, text, self._service, later.reason, waiting, now - self._away_since)

    def left(self, waiting: int, spool: Path | None) -> None:
        """What the end finds undelivered."""
        if waiting and spool is not None:
            text = "%d events are left in the spool %s, for the next client there."
            _log.warning(text, waiting, spool)
        elif waiting:
            text = "%d events are LOST, unless the service takes the request that is under way."
            _log.error(text, waiting)

    def came_back(self) -> None:
        if self._away_since is not None:
            seconds = time.monotonic() - self._away_since
            _log.warning("%s takes events again, after %.0f s.", self._service, seconds)
            self._away_since = None
