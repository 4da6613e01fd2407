"""Listings over partitions: which there are, in which order, and pages with a cursor.

A cursor is the place of the last element, as JSON, so that what is added or changed meanwhile makes
the next page neither repeat nor skip what was there.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, TypeVar

from tallystick.domain.errors import InvalidSetting
from tallystick.ports import Page
from tallystick.stores.dynamodb.layout import SORT, directory_partition, joined
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.table import BATCH_GET_MAX, Item, Table, Write

T = TypeVar("T")
Names = tuple[str, ...]
Ranked = Iterator[tuple[tuple[str, ...], T]]
"""Elements with their places, in order of place."""

PLACE_BYTES_MAX: Final = 1_024


def page_of(ranked: Ranked[T], limit: int) -> Page[T]:
    """The first `limit` elements, and a cursor where there is one more."""
    taken = list(islice(ranked, limit + 1))
    onward = json.dumps(taken[limit - 1][0]) if len(taken) > limit else ""
    return Page(tuple(element for _, element in taken[:limit]), onward)


def place_after(cursor: str, parts: int) -> tuple[str, ...]:
    """The place that a cursor names; without one, a place before all others.

    Raises InvalidSetting for what is no cursor of a listing with so many parts.
    """
    if not cursor:
        return ("",) * parts
    try:
        place = json.loads(cursor)
    except (ValueError, RecursionError):
        place = None
    if not isinstance(place, list) or len(place) != parts or not all(map(_is_part, place)):
        raise InvalidSetting("this cursor is from another listing: begin without one")
    return tuple(place)


def _is_part(part: object) -> bool:
    if not isinstance(part, str) or not part:
        return False
    return len(part.encode("utf-8", "replace")) <= PLACE_BYTES_MAX and not any(
        "\ud800" <= character <= "\udfff" for character in part
    )


def sizes(few: int) -> Iterator[int]:
    """How many items to read one by one at once: `few` at first, and twice as many each time after,
    up to what one request takes."""
    while True:
        yield min(few, BATCH_GET_MAX)
        few = min(2 * few, BATCH_GET_MAX)


class Directory:
    """Which partitions of a kind there are, in order of their names. What is entered stays.

    `listed_by` is the place of a name by which they are listed apart as well: who has it need not
    read all.
    """

    def __init__(self, table: Table, kind: str, *, listed_by: int | None = None) -> None:
        self._table = table
        self._kind = kind
        self._listed_by = listed_by
        self._entered: set[Names] = set()

    def enter(self, *names: str) -> None:
        """Name a partition, before anything is written to it: one too many costs a look."""
        if names in self._entered:
            return
        lists = [directory_partition(self._kind)]
        if self._listed_by is not None:
            lists.append(directory_partition(self._kind, names[self._listed_by]))
        for partition in lists:
            place = (partition, joined(*names))
            self._table.put(Write(place=place, put={"names": packed(names)}))
        self._entered.add(names)

    def names(
        self, *prefix: str, listed: str = "", from_place: str = "", few: int = 0
    ) -> Iterator[tuple[str, Names]]:
        """(place, names) of those that begin with the prefix, from a place on; with `listed`, of
        those alone that have this name."""
        partition = directory_partition(self._kind, *((listed,) if listed else ()))
        beginning = joined(*prefix, "") if prefix else ""
        if from_place:
            found = self._table.get((partition, from_place))
            if found is not None:
                yield from_place, unpacked(found["names"], Names)
        for item in self._table.query(partition, after=from_place, prefix=beginning, few=few):
            yield str(item[SORT]), unpacked(item["names"], Names)


def walked(
    table: Table,
    partitions: Iterator[tuple[str, Names]],
    partition_of: Callable[[Names], str],
    after: tuple[str, ...],
    *,
    prefix: str = "",
    since: str = "",
    until: str = "",
    few: int,
) -> Ranked[Item]:
    """The items of many partitions, one after the other, past a place; of a prefix, or those past
    `since` and below `until`."""
    for place, names in partitions:
        past = max(since, after[1] if place == after[0] else "")
        if until and past >= until:  # a cursor may name any place
            continue
        partition = partition_of(names)
        for item in table.query(partition, after=past, before=until, prefix=prefix, few=few):
            yield (place, str(item[SORT])), item
