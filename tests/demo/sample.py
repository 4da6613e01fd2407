"""A small sample in the form of the real one: a few airlines over a few days."""

import csv
import io
import zipfile
from pathlib import Path

from tallystick.domain.instant import DAY, HOUR, format_instant
from tallystick.entrypoints.demo.catalog import ANCHOR
from tallystick.entrypoints.demo.dice import Dice

HEADER = (
    *("year", "month", "day", "dep_time", "arr_delay", "carrier", "flight", "tailnum"),
    *("origin", "air_time", "distance", "hour", "minute", "time_hour"),
)


def row(at: int, carrier: str = "UA", flight: int = 1, **changed: object) -> dict[str, object]:
    """One line: a flight of a carrier in the UTC hour of `at`."""
    day = (at - ANCHOR) // DAY + 1
    told: dict[str, object] = {
        "year": 2013,
        "month": 1,
        "day": day,
        "dep_time": 517,
        "arr_delay": 11,
        "carrier": carrier,
        "flight": flight,
        "tailnum": "N14228",
        "origin": "EWR",
        "air_time": 227,
        "distance": 1400,
        "hour": 5,
        "minute": 15,
        "time_hour": format_instant(at - at % HOUR),
    }
    return told | changed


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    """The rows as the package holds them: a zipped CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(rows)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("flights.csv", text.getvalue())
    return path


def small_sample(path: Path, days: int) -> Path:
    """Some 80 flights a day of three airlines, one of them always early."""
    dice, rows = Dice(7), []
    for hour in range(days * 24):
        at = ANCHOR + hour * HOUR
        for number in range(dice.below(7, "how many", hour)):
            carrier = ("UA", "B6", "HA")[dice.below(3, "carrier", hour, number)]
            delay = dice.below(90, "delay", hour, number) - (100 if carrier == "HA" else 20)
            rows.append(
                row(
                    at,
                    carrier,
                    hour * 10 + number,
                    arr_delay=delay,
                    distance=100 + dice.below(2_000, "distance", hour, number),
                    tailnum=f"N{dice.below(40, 'tail', hour, number)}",
                    minute=dice.below(60, "minute", hour, number),
                )
            )
    return written(path, rows)
