"""One call of `record`: a batch of events laid over the Aggregates they touch, then written.

Each Aggregate is read once and written once, whatever the number of events. Folding is the
domain's; here is only what it needs to know (live members, positions) and where it goes. All
happens inside the caller's write transaction, so that nothing read here can be old.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import apsw

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
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE, Aggregation
from tallystick.domain.quantity import TotalOverflow
from tallystick.domain.window import Window
from tallystick.ports import Recorded, Recording
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.dead_letters import keep_letter
from tallystick.stores.sqlite.pages import Row, row_of
from tallystick.stores.sqlite.rows import (
    aggregate_of,
    aggregate_row,
    contribution_of,
    differences,
    key_row,
    tally_row,
    text_of,
)

_DUPLICATE: Final = Recorded(Receipt.DUPLICATE)
_CONFLICT: Final = Recorded(Receipt.CONFLICT)
_OVERFLOW: Final = Recorded(Receipt.CONFLICT, refused=Reason.OVERFLOW)


@dataclass(slots=True, eq=False)
class Account:
    """An Aggregate in memory while a batch changes it. `id` is 0 until an event counts in it."""

    aggregate: Aggregate
    id: int
    tally: Tally
    position: int
    is_stored: bool = False
    is_changed: bool = False
    members: dict[str, int] = field(default_factory=dict)
    """The live contributions of each member that was looked at."""
    members_changed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Draft:
    """What one event changes, before it is certain that all of it can be counted."""

    tallies: dict[Account, Tally] = field(default_factory=dict)
    lines: list[tuple[Account, Contribution, int | None]] = field(default_factory=list)
    """(account, contribution, position of what is taken out or None where it is added)."""

    def live(self, account: Account, member: str) -> int:
        """How the draft changes the live contributions of a member."""
        if account not in self.tallies:
            return 0
        return sum(
            1 if taken is None else -1
            for other, contribution, taken in self.lines
            if other is account and contribution.member == member
        )

    def change(
        self, account: Account, tally: Tally, contribution: Contribution, taken: int | None = None
    ) -> None:
        self.tallies[account] = tally
        self.lines.append((account, contribution, taken))


class Recordings:
    """The state of one batch. Use: `record` for each, then `flush`."""

    def __init__(self, db: apsw.Connection, now: int) -> None:
        self._db = db
        self._now = now
        self._tenant_ids: dict[str, int] = {}
        self._fresh: dict[tuple[int, str], str] = {}
        self._accounts: dict[Row, Account] = {}
        """By the columns of their keys, which are quicker to look up than the keys."""
        self._kept_apart: dict[tuple[str, str, Window], int] = {}
        self._created: list[Account] = []
        event_id, aggregate_id, has_voids = row_of(db, sql.SELECT_EVENTS_STATE)
        self._event_id: int = event_id or 0
        self._aggregate_id: int = aggregate_id or 0
        self._has_voids = bool(has_voids)
        self._events: list[Row] = []
        self._changes: list[Row] = []

    def record(self, recording: Recording) -> Recorded:
        event = recording.event
        tenant_id = self._tenant_id(event.tenant)
        stored = self._fingerprint(tenant_id, event.key)
        if stored is not None:
            return self._repeated(recording, stored)
        draft = Draft()
        try:
            self._draft(draft, tenant_id, recording)
        except TotalOverflow:
            return _OVERFLOW
        return self._accept(draft, tenant_id, event)

    def flush(self) -> None:
        """Write what was recorded so far."""
        if self._events:
            self._db.executemany(sql.INSERT_EVENT, self._events)
            self._events = []
        if self._changes:
            # In the order of the table, since that is the order of its pages.
            self._changes.sort()
            self._db.executemany(sql.INSERT_CHANGE, self._changes)
            self._changes = []
        created, self._created = self._created, []
        self._db.executemany(sql.INSERT_AGGREGATE, map(_insert_row, created))
        changed = [account for account in self._accounts.values() if account.is_changed]
        stored = (account for account in changed if account.is_stored)
        self._db.executemany(sql.UPDATE_AGGREGATE, map(_update_row, stored))
        self._db.executemany(sql.PUT_MEMBER, _member_rows(changed))
        for account in changed:
            account.is_changed, account.is_stored = False, True
            account.members_changed.clear()
            if not account.aggregate.due:
                # By itself, since the index over the marks would be written again each time.
                self._db.execute(sql.MARK_AGGREGATE_DUE, (account.id,))
                account.aggregate = replace(account.aggregate, due=True)

    # ── Is it new? ────────────────────────────────────────────────────────────────────────────

    def _tenant_id(self, tenant: str) -> int:
        found = self._tenant_ids.get(tenant)
        if found is None:
            self._db.execute(sql.INSERT_EVENT_TENANT, (tenant,))
            found = int(row_of(self._db, sql.SELECT_EVENT_TENANT, (tenant,))[0])
            self._tenant_ids[tenant] = found
        return found

    def _fingerprint(self, tenant_id: int, key: str) -> str | None:
        fresh = self._fresh.get((tenant_id, key))
        if fresh is not None:
            return fresh
        row = self._db.execute(sql.SELECT_FINGERPRINT, (tenant_id, key)).fetchone()
        return None if row is None else str(row[0])

    def _repeated(self, recording: Recording, stored: str) -> Recorded:
        if stored == recording.event.fingerprint:
            return _DUPLICATE
        letter = DeadLetter(
            id=dead_letter_id(recording.origin, recording.body),
            reason=Reason.CONFLICT,
            tenant=recording.event.tenant,
            origin=recording.origin,
            body=recording.body,
            received_at=self._now,
        )
        keep_letter(self._db, letter)
        return _CONFLICT

    def _is_voided(self, tenant_id: int, key: str) -> bool:
        if not self._has_voids:
            return False
        return self._db.execute(sql.SELECT_VOID, (tenant_id, key)).fetchone() is not None

    # ── What does it change? ──────────────────────────────────────────────────────────────────

    def _draft(self, draft: Draft, tenant_id: int, recording: Recording) -> None:
        event = recording.event
        if event.voids is not None and not self._is_voided(tenant_id, event.voids):
            self._take_out(draft, tenant_id, event.voids)
        if event.voids != event.key and not self._is_voided(tenant_id, event.key):
            for contribution in recording.contributions:
                self._add(draft, contribution)

    def _add(self, draft: Draft, offered: Contribution) -> None:
        account = self._accounts.get(key_row(offered.key))
        contribution = offered
        if account is None:
            account = self._opened(draft, offered)
            if account.aggregate.key != offered.key:
                contribution = replace(offered, key=account.aggregate.key)
        seen = 0
        if contribution.aggregation is Aggregation.UNIQUE_COUNT:
            member = contribution.member
            seen = self._live(account, member) + draft.live(account, member)
        tally = fold(draft.tallies.get(account, account.tally), contribution, seen=seen)
        draft.change(account, tally, contribution)

    def _take_out(self, draft: Draft, tenant_id: int, key: str) -> None:
        """Draft the removal of all that the event with this key added."""
        self.flush()
        row = self._db.execute(sql.SELECT_COUNTED, (tenant_id, key)).fetchone()
        gone: set[tuple[int, int]] = set()
        for place in (row[0] if row else "").split():
            aggregate_id, position = map(int, place.split(":"))
            gone.add((aggregate_id, position))
            account = self._account_with_id(aggregate_id)
            change = row_of(self._db, sql.SELECT_CONTRIBUTION, (aggregate_id, position))
            removed = contribution_of(change, account.aggregate)
            member = removed.member
            left = self._live(account, member) + draft.live(account, member) - 1
            tally = unfold(draft.tallies.get(account, account.tally), removed, left=left)
            if tally is None:
                tally = refold(self._live_contributions(account, gone))
            draft.change(account, tally, removed, position)

    def _live_contributions(
        self, account: Account, gone: set[tuple[int, int]]
    ) -> Iterator[Contribution]:
        for position, *row in self._db.execute(sql.SELECT_LIVE, (account.id,)):
            if (account.id, position) not in gone:
                yield contribution_of(tuple(row), account.aggregate)

    def _live(self, account: Account, member: str) -> int:
        live = account.members.get(member)
        if live is None:
            row = None
            if account.id:
                row = self._db.execute(sql.SELECT_MEMBER, (account.id, member)).fetchone()
            live = account.members[member] = row[0] if row else 0
        return live

    # ── The Aggregates ────────────────────────────────────────────────────────────────────────

    def _opened(self, draft: Draft, offered: Contribution) -> Account:
        """The account that the contribution goes to: its own, or that of all others."""
        key = offered.key
        found = self._found(draft, key)
        if found is not None:
            return found
        if key.group not in (WHOLE, OTHER) and self._groups(draft, key) >= GROUPS_MAX:
            key = replace(key, group=OTHER)
            found = self._found(draft, key)
            if found is not None:
                return found
        aggregate = started(offered if key is offered.key else replace(offered, key=key))
        return Account(aggregate, 0, aggregate.tally, 0)

    def _found(self, draft: Draft, key: AggregateKey) -> Account | None:
        for account in draft.tallies:
            if account.aggregate.key == key:
                return account
        place = key_row(key)
        if place in self._accounts:
            return self._accounts[place]
        row = self._db.execute(sql.SELECT_AGGREGATE, place).fetchone()
        return None if row is None else self._loaded(row)

    def _account_with_id(self, aggregate_id: int) -> Account:
        row = row_of(self._db, sql.SELECT_AGGREGATE_WITH_ID, (aggregate_id,))
        return self._accounts.get(row[1:6]) or self._loaded(row)

    def _loaded(self, row: Row) -> Account:
        aggregate = aggregate_of(row[1:])
        account = Account(aggregate, row[0], aggregate.tally, aggregate.position, is_stored=True)
        self._accounts[row[1:6]] = account
        return account

    def _groups(self, draft: Draft, key: AggregateKey) -> int:
        """How many dimension sets the window keeps apart."""
        place = (key.tenant, key.meter, key.window)
        if place not in self._kept_apart:
            row = (key.tenant, key.meter, key.window.start, key.window.end)
            self._kept_apart[place] = row_of(self._db, sql.COUNT_KEPT_APART, row)[0]
        drafted = sum(
            1
            for account in draft.tallies
            if not account.id and _kept_apart_in(account.aggregate.key) == place
        )
        return self._kept_apart[place] + drafted

    # ── It counts ─────────────────────────────────────────────────────────────────────────────

    def _accept(self, draft: Draft, tenant_id: int, event: Event) -> Recorded:
        self._event_id += 1
        is_late = False
        for account, tally in draft.tallies.items():
            if not account.id:
                self._create(account)
            account.tally = tally
            account.is_changed = True
            aggregate = account.aggregate
            is_late |= aggregate.sealed and aggregate.key.window.end <= self._now
        places = [self._line(*line) for line in draft.lines]
        counted = " ".join(place for place in places if place)
        self._fresh[tenant_id, event.key] = event.fingerprint
        self._events.append(_event_row(self._event_id, tenant_id, event, counted))
        if event.voids is not None:
            self._db.execute(sql.INSERT_VOID, (tenant_id, event.voids, self._event_id))
            self._has_voids = True
        touched = tuple([account.aggregate.key for account in draft.tallies])
        return Recorded(Receipt.LATE if is_late else Receipt.RECORDED, touched)

    def _create(self, account: Account) -> None:
        aggregate = account.aggregate
        self._aggregate_id = account.id = self._aggregate_id + 1
        self._created.append(account)
        self._accounts[key_row(aggregate.key)] = account
        place = _kept_apart_in(aggregate.key)
        if place in self._kept_apart:
            self._kept_apart[place] += 1

    def _line(self, account: Account, contribution: Contribution, taken: int | None) -> str:
        """Keep the change; the place of what was added, for the event to remember."""
        account.position = position = account.position + 1
        member = contribution.member
        if contribution.aggregation is Aggregation.UNIQUE_COUNT:
            account.members[member] = self._live(account, member) + (1 if taken is None else -1)
            account.members_changed.add(member)
        differs = differences(contribution, account.aggregate)
        quantity = text_of(contribution.value)
        if taken is None:
            self._changes.append(
                (account.id, position, self._event_id, quantity, member, None, 1, differs)
            )
            return f"{account.id}:{position}"
        self._db.execute(sql.END_CONTRIBUTION, (account.id, taken))
        (voided_id,) = row_of(self._db, sql.SELECT_CHANGED_BY, (account.id, taken))
        self._changes.append(
            (account.id, position, voided_id, quantity, member, self._event_id, 0, differs)
        )
        return ""


def record_all(db: apsw.Connection, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
    recordings = Recordings(db, now)
    recorded = tuple([recordings.record(recording) for recording in batch])
    recordings.flush()
    return recorded


def _kept_apart_in(key: AggregateKey) -> tuple[str, str, Window] | None:
    return None if key.group in (WHOLE, OTHER) else (key.tenant, key.meter, key.window)


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


def _insert_row(account: Account) -> Row:
    return (account.id, *aggregate_row(account.aggregate, account.tally, account.position))


def _update_row(account: Account) -> Row:
    return (*tally_row(account.tally), account.position, account.id)


def _member_rows(changed: list[Account]) -> Iterator[Row]:
    for account in changed:
        for member in account.members_changed:
            yield (account.id, member, account.members[member])
