"""`record`: events, with their effect on their Aggregates, in as few transactions as they fit in.

A transaction is put together from what is known, on the condition that it is so still. Where it
is not, the answer says what stands there instead: a duplicate is dropped, an Aggregate folded anew,
and the rest goes again. So a new event costs no read of its own.

Each transaction is of one tenant. It costs as much as one of several, and others are in its way
only where they write to that very tenant: a transaction over ten tenants meets the writers of ten.
Those that meet at one Aggregate all the same take turns (`turns`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.dead_letter import DeadLetter, Reason, dead_letter_id
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Event, Receipt
from tallystick.domain.quantity import TotalOverflow
from tallystick.ports import Recorded, Recording
from tallystick.stores.dynamodb.changing import chunk_item, chunk_place
from tallystick.stores.dynamodb.event_logs import EventLogs
from tallystick.stores.dynamodb.event_rows import (
    SERVED,
    aggregate_body,
    due_mark,
    stored_expectation,
    stored_item,
)
from tallystick.stores.dynamodb.known import Known
from tallystick.stores.dynamodb.layout import (
    aggregate_place,
    event_digest,
    event_place,
    groups_place,
    member_place,
)
from tallystick.stores.dynamodb.letters import Letters
from tallystick.stores.dynamodb.listing import Directory
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import (
    TRANSACTION_ITEMS_MAX,
    Item,
    Refused,
    Table,
    Write,
)
from tallystick.stores.dynamodb.turns import Turn, Turns
from tallystick.stores.dynamodb.world import Draft, World

REFUSALS_MAX: Final = 200
"""So often others may come first before a transaction gives up. Each time, one of them got on."""

EVENTS_AT_ONCE: Final = 98
"""With the one Aggregate that they count in, they are a transaction."""

EVENT_BYTES_MAX: Final = 3_000_000
"""A transaction holds 4 MB. One event alone takes a tenth of this at most."""


@dataclass(slots=True, kw_only=True)
class Recorder:
    """Records one batch at `now`. From one batch to the next only `turns` is kept."""

    table: Table
    logs: EventLogs
    chains: Directory
    letters: Letters
    turns: Turns
    pausing: Pausing
    now: int
    _known: Known = field(init=False)
    _met: set[AggregateKey] = field(default_factory=set)
    """The Aggregates that others changed before the last transaction, which was refused."""
    _logged: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    """By tenant: the last place of its log, and the keys that it lists."""

    def __post_init__(self) -> None:
        self._known = Known(self.table)

    def record(self, batch: Sequence[Recording]) -> tuple[Recorded, ...]:
        recorded: dict[int, Recorded] = {}
        by_tenant: dict[str, list[int]] = {}
        for place, recording in enumerate(batch):
            by_tenant.setdefault(recording.event.tenant, []).append(place)
        for places in by_tenant.values():
            told = self._record([batch[place] for place in places])
            recorded |= zip(places, told, strict=True)
        return tuple(recorded[place] for place in range(len(batch)))

    def _record(self, batch: Sequence[Recording]) -> list[Recorded]:
        """What becomes of one tenant's."""
        recorded: list[Recorded] = []
        while len(recorded) < len(batch):
            recorded += self._recorded(_portion(batch[len(recorded) :]))
        return recorded

    def _recorded(self, rest: Sequence[Recording]) -> list[Recorded]:
        """What becomes of as many as one transaction takes, whoever comes first."""
        turn: Turn | None = None
        for refusals in range(REFUSALS_MAX):
            world, drafted, logs = self._laid_out(rest)
            if turn is None and (crowded := self._crowded(world)):
                # What need not wait is done by now: a turn is a look and a write.
                turn = self.turns.wait(crowded, self._known)
                self._known.read_again(key for key in world.aggregates if key != crowded)
                world, drafted, logs = self._laid_out(rest)
            if not self._is_written(world, logs, turn):
                self.pausing.pause(min(refusals + 1, 5))
                continue
            if turn and turn.key not in world.aggregates:
                self.turns.give_up(turn, self._known)
            self._keep_conflicts(rest, drafted)
            self._known.keep(world.events, world.aggregates, world.members, world.groups)
            return drafted
        raise StoreUnavailable(
            f"the DynamoDB table {self.table.name} is too busy: others changed the"
            f" same totals {REFUSALS_MAX} times before us; try again"
        )

    def _crowded(self, world: World) -> AggregateKey | None:
        """The first Aggregate where others write too: who meets at the same ones waits at one."""
        known = self._known
        there = (key for key in world.aggregates if known.aggregate(key) is not None)
        crowded = (
            key for key in there if key in self._met or self.turns.are_taken(key, known.line(key))
        )
        return min(crowded, default=None)

    def _laid_out(self, rest: Sequence[Recording]) -> tuple[World, list[Recorded], dict[str, str]]:
        """What is to be written by what is known now, and where the logs name its events."""
        self._known.prefetch(c.key for recording in rest for c in recording.contributions)
        world = World(self._known)
        drafted = self._drafted(world, rest)
        self._enter(world)
        return world, drafted, self._named(world)

    def _is_written(self, world: World, logs: dict[str, str], turn: Turn | None) -> bool:
        """Whether nobody came first; else it is known then who did."""
        writes = _event_writes(world, logs) + _other_writes(world, turn)
        try:
            self.table.write([write for write, _ in writes])
        except Refused as refused:
            for number, item in refused.found.items():
                learn = writes[number][1]
                learn(item)
            outrun = {writes[number][0].place for number in refused.found}
            self._met = {key for key in world.aggregates if aggregate_place(key) in outrun}
            return False
        self._met = set()
        return True

    def _drafted(self, world: World, rest: Sequence[Recording]) -> list[Recorded]:
        """What becomes of as many as fit into one transaction."""
        drafted: list[Recorded] = []
        for recording in rest:
            stored = world.stored(recording.event.tenant, recording.event.key).event
            if stored is not None:
                same = stored.fingerprint == recording.event.fingerprint
                drafted.append(Recorded(Receipt.DUPLICATE if same else Receipt.CONFLICT))
                continue
            draft = Draft(world)
            try:
                draft.count(recording)
            except TotalOverflow:
                drafted.append(Recorded(Receipt.CONFLICT, refused=Reason.OVERFLOW))
                continue
            is_full = draft.items > TRANSACTION_ITEMS_MAX or draft.event_bytes > EVENT_BYTES_MAX
            if is_full and world.items:
                break
            draft.accept()
            touched = draft.touched
            late = any(a.sealed and a.key.window.end <= self.now for a in touched)
            receipt = Receipt.LATE if late else Receipt.RECORDED
            drafted.append(Recorded(receipt, tuple(a.key for a in touched)))
        return drafted

    def _enter(self, world: World) -> None:
        """Name the partitions that are written to, so that listings find them."""
        for key in world.aggregates:
            self.chains.enter(key.tenant, key.meter)

    def _named(self, world: World) -> dict[str, str]:
        """For each tenant the place of its log that lists the new events."""
        fresh: dict[str, list[Event]] = {}
        for (tenant, key), stored in world.events.items():
            if stored.event is not None and self._known.stored(tenant, key).event is None:
                fresh.setdefault(tenant, []).append(stored.event)
        named = {}
        for tenant, events in fresh.items():
            place, listed = self._logged.get(tenant, ("", frozenset()))
            if not listed.issuperset(event.key for event in events):
                place = self.logs.name(tenant, events, self.now)
                listed = frozenset(event.key for event in events)
                self._logged[tenant] = (place, listed)
            named[tenant] = place
        return named

    def _keep_conflicts(self, rest: Sequence[Recording], drafted: Sequence[Recorded]) -> None:
        self.letters.keep(
            [
                DeadLetter(
                    id=dead_letter_id(recording.origin, recording.body),
                    reason=Reason.CONFLICT,
                    tenant=recording.event.tenant,
                    origin=recording.origin,
                    body=recording.body,
                    received_at=self.now,
                )
                for recording, recorded in zip(rest, drafted, strict=False)
                if recorded.receipt is Receipt.CONFLICT and recorded.refused is None
            ]
        )


def _portion(batch: Sequence[Recording]) -> Sequence[Recording]:
    """The first of as few parts as the batch can be cut into, all of about the same length."""
    parts = -(-len(batch) // EVENTS_AT_ONCE)
    return batch[: -(-len(batch) // parts)]


Written = tuple[Write, Callable[[Item | None], None]]
"""A write, and what to learn from what stands there instead, should it be refused."""


def _event_writes(world: World, logs: dict[str, str]) -> list[Written]:
    writes: list[Written] = []
    for (tenant, key), stored in world.events.items():
        before = world.known.stored(tenant, key)
        is_new = before.event is None and stored.event is not None
        told = replace(stored, log=logs[tenant]) if is_new else stored
        world.events[tenant, key] = told
        write = Write(
            place=event_place(event_digest(tenant, key)),
            put=stored_item(told),
            expect=stored_expectation(before),
        )
        writes.append((write, partial(world.known.find_event, (tenant, key))))
    return writes


def _other_writes(world: World, turn: Turn | None) -> list[Written]:
    writes: list[Written] = []
    for key, aggregate in world.aggregates.items():
        learn = partial(world.known.find_aggregate, key)
        write = _aggregate_write(world.known.aggregate(key), aggregate)
        if turn and turn.key == key:
            served = max(turn.ticket, world.known.line(key).served)
            write = replace(write, sets={**write.sets, SERVED: served})
        writes.append((write, learn))
        chunk = Write(
            place=chunk_place(key, aggregate.position), put=chunk_item(key, world.changes[key])
        )
        writes.append((chunk, learn))
    for member, live in world.members.items():
        write = Write(
            place=member_place(*member),
            sets={"live": live},
            expect={"live": world.known.members_read(member)},
        )
        writes.append((write, partial(world.known.find_members, member)))
    for groups, number in world.groups.items():
        write = Write(
            place=groups_place(*groups),
            sets={"kept_apart": number},
            expect={"kept_apart": world.known.groups(groups) or None},
        )
        writes.append((write, partial(world.known.find_groups, groups)))
    return writes


def _aggregate_write(before: Aggregate | None, after: Aggregate) -> Write:
    """Its new tally and due mark, on the condition of its position, and of whether it was sealed:
    that decides who is late."""
    return Write(
        place=aggregate_place(after.key),
        sets={"body": aggregate_body(after), "position": after.position, **due_mark(after)},
        expect={
            "position": before.position if before else None,
            "sealed": 1 if before and before.sealed else None,
        },
    )
