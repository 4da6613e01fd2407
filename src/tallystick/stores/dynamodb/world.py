"""What one transaction of `record` changes, laid over what was read.

Folding is the domain's. Here is only what it needs to know (live members, dimension sets, the rest
of an Aggregate's contributions), where that is read, and what becomes of it.
"""

from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from tallystick.domain.aggregate import (
    Aggregate,
    AggregateKey,
    Contribution,
    fold,
    refold,
    started,
    unfold,
)
from tallystick.domain.event import Event
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE, Aggregation
from tallystick.ports import Change, Recording
from tallystick.stores.dynamodb.event_rows import Stored, stored_bytes_max
from tallystick.stores.dynamodb.known import EventKey, GroupsKey, Known, MemberKey

CHANGE_ITEMS: Final = 2
"""An Aggregate that changes is written itself, and a chunk of its changes."""


@dataclass(slots=True)
class World:
    """Each table as the transaction will leave it; what is not in it is as it is known."""

    known: Known
    events: dict[EventKey, Stored] = field(default_factory=dict)
    aggregates: dict[AggregateKey, Aggregate] = field(default_factory=dict)
    changes: dict[AggregateKey, list[Change]] = field(default_factory=dict)
    members: dict[MemberKey, int] = field(default_factory=dict)
    groups: dict[GroupsKey, int] = field(default_factory=dict)
    event_bytes: int = 0
    """No fewer than the events take."""

    @property
    def items(self) -> int:
        """How many items the transaction writes."""
        own = len(self.events) + len(self.members) + len(self.groups)
        return own + CHANGE_ITEMS * len(self.aggregates)

    def stored(self, tenant: str, key: str) -> Stored:
        found = self.events.get((tenant, key))
        return self.known.stored(tenant, key) if found is None else found

    def read_stored(self, tenant: str, key: str) -> Stored:
        """The same, asked for where it is not known yet."""
        found = self.events.get((tenant, key))
        return self.known.read_stored(tenant, key) if found is None else found


class Draft:
    """What one event changes, laid over a world and added to it as a whole or not at all."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = world.known
        self._aggregates = ChainMap({}, world.aggregates)
        self._changes: dict[AggregateKey, list[Change]] = {}
        self._members = ChainMap({}, world.members)
        self._groups = ChainMap({}, world.groups)
        self._events: dict[EventKey, Stored] = {}

    @property
    def touched(self) -> tuple[Aggregate, ...]:
        return tuple(self._aggregates.maps[0].values())

    @property
    def items(self) -> int:
        """How many items the world's transaction would write with this event in it."""
        world = self._world
        own = len({*world.events, *self._events}) + len({*self._members}) + len({*self._groups})
        return own + CHANGE_ITEMS * len({*self._aggregates})

    @property
    def event_bytes(self) -> int:
        """No fewer bytes than the events would take in the world's transaction."""
        return self._world.event_bytes + sum(map(stored_bytes_max, self._events.values()))

    def count(self, recording: Recording) -> None:
        """Draft the event's effect. Raises TotalOverflow."""
        event = recording.event
        before = self._world.stored(event.tenant, event.key)
        voided_by = before.voided_by
        if event.voids == event.key:
            voided_by = voided_by or event.key
        elif event.voids is not None:
            self._void(event, event.voids)
        kept = []
        if voided_by is None:
            kept = [self._added(contribution) for contribution in recording.contributions]
        self._events[event.tenant, event.key] = Stored(event, tuple(kept), voided_by)

    def accept(self) -> None:
        """Make it part of the world."""
        world = self._world
        world.event_bytes = self.event_bytes
        world.events.update(self._events)
        world.aggregates.update(self._aggregates.maps[0])
        world.members.update(self._members.maps[0])
        world.groups.update(self._groups.maps[0])
        for key, changes in self._changes.items():
            world.changes.setdefault(key, []).extend(changes)

    def _void(self, event: Event, target: str) -> None:
        stored = self._world.read_stored(event.tenant, target)
        if stored.voided_by is not None:
            return
        for contribution in stored.contributions:
            self._take_out(contribution, by=event.key)
        self._events[event.tenant, target] = replace(stored, voided_by=event.key)

    def _added(self, offered: Contribution) -> Contribution:
        contribution = self._within_groups_max(offered)
        aggregate = self._aggregate(contribution.key) or self._started(contribution)
        seen = self._member(contribution, 1)
        tally = fold(aggregate.tally, contribution, seen=seen)
        self._change(replace(aggregate, tally=tally), contribution)
        return contribution

    def _take_out(self, contribution: Contribution, *, by: str) -> None:
        aggregate = self._aggregate(contribution.key)
        if aggregate is None:
            return
        left = self._member(contribution, -1) - 1
        tally = unfold(aggregate.tally, contribution, left=left)
        if tally is None:
            gone = contribution.event_key
            tally = refold(c for c in self._live(aggregate) if c.event_key != gone)
        self._change(replace(aggregate, tally=tally), contribution, by)

    def _change(self, aggregate: Aggregate, contribution: Contribution, by: str = "") -> None:
        position = aggregate.position + 1
        self._aggregates[aggregate.key] = replace(aggregate, position=position, due=True)
        change = Change(position, contribution, bool(by), by)
        self._changes.setdefault(aggregate.key, []).append(change)

    def _aggregate(self, key: AggregateKey) -> Aggregate | None:
        return self._aggregates.get(key) or self._known.aggregate(key)

    def _member(self, contribution: Contribution, by: int) -> int:
        """How many live contributions have the same member, before this one is added or taken.
        Only a unique count asks."""
        if contribution.aggregation is not Aggregation.UNIQUE_COUNT:
            return 0
        place = (contribution.key, contribution.member)
        seen = self._members.get(place)
        if seen is None:
            seen = self._known.members(place)
        self._members[place] = seen + by
        return seen

    def _within_groups_max(self, offered: Contribution) -> Contribution:
        key = offered.key
        if key.group in (WHOLE, OTHER) or self._aggregate(key) is not None:
            return offered
        if self._kept_apart(key) < GROUPS_MAX:
            return offered
        return replace(offered, key=replace(key, group=OTHER))

    def _kept_apart(self, key: AggregateKey) -> int:
        place = (key.tenant, key.meter, key.window)
        number = self._groups.get(place)
        return self._known.groups(place) if number is None else number

    def _started(self, contribution: Contribution) -> Aggregate:
        key = contribution.key
        if key.group not in (WHOLE, OTHER):
            self._groups[key.tenant, key.meter, key.window] = self._kept_apart(key) + 1
        return started(contribution)

    def _live(self, aggregate: Aggregate) -> Iterator[Contribution]:
        """What was added to the Aggregate and not taken out again."""
        live: dict[str, Contribution] = {}
        drafted = (
            *self._world.changes.get(aggregate.key, ()),
            *self._changes.get(aggregate.key, ()),
        )
        for change in (*self._known.changes(aggregate.key), *drafted):
            if change.removed:
                del live[change.contribution.event_key]
            else:
                live[change.contribution.event_key] = change.contribution
        return iter(live.values())
