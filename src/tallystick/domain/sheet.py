"""A sheet: many plain reports of one moment, in columns, so that little is made for each of them.

A report is plain that says its quantity (none below zero) and its time, and whose code is read by
sums and counts alone, without filters or dimensions. It means what any other report means: element
n of a sheet is the very Recording that the report would have become by itself, made when somebody
asks for it. A store may take the sheet for the sequence that it is, or fold its columns.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from typing import Final, overload

from tallystick.domain.aggregate import AGGREGATES_MAX, Place, contributions_to
from tallystick.domain.event import fingerprint_of_report, new_event
from tallystick.domain.fields import Fields
from tallystick.domain.instant import HOUR
from tallystick.domain.meter import OWN_QUANTITY, Aggregation, Meter
from tallystick.domain.quantity import SMALLEST, in_smallest
from tallystick.domain.recording import Recording, new_recording
from tallystick.domain.window import Window

QUANTITY: Final = "quantity"


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What a report says beside who, what and when. `smallest` is its quantity in the smallest
    ones there are, so that many are added as whole numbers. Compared by identity."""

    quantity: Decimal
    smallest: int
    properties: str


def contents_of(sent: dict[str, object]) -> Contents | None:
    """The contents of a CloudEvent's data; None where it is not plain, or something is wrong."""
    fields = Fields(sent)
    quantity, properties = fields.quantity(QUANTITY), fields.canonical(leaving_out=QUANTITY)
    if fields.errors or quantity is None or quantity < 0:
        return None
    return Contents(quantity, in_smallest(quantity), properties)


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Where a tenant's events of one code and UTC hour count. Compared by identity."""

    tenant: str
    code: str
    places: tuple[Place, ...]


def cell_of(
    tenant: str, code: str, *, hour: int, window: Window, counting: tuple[Place, ...]
) -> Cell | None:
    """The cell of a tenant's code in the `hour`-th hour since 1970, of which `window` is the part
    that holds its beginning; None where not all its events count alike, or not by adding up."""
    named = Fields({"tenant": tenant, "code": code})
    named.name("tenant")
    named.name("code")
    is_whole = window == Window(hour * HOUR, hour * HOUR + HOUR)
    if named.errors or not is_whole or not 0 < len(counting) <= AGGREGATES_MAX:
        return None
    return Cell(tenant, code, counting) if all(_adds_up(p.meter) for p in counting) else None


def _adds_up(meter: Meter) -> bool:
    is_plain = meter.aggregation.is_additive and not meter.filters and not meter.dimensions
    return is_plain and (meter.aggregation is Aggregation.COUNT or meter.value_path in OWN_QUANTITY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet(Sequence[Recording]):
    """Columns of one length: an element is what stands at one place in each.

    `sent` gives (origin, body) of a place, which is asked for only where a dead letter keeps it.
    """

    cells: Sequence[Cell]
    keys: Sequence[str]
    occurred: Sequence[int]
    contents: Sequence[Contents]
    received_at: int
    sent: Callable[[int], tuple[str, str]]

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Recording]: ...
    def __getitem__(self, index: int | slice) -> Recording | Sequence[Recording]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self._recording(place) for place in places]
        return self._recording(places)

    def _recording(self, place: int) -> Recording:
        cell, contents = self.cells[place], self.contents[place]
        event = new_event(
            cell.tenant,
            self.keys[place],
            cell.code,
            contents.quantity,
            self.occurred[place],
            self.received_at,
            contents.properties,
            self.fingerprint(place),
            None,
        )
        return new_recording(event, contributions_to(cell.places, event), *self.sent(place))

    def fingerprint(self, place: int) -> str:
        """A plain report sent all that its event holds, so that the event tells it."""
        contents = self.contents[place]
        return fingerprint_of_report(
            self.cells[place].code,
            quantity=contents.quantity,
            occurred_at=self.occurred[place],
            properties=contents.properties,
            voids=None,
        )

    def only(self, places: Sequence[int]) -> "Sheet":
        """The same of these places alone, which rise."""
        if len(places) == len(self):
            return self
        wanted = bytearray(len(self))
        for place in places:
            wanted[place] = 1
        sent = self.sent
        return Sheet(
            cells=list(compress(self.cells, wanted)),
            keys=list(compress(self.keys, wanted)),
            occurred=list(compress(self.occurred, wanted)),
            contents=list(compress(self.contents, wanted)),
            received_at=self.received_at,
            sent=lambda place: sent(places[place]),
        )


@dataclass(slots=True)
class Sum:
    """What several events add to one Aggregate: how many, and how much in smallest quantities."""

    count: int = 0
    smallest: int = 0


def sums_of(cells: Iterable[Cell], contents: Iterable[Contents]) -> dict[Cell, Sum]:
    """The events and their own quantities by cell, in the order in which the cells came."""
    found: dict[Cell, Sum] = {}
    for cell, one in zip(cells, contents, strict=True):
        known = found.get(cell)
        if known is None:
            known = found[cell] = Sum()
        known.count += 1
        known.smallest += one.smallest
    return found


def added_at(place: Place, own: Sum) -> Sum:
    """What events with these quantities add to a place's Aggregate."""
    if place.meter.aggregation is Aggregation.COUNT:
        return Sum(own.count, own.count * SMALLEST)
    return own
