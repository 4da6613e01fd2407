"""Where new events go: many into one segment, few into a row each."""

from dataclasses import dataclass, field
from operator import itemgetter

import apsw

from tallystick.domain.event import Event
from tallystick.stores.sqlite import segment_statements as segments_sql
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.accounts import Account
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import differences, text_of
from tallystick.stores.sqlite.segments import Line, Series, segment_row, series_of, tenant_rows
from tallystick.stores.sqlite.sizes import Sizes


@dataclass(slots=True)
class Written:
    """Events that are accepted, and not in the file yet."""

    first_id: int
    events: list[Event] = field(default_factory=list)
    tenant_ids: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def write_events(db: apsw.Connection, written: Written, sizes: Sizes) -> None:
    """Write the events and the changes they made. Their accounts are written after this."""
    if len(written.events) >= sizes.segment_min:
        _write_segment(db, written, sizes.signpost_every)
    elif written.events:
        _write_rows(db, written)


def _write_segment(db: apsw.Connection, written: Written, signpost_every: int) -> None:
    segment_id, tenant_ids = written.first_id, written.tenant_ids
    series = series_of(written.lines)
    row = segment_row(segment_id, written.events, tenant_ids, written.lines, series)
    db.execute(segments_sql.INSERT_SEGMENT, row)
    db.executemany(segments_sql.INSERT_SEGMENT_TENANT, tenant_rows(segment_id, tenant_ids))
    db.executemany(segments_sql.INSERT_SIGNPOST, _signposts(segment_id, series, signpost_every))
    for account in series:
        account.segment_id = segment_id


def _signposts(segment_id: int, series: dict[Account, Series], every: int) -> list[Row]:
    return [
        (one.aggregate_id, one.last_position, segment_id)
        for one in series.values()
        if one.last_position // every > (one.first_position - 1) // every
    ]


def _write_rows(db: apsw.Connection, written: Written) -> None:
    counted: list[list[str]] = [[] for _ in written.events]
    changes: list[Row] = []
    for place, account, position, contribution in written.lines:
        counted[place].append(f"{account.id}:{position}")
        change = (
            account.id,
            position,
            written.first_id + place,
            text_of(contribution.value),
            contribution.member,
            None,
            1,
            differences(contribution, account.aggregate),
        )
        changes.append(change)
    events = [
        _event_row(written.first_id + place, tenant_id, event, " ".join(counted[place]))
        for place, (event, tenant_id) in enumerate(
            zip(written.events, written.tenant_ids, strict=True)
        )
    ]
    db.executemany(sql.INSERT_EVENT, events)
    # In the order of the table, since that is the order of its pages.
    db.executemany(sql.INSERT_CHANGE, sorted(changes, key=itemgetter(0, 1)))


def _event_row(event_id: int, tenant_id: int, event: Event, counted: str) -> Row:
    return (
        event_id,
        tenant_id,
        event.occurred_at,
        event.received_at,
        event.key,
        event.code,
        text_of(event.quantity),
        event.properties,
        event.fingerprint,
        event.voids,
        counted,
    )
