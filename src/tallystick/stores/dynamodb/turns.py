"""Turns: who writes next to an Aggregate where several writers meet.

Each write is on the condition of what was read, so of several writers one gets on and the others
have paid for nothing. Who was refused by an Aggregate draws a ticket of it, and so does everybody
who sees there that others wait, until it is alone again; each writes when the one before has. Both
numbers, the last ticket drawn and the last served, lie in the Aggregate's own item: what is read
anyway says whether somebody waits, and the write itself passes the turn on.

A turn is advice, and nothing that is promised rests on it: the conditions decide what is counted,
as ever. So a ticket whose holder died is passed over, and where two write at once one is refused.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tallystick.domain.aggregate import AggregateKey
from tallystick.stores.dynamodb.event_rows import DRAWN, SERVED, Line
from tallystick.stores.dynamodb.known import Known
from tallystick.stores.dynamodb.layout import aggregate_place
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Refused, Table, Write

TURN_SECONDS: Final = 0.02
"""A turn is a look and a write, and hardly takes less. Who has others ahead looks no sooner."""

NEXT_SECONDS: Final = 0.004
"""So often looks whose turn is next."""

LOOKS_ALIKE: Final = 4
"""After so many looks in which nothing moved, the pause between them doubles."""

LOOKS_MAX: Final = 24
"""So often the next in line looks, and nothing moves, before it passes over who is before it: about
three quarters of a second, many times what a turn takes."""

LOOKS_MORE: Final = 2
"""So much oftener looks each behind the next, so that they do not all pass over at once."""

PATIENT_MAX: Final = 4
"""From there on all are as patient: after a crash of many the wait has an end."""

ALONE_MAX: Final = 4
"""After so many tickets with nobody's between, a writer takes itself to be alone again."""

REMEMBERED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Turn:
    """The right of way to one Aggregate."""

    key: AggregateKey
    ticket: int


def has_come(ahead: int, stalled: int) -> bool:
    """Whether to write, with so many tickets ahead, of which none was served in the last `stalled`
    looks.

    The nearer to the front, the less patient: one passes over the dead, the others see it move.
    """
    return ahead <= 0 or stalled >= LOOKS_MAX + LOOKS_MORE * min(ahead - 1, PATIENT_MAX)


def seconds_to_look(ahead: int, stalled: int) -> float:
    """In how many seconds it is worth a look.

    Where nothing moved in four, those ahead may all be dead: how many they are says nothing then.
    """
    if stalled < LOOKS_ALIKE:
        return max(NEXT_SECONDS, (ahead - 1) * TURN_SECONDS)
    return NEXT_SECONDS * 2.0 ** (stalled // LOOKS_ALIKE)


@dataclass(slots=True)
class Turns:
    """The turns that one store object takes."""

    table: Table
    pausing: Pausing
    _crowded: dict[AggregateKey, tuple[int, int]] = field(default_factory=dict)
    """Where others were met: the last ticket drawn here, and how many in a row nobody was between.
    """

    def are_taken(self, key: AggregateKey, line: Line) -> bool:
        """Whether writers take turns there: others wait, or were met lately."""
        return key in self._crowded or not line.is_empty

    def wait(self, key: AggregateKey, known: Known) -> Turn:
        """Draw a ticket of an Aggregate that is there, and come back when its turn has come: it is
        then known as it stands."""
        item = self.table.raised(aggregate_place(key), DRAWN)
        known.find_aggregate(key, item)
        ticket, stalled = int(item[DRAWN]), 0
        self._note(key, ticket)
        served = known.line(key).served
        while not has_come(ahead := ticket - served - 1, stalled):
            self.pausing.rest(seconds_to_look(ahead, stalled))
            known.read_again([key])
            before, served = served, known.line(key).served
            stalled = stalled + 1 if served == before else 0
        return Turn(key, ticket)

    def give_up(self, turn: Turn, known: Known) -> None:
        """Pass on a turn in which nothing was written to the Aggregate."""
        served = known.line(turn.key).served
        if served >= turn.ticket:
            return
        passed = Write(
            place=aggregate_place(turn.key),
            sets={SERVED: turn.ticket},
            expect={SERVED: served or None},
        )
        with suppress(Refused):  # somebody passed it over, or wrote a ticket beyond
            self.table.write([passed])

    def _note(self, key: AggregateKey, ticket: int) -> None:
        last, alone = self._crowded.pop(key, (0, 0))
        alone = alone + 1 if ticket == last + 1 else 0
        if alone < ALONE_MAX:
            while len(self._crowded) >= REMEMBERED_MAX:
                self._crowded.pop(next(iter(self._crowded)), None)
            self._crowded[key] = (ticket, alone)
