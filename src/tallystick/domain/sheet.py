"""A sheet: many plain reports of one moment, in columns, so that little is made for each of them.

A report is plain that says its quantity (none below zero) and its time, and whose code is read by
sums and counts alone, without filters or dimensions. It means what any other report means: element
n of a sheet is the very Recording that the report would have become by itself, made when somebody
asks for it. A store may take the sheet for the sequence that it is, or fold its columns.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from math import gcd
from typing import Final, overload

from tallystick.domain.aggregate import AGGREGATES_MAX, Place, contributions_to
from tallystick.domain.event import fingerprint_of_report, new_event
from tallystick.domain.fields import Fields
from tallystick.domain.instant import HOUR
from tallystick.domain.meter import OWN_QUANTITY, Aggregation, Meter
from tallystick.domain.quantity import SMALLEST, from_smallest
from tallystick.domain.recording import Recording, new_recording
from tallystick.domain.window import Window

UNITS: Final[tuple[int, ...]] = tuple(SMALLEST // 1_000**n for n in range(5))
"""What the quantities of a sheet are counted in: one, a thousandth, and so on to the smallest."""

AMOUNT_BITS: Final = 63
"""So large is a quantity of a sheet at most, counted so."""


def unit_of(smallest: Iterable[int]) -> int:
    """The largest unit that all of these smallest quantities are whole numbers of."""
    found: int = gcd(*smallest)
    return next(unit for unit in UNITS if found % unit == 0)


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

    `cell_of` says which of the cells an event counts in; of a part of a sheet, some cells have no
    event. A quantity is so many (`amounts`) times `unit` of the smallest quantities. `sent` gives
    (origin, body) of a place, which is asked for only where a dead letter keeps it.
    """

    cells: Sequence[Cell]
    cell_of: Sequence[int]
    keys: Sequence[str]
    occurred: Sequence[int]
    unit: int
    amounts: Sequence[int]
    properties: Sequence[str]
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
        cell = self.cell(place)
        event = new_event(
            cell.tenant,
            self.keys[place],
            cell.code,
            self.quantity(place),
            self.occurred[place],
            self.received_at,
            self.properties[place],
            self.fingerprint(place),
            None,
        )
        return new_recording(event, contributions_to(cell.places, event), *self.sent(place))

    def cell(self, place: int) -> Cell:
        return self.cells[self.cell_of[place]]

    def quantity(self, place: int) -> Decimal:
        return from_smallest(self.amounts[place] * self.unit)

    def fingerprint(self, place: int) -> str:
        """A plain report sent all that its event holds, so that the event tells it."""
        return fingerprint_of_report(
            self.cell(place).code,
            quantity=self.quantity(place),
            occurred_at=self.occurred[place],
            properties=self.properties[place],
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
            cells=self.cells,
            cell_of=list(compress(self.cell_of, wanted)),
            keys=list(compress(self.keys, wanted)),
            occurred=list(compress(self.occurred, wanted)),
            unit=self.unit,
            amounts=list(compress(self.amounts, wanted)),
            properties=list(compress(self.properties, wanted)),
            received_at=self.received_at,
            sent=lambda place: sent(places[place]),
        )


def sums_of(sheet: Sheet) -> tuple[dict[int, int], list[int]]:
    """(events, quantities) of each cell that has events, and of each cell: by its place among the
    cells, how many, and what they add up to in smallest quantities."""
    amounts = [0] * len(sheet.cells)
    for place, amount in zip(sheet.cell_of, sheet.amounts, strict=True):
        amounts[place] += amount
    return Counter(sheet.cell_of), [amount * sheet.unit for amount in amounts]


def counts_events(place: Place) -> bool:
    """Whether an event adds one there, and not its quantity."""
    return place.meter.aggregation is Aggregation.COUNT


def added_at(place: Place, events: int, quantity: int) -> int:
    """What so many events with this quantity in all add to a place's Aggregate, in smallest
    quantities."""
    return events * SMALLEST if counts_events(place) else quantity
