"""Small segments that follow one another become one: whoever sends single events pays for them as
for a batch.

    before    … 4096 events │ 1 │ 1 │ 3 │ 1 │ … │ 1        a call each
    after     … 4096 events │ 256                          the same events, ids and positions

It happens inside the transaction that brings the last of them, a bounded number at a time, so that
a crash leaves either form. Whatever names a segment names an event in it, and finds it still.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import apsw
from msgspec.structs import replace

from tallystick.domain.quantity import in_smallest
from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.packing import column
from tallystick.stores.sqlite.segment_columns import Body, Columns, Series, Texts, in_units
from tallystick.stores.sqlite.segments import Packed, Segment, packed, tenant_rows
from tallystick.stores.sqlite.sizes import Sizes
from tallystick.stores.sqlite.stored import Stored


class Size(NamedTuple):
    """One segment: its id, its events, and its bytes."""

    id: int
    events: int
    bytes: int


class Stretch(NamedTuple):
    """The small segments at the end of the file that wait to be gathered."""

    first_id: int = 0
    segments: int = 0
    events: int = 0
    bytes: int = 0

    def followed_by(self, one: Size) -> "Stretch":
        return Stretch(
            self.first_id or one.id,
            self.segments + 1,
            self.events + one.events,
            self.bytes + one.bytes,
        )


NOTHING: Final = Stretch()


def read_stretch(db: apsw.Connection, sizes: Sizes) -> Stretch:
    """What waits, by the file."""
    found: list[Size] = []
    for row in db.execute(sql.SELECT_NEWEST_SIZES, (sizes.gathered_events,)):
        one = Size(*row)
        if not _is_small(one, sizes):
            break
        found.append(one)
    stretch = NOTHING
    for one in reversed(found):
        stretch = stretch.followed_by(one)
    return stretch


def gathered(db: apsw.Connection, waiting: Stretch, written: Size, sizes: Sizes) -> Stretch:
    """What waits once the segment was written; what is enough by then becomes one."""
    if not _is_small(written, sizes):
        _gather(db, waiting, written.id - 1)
        return NOTHING
    stretch = waiting.followed_by(written)
    if stretch.events < sizes.gathered_events and stretch.bytes < sizes.gathered_bytes:
        return stretch
    _gather(db, stretch, written.id)
    return NOTHING


def _is_small(one: Size, sizes: Sizes) -> bool:
    return one.events < sizes.small_max and one.bytes < sizes.small_bytes


def _gather(db: apsw.Connection, stretch: Stretch, last_id: int) -> None:
    if stretch.segments < 2:  # there is nothing to put together
        return
    segments = list(Stored(db).segments(stretch.first_id, last_id))
    whole, tenant_ids = joined(segments), set[int]()
    for segment in segments:
        owners = {tenant_id for _, tenant_id, _ in segment.names()}
        gone = [(tenant_id, segment.id) for tenant_id in owners]
        db.executemany(sql.DELETE_SEGMENT_TENANT, gone)
        tenant_ids |= owners
    for statement in (sql.DELETE_SEGMENTS, sql.DELETE_PARTS):
        db.execute(statement, (stretch.first_id, last_id))
    put_packed(db, whole, tenant_ids)


def put_packed(db: apsw.Connection, whole: Packed, tenant_ids: Iterable[int]) -> None:
    """Write a segment's rows; of these tenants are its events."""
    db.execute(sql.INSERT_SEGMENT, whole.row)
    db.executemany(sql.INSERT_PART, whole.parts)
    db.executemany(sql.INSERT_SEGMENT_TENANT, tenant_rows(whole.extent.id, tenant_ids))


def joined(segments: Sequence[Segment]) -> Packed:
    """The one segment that holds the events of these, which follow one another."""
    every = [(part, one) for segment in segments for part in segment.parts for one in part.ids]
    is_telling = all(part.is_telling for segment in segments for part in segment.parts)
    unit, amounts = in_units([in_smallest(part.quantity(one)) for part, one in every])
    columns = Columns(
        tenant_ids=[part.tenant_id(one) for part, one in every],
        keys=[part.key(one) for part, one in every],
        fingerprints=None if is_telling else [part.fingerprint(one) for part, one in every],
        codes=[part.code(one) for part, one in every],
        unit=unit,
        amounts=amounts,
        properties=[part.properties(one) for part, one in every],
        occurred=[part.instant(one) for part, one in every],
    )
    return packed(segments[0].id, columns, _body(segments))


def _body(segments: Sequence[Segment]) -> Body:
    texts, series = Texts(), _Joined()
    received = segments[0].body.received[0]
    body = Body(
        texts=[],
        received=column([received]),
        voids={},
        series=[],
        changes=column([]),
        change_series=column([]),
        change_value=column([]),
        change_member=column([]),
        differs={},
    )
    for segment in segments:
        _append(body, segment, texts)
        places = [series.place_of(one) for one in segment.body.series]
        body.change_series.extend([places[place] for place in segment.body.change_series])
    body.texts.extend(texts)
    body.series.extend(series.found)
    return body


def _append(body: Body, segment: Segment, texts: Texts) -> None:
    """Every column but those about series."""
    more = segment.body
    place = [texts[text] for text in more.texts]
    events, changes = len(body.changes), len(body.change_value)
    first = body.received[0]
    body.received.extend([segment.received_at(place) - first for place in range(segment.count)])
    body.voids.update({events + event: key for event, key in more.voids.items()})
    body.changes.extend(iter(more.changes))
    body.change_value.extend([value and place[value - 1] + 1 for value in more.change_value])
    body.change_member.extend([place[member] for member in more.change_member])
    body.differs.update({changes + change: text for change, text in more.differs.items()})


class _Joined:
    """The series of several segments: one goes on in the next, unless a void came between."""

    def __init__(self) -> None:
        self.found: list[Series] = []
        self._last: dict[int, int] = {}
        """The place of an Aggregate's last."""

    def place_of(self, one: Series) -> int:
        place = self._last.get(one.aggregate_id)
        if place is not None:
            before = self.found[place]
            if before.last_position + 1 == one.first_position:
                count = before.count + one.count
                self.found[place] = replace(before, count=count)
                return place
        self._last[one.aggregate_id] = len(self.found)
        self.found.append(one)
        return self._last[one.aggregate_id]
