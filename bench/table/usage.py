"""The usage that is reported: the n-th event is always the same, whoever sends or stores it.

200 tenants on 5 meters, one of 1,000 series drawn for each event; a CloudEvent of about 190 bytes
with a quantity of thousands that occur, a time, and one property. Numbers make spaces: those below
LIVE fill a store beforehand, spread over the 24 hours before the run; those from LIVE on occur in
the hour in which they are sent. An event that is sent again is made again from its number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from tallystick.domain.instant import (
    HOUR,
    LATEST,
    SECOND,
    floor_hour,
    format_instant,
)
from tallystick.domain.meter import Meter
from tallystick.domain.sheet import Sheet
from tallystick.domain.tenant import Tenant
from tallystick.ports import Override, Store
from tallystick.stages.ingesting import intake_of
from tallystick.stages.metering import Rulebook
from tallystick.stages.tabulating import Named, Part, PlainReports, sheet_of, tabulated

TENANTS: Final = 200
CODES: Final = ("requests", "tokens", "storage", "seats", "builds")
SERIES: Final = TENANTS * len(CODES)
REGIONS: Final = 3
VARIANTS: Final = 64
QUANTITIES: Final = 9_973
VARIED: Final = 15_000  # microseconds from one variant to the next
HOURS_FILLED: Final = 24
TOGETHER: Final = 10_000
"""So many of those stored beforehand follow each other in one hour, as usage comes."""

FILLED: Final = 0
LIVE: Final = 1 << 40
ORDERED: Final = 1 << 41
"""From here on keys rise with time, as those of UUIDv7 or ULID do; below they are scattered."""

SPACES: Final = (FILLED, LIVE, ORDERED)

SCATTER: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that each number has its own key
KEYS: Final = (1 << 128) - 1
SOURCE: Final = "api"
WHO: Final = Override(at=0, who="bench", why="bench", action="save", subject="catalog")


def series_of(number: int) -> int:
    """Drawn by the number: a batch of 1,000 touches about 630 of the 1,000 series."""
    return (number * 2_654_435_761 >> 12) % SERIES


def variant_of(number: int) -> int:
    """Live events of a series are of many quantities and times, or a server that remembers what it
    has read would be measured at its best."""
    return (number * 2_246_822_519 >> 7) % VARIANTS if number >= LIVE else 0


def quantity_of(number: int) -> int:
    return 1 + (series_of(number) * VARIANTS + variant_of(number)) % QUANTITIES


def key_of_number(number: int) -> bytes:
    if number >= ORDERED:
        return b"%032x" % number
    return b"%032x" % (number * SCATTER & KEYS)


def many(events: list[bytes]) -> bytes:
    return b"[" + b",".join(events) + b"]"


def tenant_name(number: int) -> str:
    return f"tenant-{number:03d}"


@dataclass(frozen=True)
class Usage:
    """The events of one run, which began at `at`; what is sent live now is of `live_at`'s hour.
    Instants in microseconds."""

    at: int
    live_at: int

    @cached_property
    def _live_openings(self) -> dict[tuple[int, int], bytes]:
        """Those made so far: a sender must make events faster than any server reads them."""
        return {}

    def occurred(self, number: int) -> int:
        series = series_of(number)
        if number >= LIVE:
            hour = floor_hour(self.live_at)
            second = hour + series % (1 + (self.live_at - hour) // SECOND) * SECOND
            return min(second + variant_of(number) * VARIED, self.live_at)
        hour = floor_hour(self.at)
        hours_before = 1 + number // TOGETHER % HOURS_FILLED
        return hour - hours_before * HOUR + series % 3_600 * SECOND

    def event(self, number: int) -> bytes:
        return self.opening(number) + key_of_number(number) + b'"}'

    def opening(self, number: int) -> bytes:
        """All of the event but its id."""
        series = series_of(number)
        if number < LIVE:
            return stored_opening(series, self.occurred(number), quantity_of(number))
        place = (series, variant_of(number))
        found = self._live_openings.get(place)
        if found is None:
            found = opening_of(series, self.occurred(number), quantity_of(number))
            self._live_openings[place] = found
        return found

    def sheet(self, rules: Rulebook, numbers: Sequence[int]) -> Sheet:
        """The same events as the server would have the store record them: read, and metered by
        the product. Only the first of a series is read as text."""
        names: dict[Named, int] = {}
        cell_of, keys, occurred, amounts, properties = [], [], [], [], []
        for number in numbers:
            series = series_of(number)
            at, model = self.occurred(number), model_of(quantity_of(number), series % REGIONS)
            named = (tenant_name(series // len(CODES)), CODES[series % len(CODES)], at // HOUR)
            cell_of.append(names.setdefault(named, len(names)))
            keys.append(model.keys[0][: -len(ZEROS)] + key_of_number(number).decode())
            occurred.append(at)
            amounts.append(model.amounts[0])
            properties.append(model.properties[0])
        part = Part(
            named=list(names),
            cell_of=cell_of,
            keys=keys,
            occurred=occurred,
            unit=model_of(1, 0).unit,
            amounts=amounts,
            properties=properties,
            ordinary=lambda: (),
        )
        found = sheet_of(
            PlainReports((part,)), rules, self.at, latest=LATEST, sent=lambda _: ("", "")
        )
        if found is None:
            raise SystemExit("the benchmark's own events are not plain")
        return found


def rules_of(store: Store) -> Rulebook:
    """The rules of a store by which usage is metered."""
    rules = intake_of(store).rules
    rules.refresh()
    return rules


ZEROS: Final = "0" * 32


def opening_of(series: int, occurred: int, quantity: int) -> bytes:
    """All of an event but its id, which stands last."""
    text = (
        f'{{"specversion":"1.0","type":"{CODES[series % len(CODES)]}","source":"{SOURCE}",'
        f'"subject":"{tenant_name(series // len(CODES))}","time":"{format_instant(occurred)}",'
        f'"data":{{"quantity":{quantity},"region":"eu-{series % REGIONS}"}},"id":"'
    )
    return text.encode()


stored_opening: Final = cache(opening_of)


@cache
def model_of(quantity: int, region: int) -> Part:
    """An event of this quantity and region, as the server reads a batch of it alone."""
    body = many([opening_of(region, 0, quantity) + ZEROS.encode() + b'"}'])
    found = tabulated(body, ordinary=lambda: ())
    if found is None:
        raise SystemExit("the benchmark's own event is not plain")
    return found.parts[0]


def set_up_catalog(store: Store) -> None:
    """The tenants and their meters."""
    for number in range(TENANTS):
        store.catalog.save(Tenant(id=tenant_name(number)), WHO)
    for code in CODES:
        store.catalog.save(Meter(id=code, code=code), WHO)


def expected_total(numbers: Iterable[int]) -> int:
    """The sum of the quantities of these events."""
    return sum(map(quantity_of, numbers))
