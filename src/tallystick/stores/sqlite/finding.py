"""Finding an event by its key, in one transaction or snapshot, and being certain of it."""

from collections.abc import Iterable, Iterator, Sequence

import apsw

from tallystick.stores.sqlite import segment_statements as segments_sql
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.key_hashes import KeyHash, last_event
from tallystick.stores.sqlite.key_index import Recent
from tallystick.stores.sqlite.stored import Stored


def matching(stored: Stored, candidates: Iterable[int], tenant_id: int, key: str) -> int | None:
    """The event that has this key: a hash alone says nothing."""
    for event_id in candidates:
        if stored.name(event_id) == (tenant_id, key):
            return event_id
    return None


def find_event(
    db: apsw.Connection, key_hash: KeyHash, recents: Sequence[Recent], tenant: str, key: str
) -> int | None:
    """The event with this key, or None. For readers: the recents may be older or newer than the
    snapshot, so that what they and the runs do not cover is looked through."""
    row = db.execute(sql.SELECT_EVENT_TENANT, (tenant,)).fetchone()
    if row is None:
        return None
    stored, tenant_id = Stored(db), int(row[0])
    found = matching(stored, _in_memory(recents, key_hash(tenant, key)), tenant_id, key)
    if found is None:
        candidates = _elsewhere(db, stored, recents, (tenant_id, key, key_hash(tenant, key)))
        found = matching(stored, candidates, tenant_id, key)
    return found


def _in_memory(recents: Sequence[Recent], key_hash: int) -> Iterator[int]:
    for recent in recents:
        yield from recent.of(key_hash)


def _elsewhere(
    db: apsw.Connection, stored: Stored, recents: Sequence[Recent], named: tuple[int, str, int]
) -> Iterator[int]:
    """Candidates in what the snapshot has and the recents have not, the newest first."""
    tenant_id, key, key_hash = named
    covered = 0
    ranges: list[tuple[int, int]] = []
    in_runs: list[int] = []
    if db.execute(segments_sql.HAS_RUNS).fetchone() is not None:
        covered, in_runs, ranges = _in_runs(db, key_hash)
    last = last_event(db)
    if recents and recents[0].after <= covered:
        ranges.append((max(covered, recents[-1].last), last))
    else:
        ranges.append((covered, last))
    for after, upto in reversed(ranges):
        if after < upto:
            yield from _named(db, stored, (tenant_id, key), after, upto)
    yield from in_runs


def _in_runs(db: apsw.Connection, key_hash: int) -> tuple[int, list[int], list[tuple[int, int]]]:
    """(the last event that runs cover, candidates, ranges of events whose run is damaged)."""
    from tallystick.stores.sqlite.key_runs import TornRun, ids_in_pages, runs_of  # noqa: PLC0415

    covered = 0
    found: list[int] = []
    torn: list[tuple[int, int]] = []
    for run in runs_of(db):
        covered = max(covered, run.last_event_id)
        try:
            for _, ids in ids_in_pages(db, run, (key_hash,)):
                found += ids
        except TornRun:
            torn.append((run.first_event_id - 1, run.last_event_id))
    return covered, found, torn


def _named(
    db: apsw.Connection, stored: Stored, name: tuple[int, str], after: int, upto: int
) -> Iterator[int]:
    """The events of this tenant and key with after < id <= upto, from the events themselves."""
    tenant_id, key = name
    for (event_id,) in db.execute(segments_sql.SELECT_ROWS_NAMED, (tenant_id, after, upto, key)):
        yield event_id
    for segment in stored.segments(after + 1, upto, tenant_id):
        for event_id, _, known in segment.names():
            if known == key:
                yield event_id
