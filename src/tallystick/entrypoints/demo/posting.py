"""When which report arrives: once or twice, in any order, late, corrected, or not countable.

The plan is a pure function of the flights and the seed. What must come out does not depend on it:
each flight once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tallystick.domain.instant import DAY, HOUR, MINUTE, floor_hour, format_instant
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.dice import Dice
from tallystick.entrypoints.demo.flights import Flight

Body = dict[str, object]

TWICE: Final = 200
"""So many of a thousand reports are sent twice."""

HELD_BACK: Final = 20
"""So many of a thousand come 1 to 40 hours late."""

HELD_BACK_HOURS: Final = 40
REPEATED_WITHIN_HOURS: Final = 200
VOIDED: Final = 20
CONFLICTS: Final = 5

VOIDED_WITHIN_HOURS: Final = 30
CALM: Final = (VOIDED_WITHIN_HOURS + 2) * HOUR
"""A period's last flights are neither voided nor disputed: its bill must have the right ones."""

UNKNOWN_TENANT: Final = "ZZ"


@dataclass(slots=True)
class Posting:
    """Reports by the hour at whose end they arrive; and what the plan did, for the summary."""

    by_hour: dict[int, list[Body]] = field(default_factory=lambda: defaultdict(list))
    twice: int = 0
    held_back: int = 0
    voided: int = 0
    uncountable: int = 0

    def add(self, body: Body, at: int) -> None:
        self.by_hour[at].append(body)

    def due(self, now: int, dice: Dice) -> list[Body]:
        """Take out what has arrived by now, in no particular order."""
        hours = sorted(hour for hour in self.by_hour if hour <= now)
        bodies = [body for hour in hours for body in self.by_hour.pop(hour)]
        return dice.shuffled(bodies, "batch", now)


def posted(flights: Sequence[Flight], periods: Sequence[Window], dice: Dice) -> Posting:
    """The whole plan."""
    posting = Posting()
    for period in periods:
        mine = [flight for flight in flights if period.contains(flight.occurred_at)]
        _post_month(posting, mine, period, dice)
    return posting


def _post_month(posting: Posting, flights: list[Flight], period: Window, dice: Dice) -> None:
    calm = [f for f in flights if f.occurred_at < period.end - CALM]
    chosen = dice.shuffled(calm, "chosen", period.start)
    wrong = {flight.key for flight in chosen[:VOIDED]}
    disputed = {flight.key for flight in chosen[VOIDED : VOIDED + CONFLICTS]}
    for flight in flights:
        first = _first_arrival(posting, flight, period, dice)
        if flight.key in wrong:
            _post_wrong(posting, flight, first, dice)
            continue
        _post(posting, flight.report(), first, period, dice)
        if flight.key in disputed:
            later = first + (1 + dice.below(24, "conflict", flight.key)) * HOUR
            posting.add(flight.report(distance=flight.distance + 1), later)
            posting.uncountable += 1
    for flight in chosen[VOIDED + CONFLICTS : VOIDED + CONFLICTS + 3]:
        _post_uncountable(posting, flight)


def _first_arrival(posting: Posting, flight: Flight, period: Window, dice: Dice) -> int:
    end = floor_hour(flight.occurred_at) + HOUR
    if not dice.happens(HELD_BACK, "held back", flight.key):
        return end
    posting.held_back += 1
    return min(period.end, end + (1 + dice.below(HELD_BACK_HOURS, "hours", flight.key)) * HOUR)


def _post(posting: Posting, body: Body, first: int, period: Window, dice: Dice) -> None:
    """Once, or twice: at once again, or much later."""
    posting.add(body, first)
    if not dice.happens(TWICE, "twice", body["key"]):
        return
    posting.twice += 1
    wait = 0
    if dice.happens(500, "much later", body["key"]):
        wait = 1 + dice.below(REPEATED_WITHIN_HOURS, "repeat", body["key"])
    # What comes after the bill is final must change nothing; some of it does come then.
    posting.add(body, min(first + wait * HOUR, period.end + 2 * DAY))


def _post_wrong(posting: Posting, flight: Flight, first: int, dice: Dice) -> None:
    """A wrong report; later a void of it, and the right one under a new key."""
    wrong = flight.report(
        distance=flight.distance * 10,
        tailnum=f"WRONG-{flight.tailnum}",
        arr_delay=flight.arr_delay + 2_000,
    )
    wait = 1 + dice.below(VOIDED_WITHIN_HOURS, "void", flight.key)
    later = floor_hour(flight.occurred_at) + wait * HOUR
    void: Body = {
        "tenant": flight.carrier,
        "key": f"{flight.key}-void",
        "voids": flight.key,
        "occurred_at": format_instant(flight.occurred_at + MINUTE),
    }
    posting.add(wrong, first)
    posting.add(void, later)
    posting.add({**flight.report(), "key": f"{flight.key}-again"}, later)
    posting.voided += 1


def _post_uncountable(posting: Posting, flight: Flight) -> None:
    end = floor_hour(flight.occurred_at) + HOUR
    stranger = {"tenant": UNKNOWN_TENANT, "key": f"{flight.key}-unknown"}
    posting.add(flight.report() | stranger, end)
    posting.add(flight.report(distance="NaN") | {"key": f"{flight.key}-nan"}, end)
    posting.uncountable += 2
