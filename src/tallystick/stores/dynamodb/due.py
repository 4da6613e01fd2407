"""What is due: read through the sparse index, each as it stands in the table now."""

import heapq
import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from tallystick.ports import Page
from tallystick.stores.dynamodb.layout import DUE_IN
from tallystick.stores.dynamodb.listing import place_after
from tallystick.stores.dynamodb.table import Item, Table

T = TypeVar("T")


def due_page(
    table: Table,
    partitions: Sequence[str],
    element: Callable[[Item], T],
    *,
    before: str,
    cursor: str,
    limit: int,
) -> Page[T]:
    """A page in order of `due_at`, from what is marked below `before` in these partitions.

    The index may be a moment behind the table: what is due no more is left out.
    """
    (after,) = place_after(cursor, 1)
    few = limit + 1
    listed = (table.due(part, after=after, before=before, few=few) for part in partitions)
    marked = list(islice(heapq.merge(*listed), few))
    found = table.get_all([place for _, place in marked[:limit]])
    items = [found[place] for _, place in marked[:limit] if place in found]
    onward = json.dumps([marked[limit - 1][0]]) if len(marked) > limit else ""
    return Page(tuple(element(item) for item in items if DUE_IN in item), onward)
