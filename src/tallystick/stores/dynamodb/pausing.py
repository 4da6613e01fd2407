"""How long to wait before the next try: full jitter over a doubling bound."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FIRST_SECONDS: Final = 0.004
LONGEST_SECONDS: Final = 1.0


@dataclass(slots=True)
class Pausing:
    """Waits between tries. `chance` gives a number in [0, 1) each time."""

    chance: Callable[[], float]
    longest: float = LONGEST_SECONDS
    _ended: threading.Event = field(default_factory=threading.Event)

    def pause(self, turn: int) -> None:
        bound = min(self.longest, FIRST_SECONDS * 2 ** min(turn, 16))
        self._ended.wait(self.chance() * bound)

    def rest(self, seconds: float) -> None:
        """Wait about so long: at least half of it, and no more than `longest`."""
        self._ended.wait(min(self.longest, seconds) * (1 + self.chance()) / 2)
