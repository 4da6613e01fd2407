"""The events and the Aggregates that follow them, in DynamoDB."""

from collections.abc import Sequence

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.event import Event
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Change, Page, Recorded, Recording
from tallystick.stores.dynamodb.changing import read_changes
from tallystick.stores.dynamodb.event_logs import EventLogs
from tallystick.stores.dynamodb.event_rows import Stored, aggregate_of, stored_of
from tallystick.stores.dynamodb.layout import (
    aggregate_partition,
    aggregate_place,
    event_digest,
    event_place,
)
from tallystick.stores.dynamodb.letters import Letters
from tallystick.stores.dynamodb.listing import Directory, Ranked, page_of, place_after, walked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.recording import Recorder
from tallystick.stores.dynamodb.table import Table
from tallystick.stores.dynamodb.turns import Turns

BEGINNING = "0"
"""Before the first event that a place of a log lists."""


class DynamoEventLog:
    """`tallystick.ports.EventLog` on the table.

    Without a tenant, `events` lists one tenant after the other.
    """

    def __init__(
        self, table: Table, logs: EventLogs, chains: Directory, letters: Letters, pausing: Pausing
    ) -> None:
        self._table = table
        self._turns = Turns(table, pausing)
        self._logs = logs
        self._chains = chains
        self._letters = letters
        self._pausing = pausing

    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        recorder = Recorder(
            table=self._table,
            logs=self._logs,
            chains=self._chains,
            letters=self._letters,
            turns=self._turns,
            pausing=self._pausing,
            now=now,
        )
        return recorder.record(batch)

    def event(self, tenant: str, key: str) -> Event | None:
        return self._stored(tenant, key).event

    def is_voided(self, tenant: str, key: str) -> bool:
        return self._stored(tenant, key).voided_by is not None

    def events(
        self, tenant: str = "", *, window: Window | None = None, cursor: str = "", limit: int = PAGE
    ) -> Page[Event]:
        after = place_after(cursor, 3)
        if not after[2].isdecimal():
            after = (*after[:2], BEGINNING)
        return page_of(self._logs.read(tenant, window, after, few=limit + 1), limit)

    def aggregates(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        window: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Aggregate]:
        after = place_after(cursor, 2)
        prefix = (tenant,) if tenant else ()
        chains = (
            (place, names)
            for place, names in self._chains.names(*prefix, from_place=after[0], few=limit + 1)
            if meter in ("", names[1])
        )

        def found() -> Ranked[Aggregate]:
            items = walked(
                self._table,
                chains,
                lambda names: aggregate_partition(*names),
                after,
                few=limit + 1,
            )
            for place, item in items:
                aggregate = aggregate_of(item)
                if window is None or _overlap(window, aggregate.key.window):
                    yield place, aggregate

        return page_of(found(), limit)

    def changes(
        self, key: AggregateKey, *, after: int = 0, upto: int | None = None, limit: int = PAGE
    ) -> tuple[Change, ...]:
        item = self._table.get(aggregate_place(key))
        if item is None:
            return ()
        position = aggregate_of(item).position
        end = position if upto is None else min(position, upto)
        return tuple(read_changes(self._table, key, after=after, upto=end, limit=limit))

    def _stored(self, tenant: str, key: str) -> Stored:
        return stored_of(self._table.get(event_place(event_digest(tenant, key))))


def _overlap(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end
