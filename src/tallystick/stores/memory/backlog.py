"""What is not done yet, in memory."""

from collections import Counter
from itertools import islice

from tallystick.domain.backlog import COUNTED_MAX, Backlog
from tallystick.domain.publication import State
from tallystick.stores.memory.tables import Tables


def backlog_of(tables: Tables, now: int) -> Backlog:
    due = [aggregate for aggregate in tables.aggregates.values() if aggregate.due]
    waiting = [
        slot
        for slot in tables.slots.values()
        if slot.due and slot.unsettled is None and slot.total != slot.confirmed
    ]
    still_open = sorted(
        (slot for slot in waiting if slot.place.closes_at > now),
        key=lambda slot: slot.place.closes_at,
    )[:COUNTED_MAX]
    unsettled: dict[State, list[int]] = {}
    for publication in tables.publications.values():
        if not publication.state.is_settled:
            unsettled.setdefault(publication.state, []).append(publication.intended_at)
    letters = (
        letter.reason for letter in reversed(tables.letters.values()) if letter.replayed_at is None
    )
    over = (a.key.window.end for a in due if not a.sealed and a.key.window.end <= now)
    return Backlog(
        aggregates_due=min(COUNTED_MAX, len(due)),
        unsealed_since=min(over, default=None),
        unpublished=len(still_open),
        unpublished_since=min((slot.key.start for slot in still_open), default=None),
        undelivered=min(COUNTED_MAX, len(waiting) - sum(s.place.closes_at > now for s in waiting)),
        unsettled={state: min(COUNTED_MAX, len(found)) for state, found in unsettled.items()},
        unsettled_since={state: min(found) for state, found in unsettled.items()},
        dead_letters=Counter(islice(letters, COUNTED_MAX)),
    )
