"""What a provider in memory keeps: its books, slot by slot, and the identifiers it remembers."""

from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal

from tallystick.domain.publication import Answer
from tallystick.domain.quantity import ZERO
from tallystick.domain.slot import SlotKey


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the provider keeps of an identifier: when it came, what it was, what was answered."""

    at: int
    value: Decimal
    answer: Answer


@dataclass(slots=True)
class Booked:
    """One slot in the provider's books: its timestamp, and each total it had, since when."""

    timestamp: int
    since: list[int] = field(default_factory=list)
    totals: list[Decimal] = field(default_factory=list)

    def at(self, instant: int) -> Decimal:
        """The total as of an instant."""
        place = bisect_right(self.since, instant)
        return self.totals[place - 1] if place else ZERO


Line = tuple[str, str, str, str]
"""route, account, destination, counter."""


def line_at(slot: SlotKey) -> Line:
    """The line of the books that the slot is on."""
    return slot.route, slot.account, slot.destination, slot.counter
