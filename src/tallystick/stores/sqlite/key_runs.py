"""Sorted runs: (hash of the key, event id) on pages of the file, and filters over them in memory.

A page holds a checksum, the end of the hashes that it is for, and three columns: the low bits of
sorted hashes, the ids as distances from the run's first event, the high bits. The pages of a run
leave no gap between them, so that one that is missing is missed. Equal hashes never lie on two
pages. This is the one place that needs numpy, and it is imported only when there is a run to read
or to write.

    page        [0, 71)   [71, 160)   [160, 2^48)
    hashes      3 5 70    71 71 98    170 201
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
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
PAGE_KEYS: Final = 402
"""As many as fit into one page of the file."""

CHECKSUM_BYTES: Final = 4
END_BYTES: Final = 8
HEAD_BYTES: Final = CHECKSUM_BYTES + END_BYTES
LOW_BYTES: Final = 4
BYTES_A_KEY: Final = 10
LOW_BITS: Final = 32
ALL: Final = -1
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


class KeyPage:
    """A page that is what was written: it holds all hashes of the run from `first` to below `end`.
    Raises TornRun."""

    __slots__ = ("_body", "_count", "_first_event_id", "end", "first")

    def __init__(self, run: Run, first_hash: int, body: bytes) -> None:
        count, rest = divmod(len(body) - HEAD_BYTES, BYTES_A_KEY)
        content = memoryview(body)[CHECKSUM_BYTES:]
        if rest or count < 0 or _checksum(run.id, first_hash, content) != body[:CHECKSUM_BYTES]:
            raise TornRun(run)
        self.first = first_hash
        self.end = int.from_bytes(body[CHECKSUM_BYTES:HEAD_BYTES], "little")
        self._body = body
        self._count = count
        self._first_event_id = run.first_event_id

    def ids_of(self, key_hash: int) -> list[int]:
        """The events whose keys have this hash. For one hash, bytes are looked through sooner than
        columns are made of them."""
        body, found = self._body, []
        ids = HEAD_BYTES + LOW_BYTES * self._count
        high_bits = ids + LOW_BYTES * self._count
        wanted = key_hash.to_bytes(LOW_BYTES + 2, "little")
        low, high = wanted[:LOW_BYTES], wanted[LOW_BYTES:]
        at = body.find(low, HEAD_BYTES, ids)
        while at >= 0:
            place, aside = divmod(at - HEAD_BYTES, LOW_BYTES)
            if not aside and body.startswith(high, high_bits + 2 * place):
                start = ids + LOW_BYTES * place
                distance = int.from_bytes(body[start : start + LOW_BYTES], "little")
                found.append(self._first_event_id + distance)
            at = body.find(low, at + 1, ids)
        return found

    def columns(self) -> tuple[Hashes, Ids]:
        """(hashes, ids) of all."""
        count = self._count
        low, distances = np.frombuffer(self._body, U4, 2 * count, HEAD_BYTES).reshape(2, -1)
        high = np.frombuffer(self._body, U2, count, HEAD_BYTES + 2 * LOW_BYTES * count)
        hashes = high.astype(np.int64) << LOW_BITS | low
        return hashes, distances.astype(np.int64) + self._first_event_id


class Filter:
    """Which hashes a run may hold: never no for one that it does. One word for each hash, picked by
    its top bits, and four bits in it by the lowest; so that half the words still do."""

    def __init__(self, count: int) -> None:
        self._words: NDArray[np.uint64] = np.zeros(filter_words(count), np.uint64)
        self._shift = HASH_BITS - (len(self._words) - 1).bit_length()
        self._plain = self._words.data
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

    def may_hold(self, key_hash: int) -> bool:
        """The same of one, for a hundredth of what a call of numpy takes."""
        bits = 1 << (key_hash & 63) | 1 << (key_hash >> 6 & 63)
        bits |= 1 << (key_hash >> 12 & 63) | 1 << (key_hash >> 18 & 63)
        return self._plain[key_hash >> self._shift] & bits == bits

    def halve(self) -> bool:
        """Half the memory, and more hashes that are looked up in vain."""
        if len(self._words) == 1:
            return False
        self._words = self._words[0::2] | self._words[1::2]
        self._plain = self._words.data
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


def ids_in_pages(
    db: apsw.Connection, run: Run, hashes: Iterable[int]
) -> Iterator[tuple[int, list[int]]]:
    """(hash, events of the run whose keys have it) of those of these hashes that the run holds;
    where they are sorted, each page is read once. Raises TornRun."""
    page = None
    for key_hash in hashes:
        if not run.holds(key_hash):
            continue
        if page is None or not page.first <= key_hash < page.end:
            page = _page_with(db, run, key_hash)
        ids = page.ids_of(key_hash)
        if ids:
            yield key_hash, ids


def _page_with(db: apsw.Connection, run: Run, key_hash: int) -> KeyPage:
    row = db.execute(sql.SELECT_PAGE, (run.id, key_hash)).fetchone()
    if row is None:
        raise TornRun(run)
    page = KeyPage(run, *row)
    if key_hash >= page.end:
        raise TornRun(run)  # the page after this one is missing
    return page


def fill(db: apsw.Connection, run: Run, found: Filter, pages: int) -> int:
    """Add to the filter what the run came to hold since it was filled last, of so many pages at
    most. How many were read. Raises TornRun."""
    first = max(found.filled_below, run.held_from)
    read = [page for _, page in _pages(db, run, first, run.held_below, pages)]
    if read:
        found.add(np.concatenate([page.columns()[0] for page in read]))
        first = read[-1].end
    found.filled_below = run.held_below if len(read) < pages else first
    return len(read)


def _pages(
    db: apsw.Connection, run: Run, first: int, below: int, limit: int = ALL
) -> Iterator[tuple[int, KeyPage]]:
    """(id, page) of the pages with hashes in the range, in order; the first ones of them, where
    there is a limit. Raises TornRun."""
    if first >= below:
        return
    count, end = 0, first
    bounds = (run.id, run.id, first, below, limit)
    for page_id, first_hash, body in db.execute(sql.SELECT_PAGES, bounds):
        page = KeyPage(run, first_hash, body)
        if first_hash != end and (count or not first_hash < first < page.end):
            raise TornRun(run)
        count, end = count + 1, page.end
        yield page_id, page
    if end < below and count != limit:
        raise TornRun(run)


def _checksum(run_id: int, first_hash: int, content: bytes | memoryview) -> bytes:
    found = zlib.crc32(content, zlib.crc32(b"%d %d" % (run_id, first_hash)))
    return found.to_bytes(CHECKSUM_BYTES, "little")


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────


def write_run(
    db: apsw.Connection, first_event_id: int, last_event_id: int, keys: Sequence[tuple[int, int]]
) -> Run:
    """A run of level 1 with these (hash, event id)."""
    columns = np.fromiter(chain.from_iterable(keys), np.int64, 2 * len(keys)).reshape(-1, 2)
    hashes, ids = _sorted(columns[:, 0], columns[:, 1])
    row = (1, first_event_id, last_event_id, len(keys), 0, TOP)
    run = run_with(db, row_of(db, sql.INSERT_RUN, row)[0])
    _write_pages(db, run, (0, TOP), hashes, ids)
    return run


def run_with(db: apsw.Connection, run_id: int) -> Run:
    return next(run for run in runs_of(db) if run.id == run_id)


def _sorted(hashes: Hashes, ids: Ids) -> tuple[Hashes, Ids]:
    order = hashes.argsort(kind="stable")
    return hashes[order], ids[order]


def _write_pages(
    db: apsw.Connection, run: Run, within: tuple[int, int], hashes: Hashes, ids: Ids
) -> None:
    """Pages for the hashes from and to below `within`, with these in them, which are sorted."""
    distances = (ids - run.first_event_id).astype(U4)
    low, high = hashes.astype(U4), (hashes >> LOW_BITS).astype(U2)
    rows = []
    start, (first, end) = 0, within
    while first < end:
        stop = min(start + PAGE_KEYS, len(hashes))
        below = end if stop == len(hashes) else int(hashes[stop - 1]) + 1
        stop = int(hashes.searchsorted(below))
        columns = b"".join(part[start:stop].tobytes() for part in (low, distances, high))
        content = below.to_bytes(END_BYTES, "little") + columns
        rows.append((run.id, first, _checksum(run.id, first, content) + content))
        start, first = stop, below
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
    row = (sources[0].level + 1, first, last, keys, 0, 0)
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
    _write_pages(db, output, (low, high), *_sorted(hashes, ids))
    db.execute(sql.HOLD_BELOW, (high, output.id))
    db.executemany(sql.HOLD_FROM, [(high, source.id) for source in found.sources])
    if high == TOP:
        db.execute(sql.DELETE_MERGED_RUNS, (output.id,))


def _taken(db: apsw.Connection, source: Run, low: int, high: int) -> list[tuple[Hashes, Ids]]:
    """What the run holds in the range. Pages that are read to their end are deleted."""
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    ended = []
    for page_id, page in _pages(db, source, low, high):
        hashes, ids = page.columns()
        first, last = hashes.searchsorted((low, high))
        found.append((hashes[first:last], ids[first:last]))
        if page.end <= high:
            ended.append((page_id,))
    db.executemany(sql.DELETE_PAGE, ended)
    return found
