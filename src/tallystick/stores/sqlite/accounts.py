"""The Aggregates that a batch changes, in memory: each is read once and written once.

They are kept from one call to the next as long as nobody else wrote; whether somebody did is
`recorder.py`'s to know.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

import apsw

from tallystick.domain.aggregate import (
    Aggregate,
    AggregateKey,
    Contribution,
    Place,
    Tally,
    started,
    with_total,
)
from tallystick.domain.event import Receipt
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE
from tallystick.domain.quantity import format_smallest, in_smallest
from tallystick.domain.sheet import Cell, counts_events
from tallystick.domain.window import Window
from tallystick.ports import Recorded
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.pages import UNBOUNDED, Row, row_of
from tallystick.stores.sqlite.rows import aggregate_of, aggregate_row, key_row, tally_row


@dataclass(slots=True, eq=False)
class Account:
    """An Aggregate in memory while a batch changes it. `id` is 0 until an event counts in it."""

    aggregate: Aggregate
    id: int
    folded: Tally
    """Without what is `ahead` of it."""
    position: int
    segment_id: int = 0
    """The last segment that changed it."""
    is_stored: bool = False
    is_changed: bool = False
    members: dict[str, int] = field(default_factory=dict)
    """The live contributions of each member that was looked at."""
    members_changed: set[str] = field(default_factory=set)
    ahead: int = 0
    """So many contributions were added up since."""
    total: int | None = None
    """What it all adds up to, once that was asked for."""

    @property
    def tally(self) -> Tally:
        if self.ahead:
            self.folded, self.ahead = with_total(self.folded, self.ahead, self.summed()), 0
        return self.folded

    def summed(self) -> int:
        """What it all adds up to, in smallest quantities."""
        if self.total is None:
            self.total = in_smallest(self.folded.total)
        return self.total

    def put(self, tally: Tally) -> None:
        self.folded, self.ahead, self.total = tally, 0, None


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """The accounts of a cell's places, in their order, and what an event of the cell is told."""

    accounts: tuple[Account, ...]
    is_own: bool
    """Whether an event adds its own quantity to all of them."""
    recorded: Recorded
    late: Recorded
    late_from: int

    def told(self, now: int) -> Recorded:
        return self.recorded if now < self.late_from else self.late


def reached(places: tuple[Place, ...], accounts: tuple[Account, ...]) -> Reached:
    keys = tuple([account.aggregate.key for account in accounts])
    return Reached(
        accounts,
        not any(map(counts_events, places)),
        Recorded(Receipt.RECORDED, keys),
        Recorded(Receipt.LATE, keys),
        min([late_from(account.aggregate) for account in accounts]),
    )


class Taken(NamedTuple):
    """The place of what a void takes out: in a row, or else in a segment, which never changes."""

    position: int
    is_in_row: bool


@dataclass(slots=True)
class Draft:
    """What one event changes, before it is certain that all of it can be counted."""

    tallies: dict[Account, Tally] = field(default_factory=dict)
    lines: list[tuple[Account, Contribution, Taken | None]] = field(default_factory=list)
    """(account, contribution, what is taken out or None where it is added)."""
    voided_id: int = 0
    """The event whose contributions are taken out."""

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
        self,
        account: Account,
        tally: Tally,
        contribution: Contribution,
        taken: Taken | None = None,
    ) -> None:
        self.tallies[account] = tally
        self.lines.append((account, contribution, taken))


@dataclass(slots=True)
class Kept:
    """What was read or counted once, and stays true while nobody else writes."""

    tenant_ids: dict[str, int] = field(default_factory=dict)
    accounts: dict[Row, Account] = field(default_factory=dict)
    """By the columns of their keys, which are quicker to look up than the keys."""
    kept_apart: dict[tuple[str, str, Window], int] = field(default_factory=dict)
    cells: dict[Cell, Reached] = field(default_factory=dict)

    def forget_most(self, limit: int) -> None:
        """Before the next call: what would grow without end, and is quickly read again."""
        sizes = (
            len(self.accounts),
            len(self.tenant_ids),
            len(self.kept_apart),
            len(self.cells),
        )
        if max(sizes) > limit:
            self.accounts, self.tenant_ids, self.kept_apart, self.cells = {}, {}, {}, {}


class Accounts:
    """The accounts of one call."""

    def __init__(self, db: apsw.Connection, kept: Kept, last_id: int) -> None:
        self._db = db
        self._by_key = kept.accounts
        self._kept_apart = kept.kept_apart
        self.last_id = last_id
        """The last that an Aggregate was given."""
        self._created: list[Account] = []
        self._changed: dict[Account, None] = {}
        self._raised: dict[Account, None] = {}

    def opened(self, draft: Draft, offered: Contribution) -> Account:
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
        if place in self._by_key:
            return self._by_key[place]
        row = self._db.execute(sql.SELECT_ACCOUNT, place).fetchone()
        return None if row is None else self._loaded(row)

    def with_id(self, aggregate_id: int) -> Account:
        row = row_of(self._db, sql.SELECT_ACCOUNT_WITH_ID, (aggregate_id,))
        return self._by_key.get(row[2:7]) or self._loaded(row)

    def _loaded(self, row: Row) -> Account:
        segment_id, aggregate_id, *columns = row
        aggregate = aggregate_of(tuple(columns))
        account = Account(
            aggregate,
            aggregate_id,
            aggregate.tally,
            aggregate.position,
            segment_id,
            is_stored=True,
        )
        self._by_key[row[2:7]] = account
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

    def live(self, account: Account, member: str) -> int:
        """How many live contributions of the member the account holds."""
        live = account.members.get(member)
        if live is None:
            row = None
            if account.id:
                row = self._db.execute(sql.SELECT_MEMBER, (account.id, member)).fetchone()
            live = account.members[member] = row[0] if row else 0
        return live

    def raise_live(self, account: Account, member: str, by: int) -> None:
        account.members[member] = self.live(account, member) + by
        account.members_changed.add(member)

    def change(self, account: Account, tally: Tally) -> None:
        """Let the account be written with the next flush, and all that becomes of it until then."""
        if not account.id:
            self._create(account)
        account.put(tally)
        account.is_changed = True
        self._changed[account] = None

    def raise_all(self, events: dict[Account, int], totals: dict[Account, int]) -> None:
        """Let the accounts be written with the next flush: with so many more events, and these
        totals in smallest quantities."""
        for account, total in totals.items():
            if not account.id:
                self._create(account)
            account.ahead += events[account]
            account.total = total
            self._raised[account] = None

    def _create(self, account: Account) -> None:
        aggregate = account.aggregate
        self.last_id = account.id = self.last_id + 1
        self._created.append(account)
        self._by_key[key_row(aggregate.key)] = account
        place = _kept_apart_in(aggregate.key)
        if place in self._kept_apart:
            self._kept_apart[place] += 1

    def flush(self) -> None:
        """Write what changed."""
        created, self._created = self._created, []
        changed, self._changed = self._changed, {}
        raised, self._raised = self._raised, {}
        if created:
            self._db.executemany(sql.INSERT_AGGREGATE, map(_insert_row, created))
        if raised:
            counted = [account for account in raised if account.is_stored]
            self._db.executemany(sql.RAISE_AGGREGATE, map(_raised_row, counted))
        if changed:
            self._flush_changed(changed)
        for account in created:
            account.is_stored = True
        for account in chain(changed, raised):
            if not account.aggregate.due:
                # By itself, since the index over the marks would be written again each time.
                self._db.execute(sql.MARK_AGGREGATE_DUE, (account.id,))
                account.aggregate = replace(account.aggregate, due=True)

    def _flush_changed(self, changed: dict[Account, None]) -> None:
        stored = (account for account in changed if account.is_stored)
        self._db.executemany(sql.UPDATE_AGGREGATE, map(_update_row, stored))
        if members := list(_member_rows(changed)):
            self._db.executemany(sql.PUT_MEMBER, members)
        for account in changed:
            account.is_changed = False
            if account.members:
                account.members, account.members_changed = {}, set()


def late_from(aggregate: Aggregate) -> int:
    """The instant from which what is counted there comes late: its window has ended, and was
    sealed."""
    return aggregate.key.window.end if aggregate.sealed else UNBOUNDED


def _kept_apart_in(key: AggregateKey) -> tuple[str, str, Window] | None:
    return None if key.group in (WHOLE, OTHER) else (key.tenant, key.meter, key.window)


def _insert_row(account: Account) -> Row:
    columns = aggregate_row(account.aggregate, account.tally, account.position)
    return (account.id, *columns, account.segment_id)


def _update_row(account: Account) -> Row:
    return (*tally_row(account.tally), account.position, account.segment_id, account.id)


def _raised_row(account: Account) -> Row:
    total = format_smallest(account.summed())
    count = account.folded.count + account.ahead
    return (count, total, account.position, account.segment_id, account.id)


def _member_rows(changed: dict[Account, None]) -> Iterator[Row]:
    for account in changed:
        for member in account.members_changed:
            yield (account.id, member, account.members[member])
