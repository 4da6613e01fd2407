"""The events and the Aggregates that follow them, in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tallystick.domain.aggregate import (
    Aggregate,
    AggregateKey,
    Contribution,
    Tally,
    fold,
    refold,
    started,
    unfold,
)
from tallystick.domain.dead_letter import DeadLetter, Reason, dead_letter_id
from tallystick.domain.event import Event, Receipt
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE
from tallystick.domain.quantity import TotalOverflow
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Change, Page, Recorded, Recording
from tallystick.stores.memory.pages import aggregate_rank, page_of
from tallystick.stores.memory.tables import Storage, Tables


class MemoryEventLog:
    """`tallystick.ports.EventLog` on dictionaries."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        recorded = []
        for recording in batch:
            with self._storage.opened() as tables:
                recorded.append(_recorded(tables, recording, now))
        return tuple(recorded)

    def event(self, tenant: str, key: str) -> Event | None:
        with self._storage.opened() as tables:
            return tables.events.get((tenant, key))

    def events(
        self, tenant: str = "", *, window: Window | None = None, cursor: str = "", limit: int = PAGE
    ) -> Page[Event]:
        with self._storage.opened() as tables:
            found = (
                ((place,), event)
                for place, event in enumerate(tables.events.values())
                if tenant in ("", event.tenant)
                and (window is None or window.contains(event.occurred_at))
            )
            return page_of(found, cursor, limit)

    def is_voided(self, tenant: str, key: str) -> bool:
        with self._storage.opened() as tables:
            return (tenant, key) in tables.voids

    def aggregates(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        window: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Aggregate]:
        with self._storage.opened() as tables:
            found = (
                (aggregate_rank(key), aggregate)
                for key, aggregate in tables.aggregates.items()
                if tenant in ("", key.tenant)
                and meter in ("", key.meter)
                and (window is None or _overlap(window, key.window))
            )
            return page_of(found, cursor, limit)

    def changes(
        self, key: AggregateKey, *, after: int = 0, upto: int | None = None, limit: int = PAGE
    ) -> tuple[Change, ...]:
        with self._storage.opened() as tables:
            if key not in tables.aggregates:
                return ()
            position = tables.aggregates[key].position
            end = min(position, position if upto is None else upto, after + limit)
            return tuple(tables.changes[key, place] for place in range(after + 1, end + 1))


def _overlap(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _recorded(tables: Tables, recording: Recording, now: int) -> Recorded:
    event = recording.event
    stored = tables.events.get((event.tenant, event.key))
    if stored is not None and stored.fingerprint == event.fingerprint:
        return Recorded(Receipt.DUPLICATE)
    if stored is not None:
        letter = _conflict(recording, now)
        tables.letters.setdefault(letter.id, letter)
        return Recorded(Receipt.CONFLICT)
    draft = _Draft(tables)
    try:
        draft.count(recording)
    except TotalOverflow:
        return Recorded(Receipt.CONFLICT, refused=Reason.OVERFLOW)
    draft.store(recording.event)
    touched = draft.touched
    late = any(key.window.end <= now and tables.aggregates[key].sealed for key in touched)
    return Recorded(Receipt.LATE if late else Receipt.RECORDED, touched)


def _conflict(recording: Recording, now: int) -> DeadLetter:
    return DeadLetter(
        id=dead_letter_id(recording.origin, recording.body),
        reason=Reason.CONFLICT,
        tenant=recording.event.tenant,
        origin=recording.origin,
        body=recording.body,
        received_at=now,
    )


class _Draft:
    """What one event changes, laid over the tables and stored as a whole or not at all."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._aggregates: dict[AggregateKey, Aggregate] = {}
        self._changes: dict[tuple[AggregateKey, int], Change] = {}
        self._members: dict[tuple[AggregateKey, str], int] = {}
        self._groups: dict[tuple[str, str, Window], int] = {}
        self._kept: list[Contribution] = []

    @property
    def touched(self) -> tuple[AggregateKey, ...]:
        return tuple(self._aggregates)

    def count(self, recording: Recording) -> None:
        """Lay the event's effect over the tables. Raises TotalOverflow."""
        event, voids = recording.event, self._tables.voids
        target = (event.tenant, event.voids or "")
        if event.voids is not None and target not in voids:
            for contribution in self._tables.contributions.get(target, ()):
                self._take_out(contribution, by=event.key)
        voided_by_itself = event.voids == event.key
        if (event.tenant, event.key) not in voids and not voided_by_itself:
            for contribution in recording.contributions:
                self._add(contribution)

    def store(self, event: Event) -> None:
        tables = self._tables
        tables.events[event.tenant, event.key] = event
        tables.contributions[event.tenant, event.key] = tuple(self._kept)
        if event.voids is not None:
            tables.voids.setdefault((event.tenant, event.voids), event.key)
        tables.aggregates.update(self._aggregates)
        tables.changes.update(self._changes)
        tables.members.update(self._members)
        tables.groups.update(self._groups)

    # What stands here goes before what is stored.

    def _aggregate(self, key: AggregateKey) -> Aggregate | None:
        return self._aggregates.get(key) or self._tables.aggregates.get(key)

    def _count_of(self, member: tuple[AggregateKey, str]) -> int:
        counted = self._members.get(member)
        return self._tables.members.get(member, 0) if counted is None else counted

    def _sets_in(self, place: tuple[str, str, Window]) -> int:
        return self._groups.get(place) or self._tables.groups.get(place, 0)

    def _add(self, offered: Contribution) -> None:
        contribution = self._within_groups_max(offered)
        aggregate = self._aggregate(contribution.key) or self._started(contribution)
        member = (contribution.key, contribution.member)
        seen = self._count_of(member)
        tally = fold(aggregate.tally, contribution, seen=seen)
        self._members[member] = seen + 1
        self._kept.append(contribution)
        self._change(aggregate, tally, contribution)

    def _take_out(self, contribution: Contribution, *, by: str) -> None:
        key = contribution.key
        aggregate = self._aggregates.get(key) or self._tables.aggregates[key]
        member = (contribution.key, contribution.member)
        left = self._count_of(member) - 1
        tally = unfold(aggregate.tally, contribution, left=left)
        if tally is None:
            gone = contribution.event_key
            tally = refold(c for c in self._live(aggregate) if c.event_key != gone)
        self._members[member] = left
        self._change(aggregate, tally, contribution, by)

    def _change(
        self, aggregate: Aggregate, tally: Tally, contribution: Contribution, by: str = ""
    ) -> None:
        position = aggregate.position + 1
        after = replace(aggregate, tally=tally, position=position, due=True)
        self._aggregates[aggregate.key] = after
        self._changes[aggregate.key, position] = Change(position, contribution, bool(by), by)

    def _within_groups_max(self, offered: Contribution) -> Contribution:
        key = offered.key
        is_kept_apart = key.group in (WHOLE, OTHER) or self._aggregate(key) is not None
        if is_kept_apart or self._sets_in(_place(key)) < GROUPS_MAX:
            return offered
        return replace(offered, key=replace(key, group=OTHER))

    def _started(self, contribution: Contribution) -> Aggregate:
        key = contribution.key
        if key.group not in (WHOLE, OTHER):
            self._groups[_place(key)] = self._sets_in(_place(key)) + 1
        return started(contribution)

    def _live(self, aggregate: Aggregate) -> Iterator[Contribution]:
        """What was added to the Aggregate and not taken out again."""
        live: dict[str, Contribution] = {}
        for position in range(1, aggregate.position + 1):
            place = (aggregate.key, position)
            change = self._changes.get(place) or self._tables.changes[place]
            if change.removed:
                del live[change.contribution.event_key]
            else:
                live[change.contribution.event_key] = change.contribution
        return iter(live.values())


def _place(key: AggregateKey) -> tuple[str, str, Window]:
    return (key.tenant, key.meter, key.window)
