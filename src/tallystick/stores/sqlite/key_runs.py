"""Sorted runs: (hash of the key, event id) on pages of the file, and filters over them in memory.

A page holds a checksum and three columns: the low bits of sorted hashes, the ids as distances from
the run's first event, the high bits. Equal hashes never lie on two pages. This is the one place
that needs numpy, and it is imported only when there is a run to read or to write.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.pages import row_of
from tallystick.stores.sqlite.sizes import HASH_BITS, WORD_BITS, filter_words

TOP: Final = 1 << HASH_BITS
PAGE_KEYS: Final = 403
"""As many as fit into one page of the file."""

CHECKSUM_BYTES: Final = 4
BYTES_A_KEY: Final = 10
LOW_BITS: Final = 32
U4: Final = np.dtype("<u4")
U2: Final = np.dtype("<u2")
Hashes = NDArray[np.int64]
Ids = NDArray[np.int64]


class Run(NamedTuple):
    """A row of `key_run`."""

    id: int
    mark: int
    level: int
    first_event_id: int
    last_event_id: int
    keys: int
    held: int
    held_from: int
    held_below: int
    into_id: int | None

    @property
    def is_whole(self) -> bool:
        return self.held_from == 0 and self.held_below == TOP

    def holds(self, key_hash: int) -> bool:
        return self.held_from <= key_hash < self.held_below


class TornRun(Exception):
    """A run is not what was written: it has to be made again from the segments."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.id} of the index of keys is damaged")
        self.run = run


class Filter:
    """Which hashes a run may hold: never no for one that it does. One word for each hash, picked by
    its top bits, and four bits in it by the lowest; so that half the words still do."""

    def __init__(self, count: int) -> None:
        self._words: NDArray[np.uint64] = np.zeros(filter_words(count), np.uint64)
        self._shift = HASH_BITS - (len(self._words) - 1).bit_length()
        self.filled_below = 0

    @property
    def size(self) -> int:
        """In bytes."""
        return int(self._words.nbytes)

    def add(self, hashes: Hashes) -> None:
        """Add hashes that are sorted."""
        if not len(hashes):
            return
        place = hashes >> np.int64(self._shift)
        starts = np.flatnonzero(np.diff(place, prepend=np.int64(-1)))
        bits = np.bitwise_or.reduceat(_bits(hashes), starts)
        self._words[place[starts]] |= bits

    def holds(self, hashes: Hashes) -> NDArray[np.bool_]:
        bits = _bits(hashes)
        found: NDArray[np.bool_] = (self._words[hashes >> np.int64(self._shift)] & bits) == bits
        return found

    def possible(self, hashes: Hashes) -> Hashes:
        """Those of them that the run may hold."""
        return hashes[self.holds(hashes)]

    def halve(self) -> bool:
        """Half the memory, and more hashes that are looked up in vain."""
        if len(self._words) == 1:
            return False
        self._words = self._words[0::2] | self._words[1::2]
        self._shift += 1
        return True


def _bits(hashes: Hashes) -> NDArray[np.uint64]:
    low = hashes.astype(np.uint64)
    one, mask = np.uint64(1), np.uint64(WORD_BITS - 1)
    bits = one << (low & mask)
    for shift in (6, 12, 18):
        bits |= one << ((low >> np.uint64(shift)) & mask)
    return bits


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def runs_of(db: apsw.Connection) -> tuple[Run, ...]:
    return tuple([Run(*row) for row in db.execute(sql.SELECT_RUNS)])


def ids_in_run(db: apsw.Connection, run: Run, key_hash: int) -> list[int]:
    """The events of the run whose keys have this hash. Raises TornRun."""
    if not run.holds(key_hash):
        return []
    row = db.execute(sql.SELECT_PAGE, (run.id, key_hash)).fetchone()
    if row is None:
        return []
    hashes, ids = _unpacked(run, *row)
    first, last = hashes.searchsorted((key_hash, key_hash + 1))
    found: list[int] = ids[first:last].tolist()
    return found


def ids_in_pages(db: apsw.Connection, run: Run, hashes: Hashes) -> Iterator[tuple[int, list[int]]]:
    """(hash, events of the run whose keys have it) of those of these sorted hashes that the run
    holds; each page is read once. Raises TornRun."""
    asked = hashes[(hashes >= run.held_from) & (hashes < run.held_below)]
    start = 0
    while start < len(asked):
        row = db.execute(sql.SELECT_PAGE, (run.id, int(asked[start]))).fetchone()
        if row is None:
            start += 1
            continue
        held, ids = _unpacked(run, *row)
        end = max(start + 1, int(asked.searchsorted(held[-1], side="right")))
        part = asked[start:end]
        first, last = held.searchsorted(part), held.searchsorted(part, side="right")
        for place in np.flatnonzero(last > first).tolist():
            yield int(part[place]), ids[first[place] : last[place]].tolist()
        start = end


def fill(db: apsw.Connection, run: Run, found: Filter) -> None:
    """Add to the filter what the run came to hold since it was filled last. Raises TornRun."""
    held = 0
    for _, hashes, _ in _pages(db, run, found.filled_below, run.held_below):
        held += len(hashes) - int(hashes.searchsorted(run.held_from))
        found.add(hashes)
    if found.filled_below == 0 and held != run.held:
        raise TornRun(run)
    found.filled_below = run.held_below


def _pages(
    db: apsw.Connection, run: Run, first: int, below: int
) -> Iterator[tuple[int, Hashes, Ids]]:
    """(page, hashes, ids) of the pages that begin in the range."""
    for page_id, first_hash, body in db.execute(sql.SELECT_PAGES, (run.id, first, below)):
        yield page_id, *_unpacked(run, first_hash, body)


def _unpacked(run: Run, first_hash: int, body: bytes) -> tuple[Hashes, Ids]:
    count, rest = divmod(len(body) - CHECKSUM_BYTES, BYTES_A_KEY)
    if rest or count < 1 or _checksum(run.id, body[CHECKSUM_BYTES:]) != body[:CHECKSUM_BYTES]:
        raise TornRun(run)
    low, distances = np.frombuffer(body, U4, 2 * count, CHECKSUM_BYTES).reshape(2, -1)
    high = np.frombuffer(body, U2, count, CHECKSUM_BYTES + 8 * count)
    hashes = high.astype(np.int64) << LOW_BITS | low
    if hashes[0] != first_hash:
        raise TornRun(run)  # a page of this run, in another's place
    return hashes, distances.astype(np.int64) + run.first_event_id


def _checksum(run_id: int, columns: bytes) -> bytes:
    found = zlib.crc32(columns, run_id & 0xFFFF_FFFF)
    return found.to_bytes(CHECKSUM_BYTES, "little")


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────


def write_run(
    db: apsw.Connection, first_event_id: int, last_event_id: int, keys: Sequence[tuple[int, int]]
) -> Run:
    """A run of level 1 with these (hash, event id)."""
    columns = np.fromiter(chain.from_iterable(keys), np.int64, 2 * len(keys)).reshape(-1, 2)
    hashes, ids = _sorted(columns[:, 0], columns[:, 1])
    row = (1, first_event_id, last_event_id, len(keys), len(keys), 0, TOP)
    (run_id,) = row_of(db, sql.INSERT_RUN, row)
    _write_pages(db, run_id, first_event_id, hashes, ids)
    return run_with(db, run_id)


def run_with(db: apsw.Connection, run_id: int) -> Run:
    return next(run for run in runs_of(db) if run.id == run_id)


def _sorted(hashes: Hashes, ids: Ids) -> tuple[Hashes, Ids]:
    order = hashes.argsort(kind="stable")
    return hashes[order], ids[order]


def _write_pages(
    db: apsw.Connection, run_id: int, first_event_id: int, hashes: Hashes, ids: Ids
) -> None:
    distances = (ids - first_event_id).astype(U4)
    low, high = hashes.astype(U4), (hashes >> LOW_BITS).astype(U2)
    rows = []
    start = 0
    while start < len(hashes):
        end = min(start + PAGE_KEYS, len(hashes))
        end = int(hashes.searchsorted(hashes[end - 1], side="right"))
        columns = b"".join(part[start:end].tobytes() for part in (low, distances, high))
        rows.append((run_id, int(hashes[start]), _checksum(run_id, columns) + columns))
        start = end
    db.executemany(sql.INSERT_PAGE, rows)


@dataclass(frozen=True, slots=True)
class Merge:
    """Runs on their way into one."""

    output: Run
    sources: tuple[Run, ...]


def begin_merge(db: apsw.Connection, sources: Sequence[Run]) -> None:
    """Make the run that is to hold what these hold; nothing moves yet."""
    first = min(run.first_event_id for run in sources)
    last = max(run.last_event_id for run in sources)
    keys = sum(run.keys for run in sources)
    row = (sources[0].level + 1, first, last, keys, 0, 0, 0)
    (output_id,) = row_of(db, sql.INSERT_RUN, row)
    db.executemany(sql.LEAD_RUN_INTO, [(output_id, run.id) for run in sources])


def merge_slice(db: apsw.Connection, found: Merge, keys: int) -> None:
    """Move about so many keys, the lowest that have not moved, into the new run."""
    output = found.output
    low = output.held_below
    high = min(TOP, low + max(1, TOP * keys // max(1, output.keys)))
    moved = [_taken(db, source, low, high) for source in found.sources]
    hashes = np.concatenate([hashes for part in moved for hashes, _ in part])
    ids = np.concatenate([ids for part in moved for _, ids in part])
    _write_pages(db, output.id, output.first_event_id, *_sorted(hashes, ids))
    db.execute(sql.HOLD_BELOW, (high, len(hashes), output.id))
    for source, part in zip(found.sources, moved, strict=True):
        count = sum(len(hashes) for hashes, _ in part)
        db.execute(sql.HOLD_FROM, (high, count, source.id))
    if high == TOP:
        db.execute(sql.DELETE_MERGED_RUNS, (output.id,))


def _taken(db: apsw.Connection, source: Run, low: int, high: int) -> list[tuple[Hashes, Ids]]:
    """What the run holds in the range. Pages that are read to their end are deleted."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    ended = []
    for page_id, hashes, ids in _pages(db, source, 0, high):
        first, last = hashes.searchsorted((low, high))
        found.append((hashes[first:last], ids[first:last]))
        if hashes[-1] < high:
            ended.append((page_id,))
    db.executemany(sql.DELETE_PAGE, ended)
    return found
