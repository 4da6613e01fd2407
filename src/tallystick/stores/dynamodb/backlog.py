"""What is not done yet in DynamoDB: counted from the index of what is due."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from tallystick.domain.aggregate import Aggregate
from tallystick.domain.backlog import COUNTED_MAX, Backlog
from tallystick.domain.publication import State
from tallystick.ports import DeadLetters, Outbox, Page

T = TypeVar("T")


def backlog_of(
    aggregates_due: Callable[[str], Page[Aggregate]],
    outbox: Outbox,
    letters: DeadLetters,
    now: int,
) -> Backlog:
    """Only reads: whoever asks how things stand need not be allowed to write."""
    aggregates = list(islice(every(aggregates_due), COUNTED_MAX))
    due = list(islice(every(lambda c: outbox.slots_due(cursor=c)), COUNTED_MAX))
    waiting = [
        each.slot
        for each in due
        if each.slot.unsettled is None and each.slot.total != each.slot.confirmed
    ]
    still_open = [slot for slot in waiting if slot.place.closes_at > now]
    unsettled: dict[State, list[int]] = {}
    for each in due:
        if each.current is not None:
            unsettled.setdefault(each.current.state, []).append(each.current.intended_at)
    over = (a.key.window.end for a in aggregates if not a.sealed and a.key.window.end <= now)
    open_letters = islice(every(lambda c: letters.list(cursor=c)), COUNTED_MAX)
    return Backlog(
        aggregates_due=len(aggregates),
        unsealed_since=min(over, default=None),
        unpublished=len(still_open),
        unpublished_since=min((slot.key.start for slot in still_open), default=None),
        undelivered=len(waiting) - len(still_open),
        unsettled={state: len(found) for state, found in unsettled.items()},
        unsettled_since={state: min(found) for state, found in unsettled.items()},
        dead_letters=Counter(letter.reason for letter in open_letters),
    )


def every(listing: Callable[[str], Page[T]]) -> Iterator[T]:
    """All elements of a listing, page after page."""
    page = listing("")
    yield from page.elements
    while page.cursor:
        page = listing(page.cursor)
        yield from page.elements
