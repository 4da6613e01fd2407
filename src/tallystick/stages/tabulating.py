"""Tabulating: a batch of plain CloudEvents read into columns, and metered by its few cells.

A batch that holds anything but plain reports (see `domain.sheet`) is not read here at all: it goes
the way of every other report. Nothing is refused here, and nothing is decided otherwise: fields,
times, quantities and keys are read by the functions that read them there.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final, Literal, overload

import msgspec

from tallystick.domain.errors import InvalidReport
from tallystick.domain.event import KEY_LENGTH_MAX, numbered
from tallystick.domain.fields import Fields, is_within_calendar
from tallystick.domain.instant import HOUR, parse_instant
from tallystick.domain.quantity import SMALLEST, in_smallest
from tallystick.domain.sheet import AMOUNT_BITS, Cell, Sheet, unit_of
from tallystick.stages.decoding import REPORT_BYTES_MAX, UnreadableReport, decode
from tallystick.stages.metering import Rulebook

if TYPE_CHECKING:
    from tallystick.stages.ingesting import Report

DATA_BYTES_MAX: Final = 512
"""Of an event's data, where it is read here: so much is worth remembering."""

PROPERTIES_KEPT: Final = 16_384
AMOUNT_MAX: Final = 1 << AMOUNT_BITS
QUANTITY: Final = "quantity"

Named = tuple[str, str, int]
"""Tenant, code, and the number of the hour since 1970."""


class _CloudEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The attributes of a plain one. Of any other attribute only the ordinary reading knows."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: msgspec.Raw
    datacontenttype: str | None = None
    dataschema: str | None = None


_DECODER: Final = msgspec.json.Decoder(list[_CloudEvent])


class _NotPlain(Exception):
    """One of the reports has to be read by itself, and so all are."""


_UNREADABLE: Final = (
    _NotPlain,
    InvalidReport,
    ValueError,  # of a time, of UTF-8
    OverflowError,
    RecursionError,
    msgspec.MsgspecError,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The columns of one body. `named` are its cells' names, and `cell_of` says which is whose;
    `ordinary` are the same reports as they are read otherwise."""

    named: Sequence[Named]
    cell_of: Sequence[int]
    keys: Sequence[str]
    occurred: Sequence[int]
    unit: int
    amounts: Sequence[int]
    properties: Sequence[str]
    ordinary: Callable[[], Sequence["Report"]]


@dataclass(frozen=True, slots=True, eq=False)
class PlainReports(Sequence["Report"]):
    """Reports like any others to whoever looks at one; in columns for who can use them."""

    parts: tuple[Part, ...]

    def __len__(self) -> int:
        return sum(len(part.keys) for part in self.parts)

    @overload
    def __getitem__(self, index: int) -> "Report": ...
    @overload
    def __getitem__(self, index: slice) -> Sequence["Report"]: ...
    def __getitem__(self, index: int | slice) -> "Report | Sequence[Report]":
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self._report(place) for place in places]
        return self._report(places)

    def _report(self, place: int) -> "Report":
        starts = [0, *accumulate(len(part.keys) for part in self.parts)]
        part = bisect_right(starts, place) - 1
        return self.parts[part].ordinary()[place - starts[part]]

    @property
    def tenants(self) -> set[str]:
        return {tenant for part in self.parts for tenant, _, _ in part.named}


def together(groups: Sequence[PlainReports]) -> PlainReports:
    return PlainReports(tuple(part for group in groups for part in group.parts))


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def tabulated(body: bytes, ordinary: Callable[[], Sequence["Report"]]) -> PlainReports | None:
    """The reports of a JSON array in columns; None where one of them may not be plain."""
    if len(body) > REPORT_BYTES_MAX:
        return None
    try:
        return PlainReports((_part(_DECODER.decode(body), ordinary),))
    except _UNREADABLE:
        return None


def _part(sent: list[_CloudEvent], ordinary: Callable[[], Sequence["Report"]]) -> Part:
    openings, times = _Openings(), _Times()
    cells: dict[Named, int] = {}
    ids = [event.id for event in sent]
    keys = [openings[event.source] + numbered(event.id) for event in sent]
    if not (all(ids) and "".join(ids).isprintable() and len(max(keys, key=len)) <= KEY_LENGTH_MAX):
        raise _NotPlain
    occurred = [times[event.time] for event in sent]
    unit, amounts, properties = _read(list(map(bytes, [event.data for event in sent])))
    return Part(
        cell_of=[
            cells.setdefault((event.subject, event.type, at // HOUR), len(cells))
            for event, at in zip(sent, occurred, strict=True)
        ],
        named=list(cells),
        keys=keys,
        occurred=occurred,
        unit=unit,
        amounts=amounts,
        properties=properties,
        ordinary=ordinary,
    )


class _Openings(dict[str, str]):
    """What all keys of a source begin with."""

    def __missing__(self, source: str) -> str:
        if not source or not source.isprintable():
            raise _NotPlain
        opening = self[source] = numbered(source)
        return opening


class _Times(dict[str, int]):
    """Instants by their texts."""

    def __missing__(self, text: str) -> int:
        instant = self[text] = parse_instant(text)
        if not is_within_calendar(instant):
            raise _NotPlain
        return instant


# ── What an event's data says ─────────────────────────────────────────────────────────────────────


def _read(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """(unit, amounts, properties) of the data of each event."""
    for way in (_cut_after_quantity, _cut_before_quantity):
        with suppress(_Otherwise):
            return way(each)
    known = {raw: _contents(raw) for raw in set(each)}
    smallest = {raw: quantity for raw, (quantity, _) in known.items()}
    return *_amounts(each, smallest), [known[raw][1] for raw in each]


def _cut_after_quantity(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """At the first comma: what follows a number is an object's end, or more of its members."""
    heads, _, rests = zip(*[raw.partition(b",") for raw in each], strict=True)
    smallest = {head: _smallest(_FIRST.fullmatch(head)) for head in set(heads)}
    texts = {rest: _properties(b"{" + rest) if rest else "{}" for rest in set(rests)}
    return *_amounts(heads, smallest), list(map(texts.__getitem__, rests))


def _cut_before_quantity(each: list[bytes]) -> tuple[int, list[int], list[str]]:
    """At the last comma. What is before it is an object but for its end, or else the number stood
    inside of another."""
    rests, _, tails = zip(*[raw.rpartition(b",") for raw in each], strict=True)
    smallest = {tail: _smallest(_LAST.fullmatch(tail)) for tail in set(tails)}
    texts = {rest: _properties(rest + b"}") for rest in set(rests)}
    return *_amounts(tails, smallest), list(map(texts.__getitem__, rests))


_FIRST: Final = re.compile(rb'\s*\{\s*"quantity"\s*:\s*([-+.0-9eE]+|"[^"\\]*")\s*\}?\s*')
_LAST: Final = re.compile(rb'\s*"quantity"\s*:\s*([-+.0-9eE]+|"[^"\\]*")\s*\}\s*')


class _Otherwise(Exception):
    """An event's quantity stands elsewhere."""


def _smallest(match: re.Match[bytes] | None) -> int:
    """The quantity in smallest ones, of the piece of an object that names it."""
    if match is None:
        raise _Otherwise
    text = match[1]
    return int(text) * SMALLEST if _WHOLE.fullmatch(text) else _contents(_ALONE % text)[0]


_WHOLE: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
_ALONE: Final = b'{"quantity":%b}'


def _amounts(pieces: Sequence[bytes], smallest: dict[bytes, int]) -> tuple[int, list[int]]:
    """(unit, amounts) where each piece means so many smallest quantities."""
    unit = unit_of(smallest.values())
    amounts = {piece: quantity // unit for piece, quantity in smallest.items()}
    if max(amounts.values()) >= AMOUNT_MAX:
        raise _NotPlain
    return unit, list(map(amounts.__getitem__, pieces))


# Services send the same few over and over: a plan and a region.
@lru_cache(maxsize=PROPERTIES_KEPT)
def _properties(raw: bytes) -> str:
    fields = _fields(raw)
    if fields is None or QUANTITY in fields.body:
        raise _Otherwise
    text = fields.canonical()
    if fields.errors:
        raise _NotPlain
    return text


@lru_cache(maxsize=PROPERTIES_KEPT)
def _contents(raw: bytes) -> tuple[int, str]:
    """The quantity in smallest ones, and the properties, of any data that is plain."""
    fields = _fields(raw)
    if fields is None:
        raise _NotPlain
    quantity, text = fields.quantity(QUANTITY), fields.canonical(leaving_out=QUANTITY)
    if fields.errors or quantity is None or quantity < 0:
        raise _NotPlain
    return in_smallest(quantity), text


def _fields(raw: bytes) -> Fields | None:
    if len(raw) > DATA_BYTES_MAX:
        raise _NotPlain
    try:
        found = decode(raw)
    except UnreadableReport:
        return None
    return Fields(found) if isinstance(found, dict) else None


# ── Metering ──────────────────────────────────────────────────────────────────────────────────────


def sheet_of(
    reports: PlainReports,
    rules: Rulebook,
    now: int,
    *,
    latest: int,
    sent: Callable[[int], tuple[str, str]],
) -> Sheet | None:
    """The reports as what they add to their Aggregates; None where that has to be found out one by
    one. `latest` is the last instant at which one of them may have occurred."""
    cells: dict[Cell, int] = {}
    cell_of: list[int] = []
    for part in reports.parts:
        known = [cell for named in part.named if (cell := rules.cell(named)) is not None]
        if max(part.occurred) > latest or len(known) < len(part.named):
            return None
        places = [cells.setdefault(cell, len(cells)) for cell in known]
        cell_of += map(places.__getitem__, part.cell_of)
    unit, amounts = _in_one_unit(reports.parts)
    if max(amounts) >= AMOUNT_MAX:
        return None
    return Sheet(
        cells=list(cells),
        cell_of=cell_of,
        keys=list(chain.from_iterable(part.keys for part in reports.parts)),
        occurred=list(chain.from_iterable(part.occurred for part in reports.parts)),
        unit=unit,
        amounts=amounts,
        properties=list(chain.from_iterable(part.properties for part in reports.parts)),
        received_at=now,
        sent=sent,
    )


def _in_one_unit(parts: Sequence[Part]) -> tuple[int, list[int]]:
    """The smaller unit divides the larger."""
    unit = min(part.unit for part in parts)
    amounts: list[int] = []
    for part in parts:
        times = part.unit // unit
        amounts += part.amounts if times == 1 else [one * times for one in part.amounts]
    return unit, amounts
