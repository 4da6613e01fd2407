"""What this server counted lately, second by second, and where. Kept in memory, for who watches.

It begins at nothing with each start, and knows only of this process; the store knows everything.
"""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.instant import SECOND
from tallystick.domain.meter import WHOLE
from tallystick.ports import Recorded
from tallystick.stages.ingesting import Outcome, kinds_of

SECONDS_KEPT: Final = 60
PLACES_KEPT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The last minute as of one moment.

    seconds   reports answered in each of the last SECONDS_KEPT whole seconds, the newest last
    totals    reports answered since the start, by what became of them
    places    the Aggregates that were touched last, the newest first
    """

    seconds: tuple[int, ...]
    totals: Counter[str]
    places: tuple[AggregateKey, ...]


class Pulse:
    """Written by the one thread that counts, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: deque[tuple[int, int]] = deque(maxlen=SECONDS_KEPT + 1)
        self._totals: Counter[str] = Counter()
        self._places: OrderedDict[AggregateKey, None] = OrderedDict()

    def note(self, outcomes: Sequence[Outcome], now: int) -> None:
        """What one call of the store made of its reports."""
        kinds, places = kinds_of(outcomes), _touched(outcomes)
        second = now // SECOND
        with self._lock:
            self._totals += kinds
            before = self._seconds.pop() if self._seconds else (second, 0)
            if before[0] != second:
                self._seconds.append(before)
                before = (second, 0)
            self._seconds.append((second, before[1] + len(outcomes)))
            for place in places:
                self._places[place] = None
                self._places.move_to_end(place)
            while len(self._places) > PLACES_KEPT:
                self._places.popitem(last=False)

    def beat(self, now: int) -> Beat:
        """The last whole seconds before `now`; the running one is not over."""
        with self._lock:
            by_second, totals = dict(self._seconds), Counter(self._totals)
            places = tuple(reversed(self._places))
        last = now // SECOND
        seconds = range(last - SECONDS_KEPT, last)
        return Beat(
            seconds=tuple(by_second.get(second, 0) for second in seconds),
            totals=totals,
            places=places,
        )


def _touched(outcomes: Sequence[Outcome]) -> list[AggregateKey]:
    """The last few whole Aggregates that changed, the newest last."""
    found: OrderedDict[AggregateKey, None] = OrderedDict()
    for outcome in reversed(outcomes):
        if isinstance(outcome, Recorded):
            found.update((key, None) for key in outcome.aggregates if key.group == WHOLE)
        if len(found) >= PLACES_KEPT:
            break
    return list(reversed(found))[-PLACES_KEPT:]
