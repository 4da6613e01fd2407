"""Which events may have a key: candidates, never verdicts.

    recent keys    a table in memory, of what was committed since the last run was written
    older keys     sorted runs on pages of the file, each behind a filter in memory
    what settles   the event itself: whoever asks reads it, and compares tenant, key and content

Nothing here needs to survive: runs say up to which event they reach, and everything beyond is read
from the events when the file is opened. A key becomes known to other transactions only after its
own was committed. What follows from a lost, torn or forged page is more work, and no wrong answer.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import apsw

from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.covering import cover, runs_of
from tallystick.stores.sqlite.key_hashes import KeyHash, hashed_events
from tallystick.stores.sqlite.sizes import Sizes

if TYPE_CHECKING:
    from tallystick.stores.sqlite.key_runs import Filter, Hashes, Merge, Run

FIRST_LEVEL: Final = 1
WORK_A_KEY: Final = 8
"""So many keys are merged for each that is new: more than there are levels, so that merging never
falls behind."""

MANY: Final = 32
"""From so many on, columns are quicker than one hash after the other."""

Known = dict[int, list[int]]
"""Candidates by hash."""


@dataclass(slots=True, eq=False)
class Recent:
    """Keys of the events with after < id <= last."""

    after: int
    last: int
    ids: dict[int, int] = field(default_factory=dict)
    twins: Known = field(default_factory=dict)
    """The further events of a hash, where two keys have the same."""

    def add(self, key_hash: int, event_id: int) -> None:
        if self.ids.setdefault(key_hash, event_id) != event_id:
            self.twins.setdefault(key_hash, []).append(event_id)

    def add_all(self, keys: Sequence[tuple[int, int]]) -> None:
        """Add each (hash, event id); at once, where no two share a hash, as is nearly always so."""
        later = dict(keys)
        if len(later) == len(keys) and self.ids.keys().isdisjoint(later):
            self.ids |= later
            return
        for key_hash, event_id in keys:
            self.add(key_hash, event_id)

    def absorb(self, later: "Recent") -> None:
        """Take over what follows. The end is moved last, since readers look at it first."""
        for key_hash in self.ids.keys() & later.ids.keys():
            self.add(key_hash, later.ids.pop(key_hash))
        self.ids.update(later.ids)
        for key_hash, ids in later.twins.items():
            for event_id in ids:
                self.add(key_hash, event_id)
        self.last = later.last

    def find(self, asked: set[int], known: Known) -> None:
        for key_hash in self.ids.keys() & asked:
            known.setdefault(key_hash, []).extend(self.of(key_hash))

    def of(self, key_hash: int) -> Iterator[int]:
        if key_hash in self.ids:
            yield self.ids[key_hash]
            yield from self.twins.get(key_hash, ())

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(hash, event id) of all."""
        yield from self.ids.items()
        for key_hash, ids in self.twins.items():
            for event_id in ids:
                yield key_hash, event_id


class KeyIndex:
    """The writer's: it sees every key that its transaction sees. One thread at a time."""

    def __init__(self, key_hash: KeyHash, sizes: Sizes) -> None:
        self.key_hash = key_hash
        self._sizes = sizes
        self._recents: tuple[Recent, ...] = ()
        """One after the other, without a gap. Replaced, never changed: readers may hold one."""
        self._uncommitted = Recent(0, 0)
        self._runs: tuple[Run, ...] = ()
        self._filters: dict[int, Filter] = {}
        """By the marks of their runs."""
        self._work = 0
        self._came = 0
        """Keys that were looked up since filters were last filled."""

    @property
    def recents(self) -> tuple[Recent, ...]:
        """What a reader may look into, and has to verify."""
        return self._recents

    # ── What a transaction sees ───────────────────────────────────────────────────────────────

    def resume(
        self, db: apsw.Connection, last_id: int, *, is_as_left: bool, is_first: bool
    ) -> None:
        """Begin a call. `is_as_left`: nobody wrote since the last one, and nothing of it was
        undone. `is_first`: of its transaction, so that all it sees is committed."""
        if not is_as_left:
            self._read_runs(db)
            self._uncommitted = self._read(db, self._known_last(), last_id)
        if is_first:
            self._commit()
            self._fill_filters(db)

    def _known_last(self) -> int:
        return self._recents[-1].last

    def _read_runs(self, db: apsw.Connection) -> None:
        self._runs = runs_of(db)
        covered = self._covered()
        if not (self._recents and self._recents[0].after <= covered <= self._known_last()):
            # Another program went far ahead, or a run is gone that these keys had been left to.
            self._recents = (Recent(covered, covered),)
        self._drop_filters()

    def _read(self, db: apsw.Connection, after: int, upto: int) -> Recent:
        found = Recent(after, upto)
        for key_hash, event_id in hashed_events(db, self.key_hash, after, upto):
            found.add(key_hash, event_id)
        return found

    def _covered(self) -> int:
        """The last event that a run holds."""
        return max((run.last_event_id for run in self._runs), default=0)

    def _commit(self) -> None:
        """Everything that this transaction sees is committed."""
        recents = self._recents
        last = recents[-1]
        last.absorb(self._uncommitted)
        self._uncommitted = Recent(last.last, last.last)
        covered = self._covered()
        kept = tuple(recent for recent in recents if recent.last > covered or recent is last)
        if kept != recents:
            self._recents = kept

    def add(self, keys: Sequence[tuple[int, int]], last_id: int) -> None:
        """Keys of events that this transaction stored."""
        self._uncommitted.add_all(keys)
        self._uncommitted.last = last_id

    # ── Looking up ────────────────────────────────────────────────────────────────────────────

    def candidates(self, db: apsw.Connection, hashes: Sequence[int]) -> Known:
        """The events that may have a key with one of these hashes."""
        known: Known = {}
        asked = set(hashes)
        self._came += len(asked)
        for recent in (*self._recents, self._uncommitted):
            recent.find(asked, known)
        if self._runs:
            self._find_in_runs(db, asked, known)
        return known

    def _find_in_runs(self, db: apsw.Connection, asked: set[int], known: Known) -> None:
        from tallystick.stores.sqlite.key_runs import TornRun, ids_in_pages  # noqa: PLC0415

        hashes = sorted(asked)
        column = _column_of(hashes) if len(hashes) >= MANY else None
        for run in self._runs:
            if self._is_in_memory(run):
                continue
            possible = self._possible(run, hashes, column)
            try:
                for key_hash, ids in ids_in_pages(db, run, possible):
                    known.setdefault(key_hash, []).extend(ids)
            except TornRun:
                self._make_again(db, run)
                self._find_in_runs(db, asked, known)
                return

    def _is_in_memory(self, run: "Run") -> bool:
        return run.first_event_id > self._recents[0].after

    def _possible(self, run: "Run", hashes: list[int], column: "Hashes | None") -> Iterable[int]:
        """Those of sorted hashes that the run may hold; of what its filter was not filled with
        yet, all. `column`: the same where there are many, and None where there are few."""
        found = self._filters.get(run.mark)
        if found is None:
            return hashes
        below = bisect_left(hashes, found.filled_below)
        if column is None:
            return [*filter(found.may_hold, hashes[:below]), *hashes[below:]]
        return [*found.possible(column[:below]).tolist(), *hashes[below:]]

    def _fill_filters(self, db: apsw.Connection) -> None:
        """A slice at a time, larger where larger calls come, the smallest runs first: of each run
        without a filter, every key costs a look at a page. With what is committed only: what was
        undone and done again may lie on other pages."""
        self._drop_filters()
        left, self._came = max(self._sizes.filled_pages, self._came), 0
        for run in sorted(self._runs, key=lambda one: one.keys):
            found = self._filters.get(run.mark)
            if self._is_in_memory(run) or (found and found.filled_below == run.held_below):
                continue
            from tallystick.stores.sqlite.key_runs import Filter, TornRun, fill  # noqa: PLC0415

            if found is None:
                # Before it is filled, so that it never takes more than it may.
                found = self._filters[run.mark] = Filter(run.keys)
                self._bound_filters()
            try:
                left -= fill(db, run, found, left)
            except TornRun:
                self._make_again(db, run)
                self._fill_filters(db)
                return
            if not left:
                return

    def _drop_filters(self) -> None:
        """Those of runs that are gone, or they would take the memory that others need."""
        marks = {run.mark for run in self._runs}
        for mark in self._filters.keys() - marks:
            del self._filters[mark]

    def _bound_filters(self) -> None:
        filters = self._filters.values()
        while sum(one.size for one in filters) > self._sizes.filters_max:
            if not max(filters, key=lambda one: one.size).halve():
                return

    # ── Upkeep, a slice at a time ─────────────────────────────────────────────────────────────

    def keep_up(self, db: apsw.Connection, added: int) -> None:
        """What is due after so many new keys: a run of the recent ones, and slices of merges."""
        if not added:
            return  # Whoever undoes this call has to be seen by the events that are gone.
        recents = [recent for recent in self._recents if recent.last > self._covered()]
        if sum(len(recent.ids) for recent in recents) >= self._sizes.recent_max:
            self._write_run(db, recents)
        if not self._runs:
            return
        self._work += added * WORK_A_KEY
        while self._work >= self._sizes.slice_keys:
            # A large call owes several slices, or runs would become more and more.
            self._work = self._work - self._sizes.slice_keys if self._merge(db) else 0

    def _write_run(self, db: apsw.Connection, recents: list[Recent]) -> None:
        from tallystick.stores.sqlite.key_runs import write_run  # noqa: PLC0415

        covered, last = max(self._covered(), recents[0].after), recents[-1].last
        pairs = [pair for recent in recents for pair in recent.pairs() if pair[1] > covered]
        write_run(db, covered + 1, last, pairs)
        self._runs = runs_of(db)
        # What comes after goes into another table: this one is of no use once the run is committed.
        self._recents = (*self._recents, Recent(last, last))

    def _merge(self, db: apsw.Connection) -> bool:
        """Move a slice of the lowest merge; whether there was one."""
        from tallystick.stores.sqlite.key_runs import TornRun, merge_slice  # noqa: PLC0415

        self._begin_merges(db)
        merge = self._lowest_merge()
        if merge is None:
            return False
        try:
            merge_slice(db, merge, self._sizes.slice_keys)
        except TornRun as torn:
            self._make_again(db, torn.run)
        self._runs = runs_of(db)
        return True

    def _begin_merges(self, db: apsw.Connection) -> None:
        from tallystick.stores.sqlite.key_runs import begin_merge  # noqa: PLC0415

        idle = [run for run in self._runs if run.into_id is None and run.is_whole]
        for level in {run.level for run in idle}:
            sources = [run for run in idle if run.level == level]
            if len(sources) >= self._sizes.fan_in:
                begin_merge(db, sources)
                self._runs = runs_of(db)

    def _lowest_merge(self) -> "Merge | None":
        from tallystick.stores.sqlite.key_runs import Merge  # noqa: PLC0415

        merges = []
        for output in self._runs:
            sources = tuple(run for run in self._runs if run.into_id == output.id)
            if sources:
                merges.append(Merge(output, sources))
        return min(merges, key=lambda merge: merge.output.level, default=None)

    def _make_again(self, db: apsw.Connection, torn: "Run") -> None:
        """Write runs anew for the events of a damaged one, and of those that it is merged with."""
        output_id = torn.into_id or torn.id
        gone = [run for run in self._runs if output_id in (run.id, run.into_id)]
        for run in gone:
            db.execute(sql.DELETE_RUN, (run.id,))
            db.execute(sql.DELETE_PAGES_OF, (run.id,))
        first = min(run.first_event_id for run in gone)
        last = max(run.last_event_id for run in gone)
        cover(db, self.key_hash, self._sizes, first - 1, last)
        self._read_runs(db)


def _column_of(hashes: list[int]) -> "Hashes":
    import numpy as np  # noqa: PLC0415  # only a store with runs needs it

    return np.array(hashes, np.int64)
