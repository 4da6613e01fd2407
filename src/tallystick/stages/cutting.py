"""Cutting: what the data of plain CloudEvents says, with as little done for each as can be.

The quantity of most events stands first or last in their data. Cut there, what is left is the same
few texts over and over. What stands otherwise is read as a whole.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final

from tallystick.domain.fields import Fields
from tallystick.domain.quantity import SMALLEST, WHOLE_DIGITS_MAX, in_smallest
from tallystick.domain.sheet import AMOUNT_BITS, unit_of
from tallystick.stages.decoding import UnreadableReport, decode

DATA_BYTES_MAX: Final = 512
"""Of an event's data, where it is read here: so much is worth remembering."""

PROPERTIES_KEPT: Final = 16_384
AMOUNT_MAX: Final = 1 << AMOUNT_BITS
WHOLE_LIMIT: Final = 10**WHOLE_DIGITS_MAX
QUANTITY: Final = "quantity"


class NotPlain(Exception):
    """One of the reports has to be read by itself, and so all are."""


def read_contents(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """(unit, amounts, properties) of the data of each event."""
    for way in (_cut_after_quantity, _cut_before_quantity):
        with suppress(_Otherwise):
            return way(each)
    known = {raw: _contents(raw) for raw in set(each)}
    unit, amounts = _in_units([known[raw][0] for raw in each])
    return unit, amounts, [known[raw][1] for raw in each]


def read_alone(raw: bytes) -> tuple[int, str]:
    """(quantity in smallest ones, properties) of the data of one event."""
    try:
        return _whole_number_first(raw)
    except _Otherwise:
        unit, (amount,), (properties,) = read_contents([raw])
        return unit * amount, properties


def _whole_number_first(raw: bytes) -> tuple[int, str]:
    """As most are: what takes a list of one half as long again is not done."""
    head, _, rest = raw.partition(b",")
    opening = _FIRST.match(head)
    number = head[opening.end() :].strip(_ENDS) if opening else b""
    if not number.isdigit() or len(number) > WHOLE_DIGITS_MAX:
        raise _Otherwise
    return int(number) * SMALLEST, _properties(b"{" + rest) if rest else "{}"


def _cut_after_quantity(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """At the first comma: what follows a number is an object's end, or more of its members."""
    heads, _, rests = zip(*[raw.partition(b",") for raw in each], strict=True)
    unit, amounts = _amounts(heads, _FIRST)
    texts = {rest: _properties(b"{" + rest) if rest else "{}" for rest in set(rests)}
    return unit, amounts, list(map(texts.__getitem__, rests))


def _cut_before_quantity(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """At the last comma. What is before it is an object but for its end, or else the quantity
    stood inside of another."""
    rests, _, tails = zip(*[raw.rpartition(b",") for raw in each], strict=True)
    unit, amounts = _amounts(tails, _LAST)
    texts = {rest: _properties(rest + b"}") for rest in set(rests)}
    return unit, amounts, list(map(texts.__getitem__, rests))


_FIRST: Final = re.compile(rb'\{\s*"quantity"\s*:')
_LAST: Final = re.compile(rb'\s*"quantity"\s*:')
_ENDS: Final = b" \t\r\n}"


class _Otherwise(Exception):
    """An event's quantity stands elsewhere, or its name is written otherwise than the first's."""


def _amounts(pieces: Sequence[bytes], opening: re.Pattern[bytes]) -> tuple[int, list[int]]:
    """(unit, amounts) of the pieces of JSON that name quantities, and hold no comma."""
    match = opening.match(pieces[0])
    if match is None:
        raise _Otherwise
    named, size = match[0], match.end()
    if {piece[:size] for piece in pieces} != {named}:
        raise _Otherwise
    numbers = [piece[size:].rstrip(_ENDS) for piece in pieces]
    try:
        # Of all that JSON allows here, `int` reads whole numbers and nothing else.
        amounts = list(map(int, numbers))
    except ValueError:
        return _in_units([_contents(b'{"quantity":%b}' % number)[0] for number in numbers])
    if min(amounts) < 0 or max(amounts) >= WHOLE_LIMIT:
        raise NotPlain
    return SMALLEST, amounts


def _in_units(smallest: list[int]) -> tuple[int, list[int]]:
    unit = unit_of(smallest)
    amounts = [quantity // unit for quantity in smallest]
    if max(amounts) >= AMOUNT_MAX:
        raise NotPlain
    return unit, amounts


# Services send the same few over and over: a plan and a region.
@lru_cache(maxsize=PROPERTIES_KEPT)
def _properties(raw: bytes) -> str:
    fields = _fields(raw)
    if fields is None or QUANTITY in fields.body:
        raise _Otherwise
    text = fields.canonical()
    if fields.errors:
        raise NotPlain
    return text


@lru_cache(maxsize=PROPERTIES_KEPT)
def _contents(raw: bytes) -> tuple[int, str]:
    """The quantity in smallest ones, and the properties, of any data that is plain."""
    fields = _fields(raw)
    if fields is None:
        raise NotPlain
    quantity, text = fields.quantity(QUANTITY), fields.canonical(leaving_out=QUANTITY)
    if fields.errors or quantity is None or quantity < 0:
        raise NotPlain
    return in_smallest(quantity), text


def _fields(raw: bytes) -> Fields | None:
    if len(raw) > DATA_BYTES_MAX:
        raise NotPlain
    try:
        found = decode(raw)
    except UnreadableReport:
        return None
    return Fields(found) if isinstance(found, dict) else None
