"""Pages of a listing. A cursor is the place of the last element, so that nothing that is added
or changed meanwhile makes the next page repeat or skip what was there."""

import json
from collections.abc import Iterable
from typing import TypeVar

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.slot import SlotKey
from tallystick.ports import Page

T = TypeVar("T")
Rank = tuple[str | int, ...]


def page_of(ranked: Iterable[tuple[Rank, T]], cursor: str, limit: int) -> Page[T]:
    """The first `limit` elements past the cursor, by rank."""
    after: Rank = tuple(json.loads(cursor)) if cursor else ()
    rest = sorted((pair for pair in ranked if pair[0] > after), key=lambda pair: pair[0])
    taken = rest[:limit]
    onward = json.dumps(taken[-1][0]) if len(rest) > limit else ""
    return Page(tuple(element for _, element in taken), onward)


def aggregate_rank(key: AggregateKey) -> Rank:
    return (key.tenant, key.meter, key.group, key.window.start, key.window.end)


def slot_rank(key: SlotKey) -> Rank:
    return (key.route, key.account, key.destination, key.counter, key.start)
