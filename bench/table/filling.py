"""Filling a store beforehand with as many keys as were asked for, or as time allows.

Through the store's own port, in batches as large as it likes: the file is then what it would be had
the server taken them. Not measured as a rate; what it did is told all the same.
"""

import time
from dataclasses import dataclass

from bench.table.ingest import Books
from bench.table.serving import Tallystick
from bench.table.usage import FILLED, TOGETHER, rules_of
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a fill came to: keys in the store, and its size."""

    keys: int
    asked: int
    seconds: float
    bytes_per_event: float


def fill(books: Books, server: Tallystick, keys: int, seconds: float) -> Filled:
    """Store the numbers up to `keys`, for so many seconds at most; the server must not run.

    What ended is sealed too, or the server would do it at its start, in the midst of a row.
    """
    began = time.perf_counter()
    store = server.open_store()
    try:
        rules = rules_of(store)
        while books.filled < keys and time.perf_counter() - began < seconds:
            numbers = range(books.filled, min(books.filled + TOGETHER, keys))
            store.events.record(books.usage.sheet(rules, numbers), books.usage.at)
            books.next_of[FILLED] = numbers.stop
        seal(store, {}, books.usage.at, limits=SealLimits())
    finally:
        store.close()
    return Filled(
        keys=books.filled,
        asked=keys,
        seconds=round(time.perf_counter() - began, 1),
        bytes_per_event=round(server.bytes_on_disk() / max(1, books.filled), 1),
    )
