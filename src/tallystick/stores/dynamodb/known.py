"""What is known of the table while a batch is recorded: read when it is first asked for, corrected
by what a refused transaction says stands there, and kept on by what a done one wrote."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.window import Window
from tallystick.ports import Change
from tallystick.stores.dynamodb.changing import read_changes
from tallystick.stores.dynamodb.event_rows import (
    ABSENT,
    Line,
    Stored,
    aggregate_of,
    line_of,
    stored_of,
)
from tallystick.stores.dynamodb.layout import (
    aggregate_place,
    event_digest,
    event_place,
    groups_place,
    member_place,
)
from tallystick.stores.dynamodb.table import Item, Table

EventKey = tuple[str, str]
"""(tenant, key)."""

MemberKey = tuple[AggregateKey, str]
GroupsKey = tuple[str, str, Window]
"""(tenant, meter, window)."""


@dataclass(slots=True)
class Known:
    """The read side of one call of `record`."""

    table: Table
    _events: dict[EventKey, Stored] = field(default_factory=dict)
    _aggregates: dict[AggregateKey, Aggregate | None] = field(default_factory=dict)
    _lines: dict[AggregateKey, Line] = field(default_factory=dict)
    _members: dict[MemberKey, int | None] = field(default_factory=dict)
    _groups: dict[GroupsKey, int] = field(default_factory=dict)

    def stored(self, tenant: str, key: str) -> Stored:
        """An event is taken for new until a transaction is told otherwise: most are."""
        return self._events.get((tenant, key), ABSENT)

    def read_stored(self, tenant: str, key: str) -> Stored:
        if (tenant, key) not in self._events:
            item = self.table.get(event_place(event_digest(tenant, key)))
            self._events[tenant, key] = stored_of(item)
        return self._events[tenant, key]

    def prefetch(self, keys: Iterable[AggregateKey]) -> None:
        """Read many Aggregates at once."""
        self.read_again(key for key in keys if key not in self._aggregates)

    def read_again(self, keys: Iterable[AggregateKey]) -> None:
        """Read many Aggregates at once, known or not."""
        wanted = {aggregate_place(key): key for key in keys}
        found = self.table.get_all(list(wanted))
        for place, key in wanted.items():
            self.find_aggregate(key, found.get(place))

    def line(self, key: AggregateKey) -> Line:
        """Who waited at the Aggregate when it was read."""
        return self._lines.get(key, Line())

    def aggregate(self, key: AggregateKey) -> Aggregate | None:
        if key not in self._aggregates:
            self.prefetch([key])
        return self._aggregates[key]

    def members(self, place: MemberKey) -> int:
        return self.members_read(place) or 0

    def members_read(self, place: MemberKey) -> int | None:
        """The number as it is stored; None where there never was one."""
        if place not in self._members:
            item = self.table.get(member_place(*place))
            self._members[place] = None if item is None else int(item["live"])
        return self._members[place]

    def groups(self, place: GroupsKey) -> int:
        if place not in self._groups:
            item = self.table.get(groups_place(*place))
            self._groups[place] = 0 if item is None else int(item["kept_apart"])
        return self._groups[place]

    def changes(self, key: AggregateKey) -> list[Change]:
        """All stored changes of an Aggregate, as far as it is known."""
        aggregate = self.aggregate(key)
        position = 0 if aggregate is None else aggregate.position
        return read_changes(self.table, key, after=0, upto=position, limit=position)

    # ── What stands there instead of what was expected ────────────────────────────────────────

    def find_event(self, key: EventKey, item: Item | None) -> None:
        self._events[key] = stored_of(item)

    def find_aggregate(self, key: AggregateKey, item: Item | None) -> None:
        self._aggregates[key] = None if item is None else aggregate_of(item)
        self._lines[key] = line_of(item)

    def find_members(self, place: MemberKey, item: Item | None) -> None:
        self._members[place] = None if item is None else int(item["live"])

    def find_groups(self, place: GroupsKey, item: Item | None) -> None:
        self._groups[place] = 0 if item is None else int(item["kept_apart"])

    # ── What was written ──────────────────────────────────────────────────────────────────────

    def keep(
        self,
        events: Mapping[EventKey, Stored],
        aggregates: Mapping[AggregateKey, Aggregate],
        members: Mapping[MemberKey, int],
        groups: Mapping[GroupsKey, int],
    ) -> None:
        """Know it, so that the next transaction need not ask."""
        self._events.update(events)
        self._aggregates.update(aggregates)
        self._members.update(members)
        self._groups.update(groups)
