"""In which order events were recorded: for each tenant a log of their digests.

The log is written before the events are, so that none can be missing from it. What it names and
was not recorded then (another came first, a crash) is passed over: each event says which place of
the log lists it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from tallystick.domain.event import Event
from tallystick.domain.window import Window
from tallystick.stores.dynamodb.changing import digests_in
from tallystick.stores.dynamodb.event_rows import stored_of
from tallystick.stores.dynamodb.layout import (
    SORT,
    event_digest,
    event_place,
    joined,
    log_partition,
)
from tallystick.stores.dynamodb.listing import Directory, Names, Ranked
from tallystick.stores.dynamodb.table import Attribute, Item, Table, Write


@dataclass(slots=True)
class EventLogs:
    """The logs of all tenants. `writer` is this store object's own name among its like."""

    table: Table
    tenants: Directory
    writer: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def name(self, tenant: str, events: list[Event], now: int) -> str:
        """Write a place of the tenant's log that lists these events in their order."""
        self.tenants.enter(tenant)
        place = joined(now, next(self._numbers), self.writer)
        digests = (event_digest(event.tenant, event.key) for event in events)
        occurred = [event.occurred_at for event in events]
        listed: dict[str, Attribute] = {
            "events": b"".join(bytes.fromhex(digest) for digest in digests),
            "first": min(occurred),
            "last": max(occurred),
        }
        self.table.put(Write(place=(log_partition(tenant), place), put=listed))
        return place

    def read(
        self, tenant: str, window: Window | None, after: tuple[str, ...], *, few: int
    ) -> Ranked[Event]:
        """The events of a tenant (or of one tenant after the other) past a place."""
        named: Iterator[tuple[str, Names]]
        if tenant:
            named = iter([(joined(tenant), (tenant,))])
        else:
            named = self.tenants.names(from_place=after[0], few=few)
        for place, (name,) in named:
            is_within = place == after[0]
            # The place itself once more: its events come one by one.
            for item in self._places(name, after[1] if is_within else "", few):
                passed = int(after[2]) if is_within and item[SORT] == after[1] else 0
                if window is None or _may_lie_in(item, window):
                    yield from self._listed(place, item, window, passed)

    def _places(self, tenant: str, from_place: str, few: int) -> Iterator[Item]:
        partition = log_partition(tenant)
        if from_place:
            first = self.table.get((partition, from_place))
            if first is not None:
                yield first
        yield from self.table.query(partition, after=from_place, few=few)

    def _listed(
        self, tenant_place: str, item: Item, window: Window | None, passed: int
    ) -> Ranked[Event]:
        places = [event_place(digest) for digest in digests_in(item)]
        found = self.table.get_all(places[passed:])
        for number, place in enumerate(places[passed:], start=passed + 1):
            stored = stored_of(found.get(place))
            if stored.event is None or stored.log != item[SORT]:
                continue
            if window is None or window.contains(stored.event.occurred_at):
                yield (tenant_place, str(item[SORT]), str(number)), stored.event


def _may_lie_in(item: Item, window: Window) -> bool:
    return int(item["first"]) < window.end and int(item["last"]) >= window.start
