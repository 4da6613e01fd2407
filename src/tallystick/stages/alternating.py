"""Alternate: in which order slots are told, so that who is far behind holds nobody else up.

With each page of what is due, every customer has a share of each of its meters. What is beyond it
waits and is told among the slots of the next pages, a share with each; so long arrears neither come
first nor are left to be told alone, one call after the other. What waits is bounded; the rest is
left to the pass's next round, in which shares are twice as large.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallystick.domain.slot import SlotKey
from tallystick.ports import PAGE, Due

SHARE: Final = 64
"""So many slots of one customer and meter are told with a page, in the first round."""

Lane = tuple[str, str, str, str]
"""Whose calls follow one another: those of one customer and meter."""


@dataclass(slots=True)
class Shares:
    """What is told with each page of one round, and what waits for a later one: at most a page."""

    limit: int = SHARE
    left_to_next_round: int = 0
    _waiting: tuple[Due, ...] = ()

    @property
    def left_out(self) -> int:
        """How many slots have not had their turn in this round."""
        return self.left_to_next_round + len(self._waiting)

    def with_page(self, due: Iterable[Due]) -> list[Due]:
        """What is told now: of what waits and of the page each lane's share, in a fair order."""
        taken = Counter[Lane]()
        told: list[Due] = []
        waiting: list[Due] = []
        for one in (*self._waiting, *due):
            lane = _lane_of(one.slot.key)
            taken[lane] += 1
            (told if taken[lane] <= self.limit else waiting).append(one)
        self._waiting = tuple(waiting[:PAGE])
        self.left_to_next_round += len(waiting) - len(self._waiting)
        return spread(told)


def in_turn(due: Iterable[Due]) -> list[Due]:
    """The same slots: the first of every lane, then the second of every lane, and so on, since a
    provider takes one call of a lane at a time, and senders of one would wait for each other."""
    seen = Counter[Lane]()
    turns: list[tuple[int, Due]] = []
    for one in due:
        lane = _lane_of(one.slot.key)
        seen[lane] += 1
        turns.append((seen[lane], one))
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])]


def spread(due: Iterable[Due]) -> list[Due]:
    """The same in turn, but where lanes of one slot are the most, the others' are told among these:
    else the senders would end with a few long lanes, and most of them idle."""
    turns = in_turn(due)
    slots_of = Counter(_lane_of(one.slot.key) for one in turns)
    single = [one for one in turns if slots_of[_lane_of(one.slot.key)] == 1]
    others = [one for one in turns if slots_of[_lane_of(one.slot.key)] > 1]
    if len(others) >= len(single):
        return turns
    # Each stands at its share of the way through its own list.
    places = [(n * len(others), one) for n, one in enumerate(single, 1)]
    places += [(n * len(single), one) for n, one in enumerate(others, 1)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]


def _lane_of(slot: SlotKey) -> Lane:
    return slot.route, slot.account, slot.destination, slot.counter
