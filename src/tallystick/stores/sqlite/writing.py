"""Where the events of a call go: into a segment."""

from dataclasses import dataclass, field

import apsw

from tallystick.domain.event import Event
from tallystick.stores.sqlite import segment_statements as segments_sql
from tallystick.stores.sqlite.accounts import Account
from tallystick.stores.sqlite.gathering import Size, put_packed
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.segment_columns import Series
from tallystick.stores.sqlite.segments import Line, Packed, packed_events, series_of


@dataclass(slots=True)
class Written:
    """Events that are accepted, and not in the file yet."""

    first_id: int
    events: list[Event] = field(default_factory=list)
    tenant_ids: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def write_segment(db: apsw.Connection, written: Written, signpost_every: int) -> Size:
    """Write the events and the changes they made. Their accounts are written after this."""
    series = series_of(written.lines)
    tenant_ids = written.tenant_ids
    whole = packed_events(written.first_id, written.events, tenant_ids, written.lines, series)
    return put_segment(db, whole, tenant_ids, series, signpost_every)


def put_segment(
    db: apsw.Connection,
    whole: Packed,
    tenant_ids: list[int],
    series: dict[Account, Series],
    signpost_every: int,
) -> Size:
    """Write a segment, and what leads to it."""
    segment_id = whole.extent.id
    put_packed(db, whole, tenant_ids)
    db.executemany(segments_sql.INSERT_SIGNPOST, _signposts(segment_id, series, signpost_every))
    for account in series:
        account.segment_id = segment_id
    return Size(segment_id, len(tenant_ids), whole.bytes)


def _signposts(segment_id: int, series: dict[Account, Series], every: int) -> list[Row]:
    return [
        (one.aggregate_id, one.last_position, segment_id)
        for one in series.values()
        if one.last_position // every > (one.first_position - 1) // every
    ]
