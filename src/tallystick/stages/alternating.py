"""Alternate: in which order slots are told, so that who is far behind holds nobody else up.

A pass goes through what is due in rounds, a page at a time. In a round each customer has a share of
every meter, and what is beyond it waits for the next one, in which shares are twice as large. So
after the first round whoever is not behind is done, and the number of rounds is the logarithm of
the longest arrears. Nothing is kept but one count.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tallystick.domain.slot import SlotKey
from tallystick.ports import Due

SHARE: Final = 32
"""So many slots of one customer and meter are told in the first round: more than a day's."""

Lane = tuple[str, str, str, str]
"""Whose calls follow one another: those of one customer and meter."""


@dataclass(slots=True)
class Share:
    """How much each customer may have told of each meter in one round; `left_out` is how many
    slots wait for the next. They come in order of key, so that those of a lane follow one another.
    """

    limit: int = SHARE
    left_out: int = 0
    _lane: Lane | None = None
    _taken: int = 0

    def takes(self, slot: SlotKey) -> bool:
        """Whether the lane's next slot has a place in this round."""
        lane = _lane_of(slot)
        if lane != self._lane:
            self._lane, self._taken = lane, 0
        self._taken += 1
        has_place = self._taken <= self.limit
        self.left_out += not has_place
        return has_place


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


def _lane_of(slot: SlotKey) -> Lane:
    return slot.route, slot.account, slot.destination, slot.counter
