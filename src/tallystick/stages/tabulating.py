"""Tabulating: a batch of plain CloudEvents read into columns, and metered by its few cells.

A batch that holds anything but plain reports (see `domain.sheet`) is not read here at all: it goes
the way of every other report. Nothing is refused here, and nothing is decided otherwise: fields,
times, quantities and keys are read by the functions that read them there.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final, Literal, overload

import msgspec

from tallystick.domain.errors import InvalidReport
from tallystick.domain.event import KEY_LENGTH_MAX, numbered
from tallystick.domain.fields import is_within_calendar
from tallystick.domain.instant import HOUR, parse_instant
from tallystick.domain.sheet import Cell, Contents, Sheet, contents_of
from tallystick.stages.decoding import REPORT_BYTES_MAX, decode
from tallystick.stages.metering import Rulebook

if TYPE_CHECKING:
    from tallystick.stages.ingesting import Report

CONTENTS_BYTES_MAX: Final = 512
"""Of an event's data, where it is read here: so much is worth remembering."""

CONTENTS_KEPT: Final = 16_384

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
    contents: Sequence[Contents]
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
    return Part(
        cell_of=[
            cells.setdefault((event.subject, event.type, at // HOUR), len(cells))
            for event, at in zip(sent, occurred, strict=True)
        ],
        named=list(cells),
        keys=keys,
        occurred=occurred,
        contents=[_contents(bytes(event.data)) for event in sent],
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


# Services send the same few over and over: a plan, a region and a small number.
@lru_cache(maxsize=CONTENTS_KEPT)
def _contents(raw: bytes) -> Contents:
    sent = decode(raw) if len(raw) <= CONTENTS_BYTES_MAX else None
    found = contents_of(sent) if isinstance(sent, dict) else None
    if found is None:
        raise _NotPlain
    return found


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
    cells: list[Cell] = []
    for part in reports.parts:
        known = [cell for named in part.named if (cell := rules.cell(named)) is not None]
        if max(part.occurred) > latest or len(known) < len(part.named):
            return None
        cells += map(known.__getitem__, part.cell_of)
    return Sheet(
        cells=cells,
        keys=list(chain.from_iterable(part.keys for part in reports.parts)),
        occurred=list(chain.from_iterable(part.occurred for part in reports.parts)),
        contents=list(chain.from_iterable(part.contents for part in reports.parts)),
        received_at=now,
        sent=sent,
    )
