"""Events and changes wherever they are stored: in rows, where few came at once, or in segments.

Reads only, inside one transaction or snapshot of the caller's. A few segments are kept while it
lasts, since neighbours are often asked for together.
"""

from collections.abc import Iterator
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

import apsw

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.errors import InvariantViolated
from tallystick.domain.event import Event
from tallystick.domain.window import Window
from tallystick.ports import Change
from tallystick.stores.sqlite import segment_statements as segments_sql
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.pages import UNBOUNDED, Row, row_of
from tallystick.stores.sqlite.parts import Content, Part
from tallystick.stores.sqlite.rows import (
    BEFORE_ALL,
    aggregate_of,
    contribution_of,
    event_of,
    key_row,
)
from tallystick.stores.sqlite.segments import Added, Segment

SEGMENTS_KEPT: Final = 32


class Place(NamedTuple):
    """What an event added to one Aggregate, and where."""

    aggregate_id: int
    position: int
    contribution: Row
    is_in_row: bool


class Stored:
    """Everything about events that can be read through one connection now."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._segments: dict[int, Segment] = {}
        self._part: Part | None = None
        """The last that was read alone: who asks again asks for its neighbours."""
        self._tenants: dict[int, str] = {}

    # ── One event ─────────────────────────────────────────────────────────────────────────────

    def name(self, event_id: int) -> tuple[int, str] | None:
        """(tenant id, key); None where there is no such event."""
        part = self._part_with(event_id)
        if part is None:
            row = self._db.execute(segments_sql.SELECT_ROW_NAME, (event_id,)).fetchone()
            if row is not None:
                return int(row[0]), str(row[1])
            segment = self._segment_with(event_id)
            if segment is None:
                return None
            part = segment.part(event_id)  # which is lost, or it would have been found
        return part.tenant_id(event_id), part.key(event_id)

    def fingerprint(self, event_id: int) -> str:
        part = self._part_with(event_id)
        if part is None:
            return str(row_of(self._db, segments_sql.SELECT_ROW_NAME, (event_id,))[2])
        return part.fingerprint(event_id)

    def content(self, event_id: int) -> Content | None:
        """All that was sent of the event; None where only its fingerprint tells."""
        part = self._part_with(event_id)
        return None if part is None else part.content(event_id)

    def event(self, event_id: int) -> Event:
        row = self._db.execute(segments_sql.SELECT_ROW_EVENT, (event_id,)).fetchone()
        if row is not None:
            return event_of(row)
        segment = self._needed_segment(event_id)
        return segment.event(event_id, self.tenant(segment.part(event_id).tenant_id(event_id)))

    def places(self, event_id: int) -> list[Place]:
        """What the event added, in the order in which it did."""
        row = self._db.execute(segments_sql.SELECT_COUNTED, (event_id,)).fetchone()
        if row is not None:
            return [self._row_place(place) for place in str(row[0]).split()]
        segment = self._needed_segment(event_id)
        return [
            Place(one.aggregate_id, one.position, _contribution_row(segment, one), is_in_row=False)
            for one in segment.added_by(event_id)
        ]

    def _row_place(self, place: str) -> Place:
        aggregate_id, position = map(int, place.split(":"))
        change = row_of(self._db, sql.SELECT_CONTRIBUTION, (aggregate_id, position))
        return Place(aggregate_id, position, change, is_in_row=True)

    def tenant(self, tenant_id: int) -> str:
        if tenant_id not in self._tenants:
            row = row_of(self._db, segments_sql.SELECT_TENANT_NAME, (tenant_id,))
            self._tenants[tenant_id] = str(row[0])
        return self._tenants[tenant_id]

    # ── Listings ──────────────────────────────────────────────────────────────────────────────

    def events(
        self, tenant: str, window: Window | None, after: int, limit: int
    ) -> list[tuple[int, Event]]:
        """The first `limit` with an id beyond `after`, in order of id."""
        within = (BEFORE_ALL, UNBOUNDED) if window is None else (window.start, window.end)
        tenant_id = 0
        if tenant:
            found = self._db.execute(sql.SELECT_EVENT_TENANT, (tenant,)).fetchone()
            if found is None:
                return []
            tenant_id = int(found[0])
        rows = self._row_events(tenant, after, within, limit)
        listed = self._segment_events(tenant_id, after, within)
        return list(islice(merge(rows, listed, key=itemgetter(0)), limit))

    def _row_events(
        self, tenant: str, after: int, within: tuple[int, int], limit: int
    ) -> Iterator[tuple[int, Event]]:
        bounds = (after, *within, limit)
        if tenant:
            rows = self._db.execute(sql.SELECT_EVENTS_OF, (tenant, *bounds))
        else:
            rows = self._db.execute(sql.SELECT_EVENTS, bounds)
        for row in rows:
            yield row[-1], event_of(row[:-1])

    def _segment_events(
        self, tenant_id: int, after: int, within: tuple[int, int]
    ) -> Iterator[tuple[int, Event]]:
        start, end = within
        for segment in self.segments(after + 1, UNBOUNDED, tenant_id, within):
            for part in segment.parts:
                for event_id in range(max(part.id, after + 1), part.last_id + 1):
                    owner = part.tenant_id(event_id)
                    if tenant_id in (0, owner) and start <= part.instant(event_id) < end:
                        yield event_id, segment.event(event_id, self.tenant(owner))

    def segments(
        self,
        first_id: int,
        last_id: int,
        tenant_id: int = 0,
        within: tuple[int, int] = (BEFORE_ALL, UNBOUNDED),
    ) -> Iterator[Segment]:
        """Those with an id in the range (the first may begin before it), of the tenant and with
        events in the window, where given."""
        bounds = (first_id, last_id, within[1], within[0])
        if tenant_id:
            rows = self._db.execute(segments_sql.SELECT_SEGMENTS_OF, (tenant_id, *bounds))
        else:
            rows = self._db.execute(segments_sql.SELECT_SEGMENTS, bounds)
        for row in rows:
            segment = self._segment(row)
            if segment.last_id >= first_id:
                yield segment

    # ── Changes ───────────────────────────────────────────────────────────────────────────────

    def changes(
        self, key: AggregateKey, after: int, upto: int | None, limit: int
    ) -> tuple[Change, ...]:
        found = self._db.execute(sql.SELECT_ACCOUNT, key_row(key)).fetchone()
        if found is None:
            return ()
        segment_id, aggregate_id, *columns = found
        aggregate = aggregate_of(tuple(columns))
        # Positions follow one another, so that a page's last is known before it is read.
        end = min(after + limit, aggregate.position if upto is None else upto)
        rows = self._db.execute(sql.SELECT_CHANGES, (aggregate_id, after, end)).fetchall()
        changes = [self._change(row, aggregate) for row in rows]
        for segment, one in self._added(aggregate_id, segment_id, after, end):
            contribution = contribution_of(_contribution_row(segment, one), aggregate)
            changes.append(Change(one.position, contribution))
        return tuple(sorted(changes, key=lambda change: change.position))

    def live(self, aggregate_id: int, segment_id: int) -> Iterator[tuple[int, Row]]:
        """(position, contribution) of all that an Aggregate holds now."""
        for position, event_id, *columns in self._db.execute(sql.SELECT_LIVE, (aggregate_id,)):
            yield position, (*columns, *self._origin(event_id))
        rows = self._db.execute(segments_sql.SELECT_TAKEN_OUT, (aggregate_id,))
        gone = {position for (position,) in rows}
        for segment, one in self._added(aggregate_id, segment_id, 0, UNBOUNDED):
            if one.position not in gone:
                yield one.position, _contribution_row(segment, one)

    def _change(self, row: Row, aggregate: Aggregate) -> Change:
        position, event_id, by_id, *columns = row
        contribution = contribution_of((*columns, *self._origin(event_id)), aggregate)
        by = "" if by_id is None else self._origin(by_id)[1]
        return Change(position, contribution, by_id is not None, by)

    def _origin(self, event_id: int) -> tuple[int, str]:
        """When the event occurred, and its key."""
        row = self._db.execute(sql.SELECT_ORIGIN, (event_id,)).fetchone()
        if row is not None:
            return int(row[0]), str(row[1])
        part = self._needed_segment(event_id).part(event_id)
        return part.instant(event_id), part.key(event_id)

    def _added(
        self, aggregate_id: int, segment_id: int, after: int, end: int
    ) -> Iterator[tuple[Segment, Added]]:
        """What segments added at after < position <= end; the newest segment first."""
        post = self._db.execute(segments_sql.SELECT_SIGNPOST, (aggregate_id, end)).fetchone()
        following = segment_id if post is None else int(post[0])
        while following:
            segment = self._needed_segment(following)
            series = segment.series(aggregate_id)
            if series is None:
                raise InvariantViolated(f"segment {following} does not name {aggregate_id}")
            for one in segment.added_to(aggregate_id):
                if after < one.position <= end:
                    yield segment, one
            following = series.previous_id if series.first_position > after + 1 else 0

    # ── Segments ──────────────────────────────────────────────────────────────────────────────

    def _needed_segment(self, event_id: int) -> Segment:
        segment = self._segment_with(event_id)
        if segment is None:
            raise InvariantViolated(f"there is no event {event_id}")
        return segment

    def _kept_segment(self, event_id: int) -> Segment | None:
        for segment in reversed(self._segments.values()):
            if segment.id <= event_id <= segment.last_id:
                return segment
        return None

    def _segment_with(self, event_id: int) -> Segment | None:
        known = self._kept_segment(event_id)
        if known is not None:
            return known
        kept = self._segments
        row = self._db.execute(segments_sql.SELECT_SEGMENT_AT, (event_id,)).fetchone()
        if row is None or row[0] + row[1] <= event_id:
            return None
        if len(kept) >= SEGMENTS_KEPT:
            del kept[next(iter(kept))]
        segment = kept[row[0]] = self._segment(row)
        return segment

    def _segment(self, row: Row) -> Segment:
        first_id, count = row[:2]
        found = self._db.execute(segments_sql.SELECT_PARTS, (first_id, first_id + count - 1))
        return Segment(tuple([Part(*one) for one in found]), *row)

    def _part_with(self, event_id: int) -> Part | None:
        part = self._part
        if part is None or not part.id <= event_id <= part.last_id:
            row = self._db.execute(segments_sql.SELECT_PART_AT, (event_id,)).fetchone()
            part = self._part = None if row is None else Part(*row)
        return None if part is None or event_id > part.last_id else part


def _contribution_row(segment: Segment, one: Added) -> Row:
    event_id = segment.id + one.event
    part = segment.part(event_id)
    return one.quantity, one.member, one.differs, part.instant(event_id), part.key(event_id)
