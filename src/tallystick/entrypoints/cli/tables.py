"""Listings: a table for people, one JSON object a line for programs. Decimals are exact strings."""

import json
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from tallystick.domain.quantity import format_quantity

ROWS_AT_ONCE: Final = 1_000
"""A long listing is shown in pieces, so that memory stays flat."""

Row = Mapping[str, object]


def show(rows: Iterable[Row], *, as_json: bool, empty: str = "Nothing to show.") -> int:
    """Print the rows; how many there were. All rows have the same fields."""
    if as_json:
        return _show_json(rows)
    count, piece = 0, list[Row]()
    for row in rows:
        piece.append(row)
        count += 1
        if len(piece) == ROWS_AT_ONCE:
            _show_table(piece)
            piece = []
    if piece:
        _show_table(piece)
    if not count and empty:
        print(empty, file=sys.stderr)
    return count


def say(sentence: str) -> None:
    """One sentence to the person, on stderr, so that stdout stays for what was asked for."""
    # In one piece: print would write the line's end apart, and a line of the log between them.
    sys.stderr.write(f"{legible(sentence)}\n")


def _show_json(rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        print(json.dumps(row, default=_json_value, ensure_ascii=False))
        count += 1
    return count


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return format_quantity(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def _show_table(rows: list[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415  (slow to import, and --json needs none)
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in rows[0].items():
        is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        table.add_column(
            name.replace("_", " "), justify="right" if is_number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    # In a pipe nothing is folded: a program that reads a table wants whole lines.
    Console(width=None if is_terminal else 10_000, highlight=False).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format_quantity(value)
    if isinstance(value, tuple | list):
        return ", ".join(map(_cell, value))
    return legible(str(value))


def legible(text: str) -> str:
    """What came from outside must not steer the terminal: other characters show as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
