"""What a server makes of a report: runs of plain events go to the store in columns, all others one
by one. Both come to the same, so that a seed's world does not depend on it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from random import Random
from typing import Final

from tallystick.domain.event import Event
from tallystick.domain.instant import HOUR
from tallystick.domain.quantity import in_smallest
from tallystick.domain.sheet import Sheet, unit_of
from tallystick.ports import Recording
from tallystick.stages.ingesting import AHEAD_MAX
from tallystick.stages.metering import Refusal, Rulebook, metered
from tallystick.stages.tabulating import Named, Part, PlainReports, sheet_of
from tallystick.testing.simulation.witness import Violation

SHARES: Final = (0, 50, 100, 100)
"""Of a hundred runs of plain events, so many go in columns: a world has one of these."""


def share_in_columns(seed: int) -> int:
    return Random(f"{seed}|columns").choice(SHARES)


def portions(
    events: Sequence[Event], rules: Rulebook, now: int, *, seed: int
) -> Iterator[Sequence[Recording]]:
    """A world's report as it goes to the store, in its order, by its seed and the time: what is
    reported again later may go the other way."""
    draws, share = Random(f"{seed}|columns|{now}|{events[0].key}"), share_in_columns(seed)
    for plain, run in groupby(events, partial(_is_plain, rules=rules)):
        together = tuple(run)
        if plain and draws.randrange(100) < share:
            yield _sheet(together, rules, now)
        else:
            yield [_recording(event, rules) for event in together]


def _is_plain(event: Event, rules: Rulebook) -> bool:
    is_usage = event.voids is None and event.quantity >= 0
    return is_usage and rules.cell(_named(event)) is not None


def _named(event: Event) -> Named:
    return event.tenant, event.code, event.occurred_at // HOUR


def _sheet(events: Sequence[Event], rules: Rulebook, now: int) -> Sheet:
    """As of two requests that waited together, where there are several events."""
    half = len(events) // 2
    parts = tuple(_part(some) for some in (events[:half], events[half:]) if some)

    def sent(place: int) -> tuple[str, str]:
        return _sent(events[place])

    found = sheet_of(PlainReports(parts), rules, now, latest=now + AHEAD_MAX, sent=sent)
    if found is None:
        raise Violation(f"{len(events)} plain events from {events[0].key} on are no sheet")
    return found


def _part(events: Sequence[Event]) -> Part:
    smallest = [in_smallest(event.quantity) for event in events]
    cells: dict[Named, int] = {}
    unit = unit_of(smallest)
    return Part(
        cell_of=[cells.setdefault(_named(event), len(cells)) for event in events],
        named=list(cells),
        keys=[event.key for event in events],
        occurred=[event.occurred_at for event in events],
        unit=unit,
        amounts=[quantity // unit for quantity in smallest],
        properties=[event.properties for event in events],
        ordinary=tuple,
    )


def _recording(event: Event, rules: Rulebook) -> Recording:
    calendar = rules.calendar(event.tenant)
    counted = metered(event, calendar, rules) if calendar else ()
    if isinstance(counted, Refusal):
        # No meter reads the code: an empty Recording stands for it, which counts nowhere.
        counted = ()
    return Recording(event, counted, *_sent(event))


def _sent(event: Event) -> tuple[str, str]:
    """What a dead letter would keep of it: where it came from, and its body."""
    return f"report/{event.key}", event.fingerprint
