"""What the event log is given and answers: an event with its effect, and what became of it."""

from dataclasses import dataclass
from typing import Final

from tallystick.domain.aggregate import AggregateKey, Contribution
from tallystick.domain.dead_letter import Reason
from tallystick.domain.event import Event, Receipt
from tallystick.domain.mint import mint


@dataclass(frozen=True, slots=True)
class Recording:
    """An event with what it adds to each Aggregate, computed by the metering stage. `body` and
    `origin` are kept as a dead letter should the event turn out to be a conflict."""

    event: Event
    contributions: tuple[Contribution, ...] = ()
    origin: str = ""
    body: str = ""


new_recording: Final = mint(Recording)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one Recording: the receipt, and the Aggregates it changed (a duplicate and a
    conflict: none). `refused` is set where nothing was stored, because a total would overflow. Its
    receipt is then CONFLICT, the only one that does not say counted."""

    receipt: Receipt
    aggregates: tuple[AggregateKey, ...] = ()
    refused: Reason | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an Aggregate, in order of `position` (1, 2, …): what an event added to it, or
    (`removed`) what a void took out again. `event_key` is the event, `by` the void."""

    position: int
    contribution: Contribution
    removed: bool = False
    by: str = ""
