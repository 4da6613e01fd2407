"""Pages of a listing. A cursor is the place of the last element, so that nothing that is added
or changed meanwhile makes the next page repeat or skip what was there."""

import json
from collections.abc import Iterable
from typing import TypeVar

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.slot import SlotKey
from tallystick.ports import Page

T = TypeVar("T")
Rank = tuple[str | int, ...]


def page_of(ranked: Iterable[tuple[Rank, T]], cursor: str, limit: int) -> Page[T]:
    """The first `limit` elements past the cursor, by rank."""
    after = _place_of(cursor)
    try:
        rest = sorted((pair for pair in ranked if pair[0] > after), key=lambda pair: pair[0])
    except TypeError as error:
        raise _wrong_cursor() from error
    taken = rest[:limit]
    onward = json.dumps(taken[-1][0]) if len(rest) > limit else ""
    return Page(tuple(element for _, element in taken), onward)


def _place_of(cursor: str) -> Rank:
    """The place that a cursor names; without one, a place before all others."""
    if not cursor:
        return ()
    try:
        place = json.loads(cursor)
    except (ValueError, RecursionError) as error:
        raise _wrong_cursor() from error
    if (
        not isinstance(place, list)
        or not place
        or any(type(part) not in (str, int) for part in place)
    ):
        raise _wrong_cursor()
    return tuple(place)


def _wrong_cursor() -> InvalidSetting:
    return InvalidSetting("this cursor is from another listing: begin without one")


def aggregate_rank(key: AggregateKey) -> Rank:
    return (key.tenant, key.meter, key.group, key.window.start, key.window.end)


def slot_rank(key: SlotKey) -> Rank:
    return (key.route, key.account, key.destination, key.counter, key.start)
