"""Tabulating: a batch of plain CloudEvents read into columns, and metered by its few cells.

A batch that holds anything but plain reports (see `domain.sheet`) is not read here at all: it goes
the way of every other report. Nothing is refused here, and nothing is decided otherwise: fields,
times, quantities and keys are read by the functions that read them there.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final, Literal, overload

import msgspec

from tallystick.domain.errors import InvalidReport
from tallystick.domain.event import KEY_LENGTH_MAX, numbered
from tallystick.domain.fields import is_within_calendar
from tallystick.domain.instant import HOUR, parse_instant, parse_instants
from tallystick.domain.sheet import Cell, Sheet, unit_of
from tallystick.stages.cutting import AMOUNT_MAX, NotPlain, read_alone, read_contents
from tallystick.stages.decoding import REPORT_BYTES_MAX
from tallystick.stages.metering import Rulebook

if TYPE_CHECKING:
    from tallystick.stages.ingesting import Report

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
_LONE_DECODER: Final = msgspec.json.Decoder(_CloudEvent)


_UNREADABLE: Final = (
    NotPlain,
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
    def names(self) -> Iterator[Named]:
        """Of the cells, one or several times."""
        return chain.from_iterable(part.named for part in self.parts)

    @property
    def tenants(self) -> set[str]:
        return {tenant for tenant, _, _ in self.names}


Row = tuple[Named, str, int, int, str]
"""One report's place in each column: the name of its cell, its key, when it occurred, its quantity
in smallest ones, its properties."""


@dataclass(frozen=True, slots=True, eq=False)
class PlainReport(Sequence["Report"]):
    """One report that came alone. It is put into columns with the others that wait when it does."""

    row: Row
    ordinary: Callable[[], "Report"]

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, index: int) -> "Report": ...
    @overload
    def __getitem__(self, index: slice) -> Sequence["Report"]: ...
    def __getitem__(self, index: int | slice) -> "Report | Sequence[Report]":
        return (self.ordinary(),)[index]

    @property
    def names(self) -> Iterator[Named]:
        return iter(self.row[:1])

    @property
    def tenant(self) -> str:
        return self.row[0][0]


Plain = PlainReports | PlainReport


def together(groups: Sequence[Plain]) -> PlainReports:
    """The same reports in the same order, those that came alone in columns too."""
    parts: list[Part] = []
    alone: list[PlainReport] = []
    for group in groups:
        if isinstance(group, PlainReport):
            alone.append(group)
            continue
        if alone:
            parts.append(_part_of(alone))
            alone = []
        parts += group.parts
    if alone:
        parts.append(_part_of(alone))
    return PlainReports(tuple(parts))


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def tabulated(body: bytes, ordinary: Callable[[], Sequence["Report"]]) -> PlainReports | None:
    """The reports of a JSON array in columns; None where one of them may not be plain."""
    if len(body) > REPORT_BYTES_MAX:
        return None
    try:
        return PlainReports((_part(_DECODER.decode(body), ordinary),))
    except _UNREADABLE:
        return None


def tabulated_alone(body: bytes, ordinary: Callable[[], "Report"]) -> PlainReport | None:
    """The report of a JSON object; None where it may not be plain."""
    if len(body) > REPORT_BYTES_MAX:
        return None
    try:
        return PlainReport(_row(_LONE_DECODER.decode(body)), ordinary)
    except _UNREADABLE:
        return None


def _row(event: _CloudEvent) -> Row:
    source, own_id = event.source, event.id
    if not source or not own_id or not (source.isprintable() and own_id.isprintable()):
        raise NotPlain
    key, at = numbered(source) + numbered(own_id), parse_instant(event.time)
    if len(key) > KEY_LENGTH_MAX or not is_within_calendar(at):
        raise NotPlain
    smallest, properties = read_alone(bytes(event.data))
    return (event.subject, event.type, at // HOUR), key, at, smallest, properties


def _part_of(alone: Sequence[PlainReport]) -> Part:
    """The columns of several that came alone, made for all of them at once."""
    names, keys, occurred, smallest, properties = zip(*[one.row for one in alone], strict=True)
    cells: dict[Named, int] = {}
    unit = unit_of(smallest)
    return Part(
        cell_of=[cells.setdefault(named, len(cells)) for named in names],
        named=list(cells),
        keys=keys,
        occurred=occurred,
        unit=unit,
        amounts=[one // unit for one in smallest],
        properties=properties,
        ordinary=cache(lambda: [one.ordinary() for one in alone]),
    )


def _part(sent: list[_CloudEvent], ordinary: Callable[[], Sequence["Report"]]) -> Part:
    occurred = parse_instants([event.time for event in sent])
    if not (is_within_calendar(min(occurred)) and is_within_calendar(max(occurred))):
        raise NotPlain
    hours = [at // HOUR for at in occurred]
    named = [(event.subject, event.type, hour) for event, hour in zip(sent, hours, strict=True)]
    cells = {one: place for place, one in enumerate(dict.fromkeys(named))}
    unit, amounts, properties = read_contents([bytes(event.data) for event in sent])
    return Part(
        named=list(cells),
        cell_of=list(map(cells.__getitem__, named)),
        keys=_keys([event.source for event in sent], [event.id for event in sent]),
        occurred=occurred,
        unit=unit,
        amounts=amounts,
        properties=properties,
        ordinary=ordinary,
    )


def _keys(sources: list[str], ids: list[str]) -> list[str]:
    openings = {source: numbered(source) for source in set(sources)}
    if not (all(openings) and all(ids) and "".join((*openings, *ids)).isprintable()):
        raise NotPlain
    if len(openings) == len(set(map(len, ids))) == 1:
        # Ids of one length from one source: their keys differ in the ids alone.
        opening = openings[sources[0]] + numbered(ids[0])[: -len(ids[0])]
        keys = [opening + one for one in ids]
    else:
        keys = [openings[source] + numbered(one) for source, one in zip(sources, ids, strict=True)]
    if max(map(len, keys)) > KEY_LENGTH_MAX:
        raise NotPlain
    return keys


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
