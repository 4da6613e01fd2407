"""Pages of a listing: the cursor is the place of the last element, as JSON."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import apsw

from tallystick.domain.errors import InvalidSetting, InvariantViolated
from tallystick.ports import Page

T = TypeVar("T")
Row = tuple[Any, ...]
"""What the driver returns for a row; each `*_of` function knows the types of its columns."""

UNBOUNDED: Final = 2**62


def row_of(db: apsw.Connection, statement: str, bounds: Row = ()) -> Row:
    """The one row there must be."""
    rows = db.execute(statement, bounds).fetchall()
    if len(rows) != 1:
        raise InvariantViolated(f"{len(rows)} rows where one must be: {statement} {bounds}")
    return rows[0]


def page_of(
    rows: Sequence[Row], limit: int, element: Callable[[Row], T], place: Callable[[Row], Row]
) -> Page[T]:
    """A page from up to `limit` + 1 rows: the one too many says that there are more."""
    taken = rows[:limit]
    onward = json.dumps(place(taken[-1])) if len(rows) > limit and taken else ""
    return Page(tuple(element(row) for row in taken), onward)


def place_of(cursor: str, first: Row) -> Row:
    """The place that a cursor names; without one, a place before all others."""
    if not cursor:
        return first
    try:
        place = json.loads(cursor)
    except (ValueError, RecursionError):
        place = None
    shape = [type(part) for part in first]
    if not isinstance(place, list) or [type(part) for part in place] != shape:
        raise InvalidSetting("this cursor is from another listing: begin without one")
    if not all(map(_is_storable, place)):
        raise InvalidSetting("this cursor names a place that no row has: begin without one")
    return tuple(place)


def _is_storable(part: int | str) -> bool:
    """Whether the driver takes it: 64 bits, or a text without half a character in it."""
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    return not any("\ud800" <= character <= "\udfff" for character in part)
