"""One call of `record`: a batch of events laid over the Aggregates they touch, then written.

Folding is the domain's; here is only what it needs to know (live members, positions) and where it
goes: into segments. All happens inside the caller's write
transaction, so that nothing read here can be old.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Final, NamedTuple

import apsw

from tallystick.domain.aggregate import Contribution, fold, refold, unfold
from tallystick.domain.dead_letter import DeadLetter, Reason, dead_letter_id
from tallystick.domain.event import Event, Receipt
from tallystick.domain.meter import Aggregation
from tallystick.domain.quantity import TotalOverflow
from tallystick.domain.sheet import Sheet
from tallystick.ports import Recorded, Recording
from tallystick.stores.sqlite import segment_statements as segments_sql
from tallystick.stores.sqlite import statements as sql
from tallystick.stores.sqlite.accounts import Account, Accounts, Draft, Kept, Taken, late_from
from tallystick.stores.sqlite.dead_letters import keep_letter
from tallystick.stores.sqlite.finding import matching
from tallystick.stores.sqlite.gathering import Size
from tallystick.stores.sqlite.key_hashes import KeyHash
from tallystick.stores.sqlite.key_index import KeyIndex, Known
from tallystick.stores.sqlite.pages import row_of
from tallystick.stores.sqlite.rows import contribution_of, differences, text_of
from tallystick.stores.sqlite.segment_columns import Series
from tallystick.stores.sqlite.sheets import (
    Reaching,
    added_by,
    packed_sheet,
    pieces,
    reached_by,
    repeats,
    sheet_series,
    totals_with,
)
from tallystick.stores.sqlite.sizes import Sizes
from tallystick.stores.sqlite.stored import Stored
from tallystick.stores.sqlite.writing import Written, put_segment, write_segment

_DUPLICATE: Final = Recorded(Receipt.DUPLICATE)
_CONFLICT: Final = Recorded(Receipt.CONFLICT)
_OVERFLOW: Final = Recorded(Receipt.CONFLICT, refused=Reason.OVERFLOW)


class State(NamedTuple):
    """Where the event log is when a call begins, and where it leaves it: the last ids, and whether
    there are voids."""

    event_id: int
    aggregate_id: int
    tenant_id: int
    has_voids: int


class Recordings:
    """The state of one batch. Use: `record` for each, then `flush`."""

    def __init__(
        self,
        db: apsw.Connection,
        now: int,
        *,
        state: State,
        kept: Kept,
        index: KeyIndex,
        sizes: Sizes,
    ) -> None:
        self._db = db
        self._now = now
        self._accounts = Accounts(db, kept, state.aggregate_id)
        self._by_key = kept.accounts
        self._tenant_ids = kept.tenant_ids
        self._last_tenant_id = state.tenant_id
        self._kept = kept
        self._index = index
        self._sizes = sizes
        self._event_id = state.event_id
        self._has_voids = bool(state.has_voids)
        self._known: Known = {}
        self._reading = Stored(db)
        """What is read of segments: those of before, or of this call once they are written."""
        self._fresh: dict[tuple[int, str], tuple[int, str]] = {}
        """(event id, fingerprint) of what this call stored."""
        self._written = Written(self._event_id + 1)
        self.hashes: list[tuple[int, int]] = []
        """(hash, event id) of the same."""
        self.segments: list[Size] = []
        """What was written."""

    @property
    def state(self) -> State:
        accounts = self._accounts
        return State(self._event_id, accounts.last_id, self._last_tenant_id, int(self._has_voids))

    def record_all(self, batch: Sequence[Recording]) -> tuple[Recorded, ...]:
        hashes = _hashes(batch, self._index.key_hash)
        self._known = self._index.candidates(self._db, hashes)
        recorded = self._record_sheet(batch, hashes) if isinstance(batch, Sheet) else None
        if recorded is None:
            recorded = tuple(map(self._record, batch, hashes))
        self.flush()
        return recorded

    def _record(self, recording: Recording, key_hash: int) -> Recorded:
        event = recording.event
        tenant_id = self._tenant_ids.get(event.tenant) or self._tenant_id(event.tenant)
        stored = self._stored(tenant_id, event.key, key_hash)
        if stored is not None:
            is_same = stored[1] == event.fingerprint
            return _DUPLICATE if is_same else self._conflict(recording)
        draft = Draft()
        try:
            self._draft(draft, tenant_id, recording)
        except TotalOverflow:
            return _OVERFLOW
        return self._accept(draft, tenant_id, event, key_hash)

    def flush(self) -> None:
        """Write what was recorded so far."""
        if self._written.events:
            size = write_segment(self._db, self._written, self._sizes.signpost_every)
            self.segments.append(size)
        self._accounts.flush()
        self._written = Written(self._event_id + 1)

    # ── A sheet at once ───────────────────────────────────────────────────────────────────────

    def _record_sheet(self, sheet: Sheet, hashes: list[int]) -> tuple[Recorded, ...] | None:
        """What became of all of a sheet; None, and nothing has changed, where only one by one can
        tell."""
        tenants = {cell.tenant for cell in sheet.cells}
        tenant_ids = {one: self._tenant_ids.get(one) or self._tenant_id(one) for one in tenants}
        known = repeats(sheet, tenant_ids, hashes, self._known, self._reading)
        fresh = sheet
        if known:
            fresh = sheet.only([place for place in range(len(sheet)) if place not in known])
        if self._has_voids and self._any_voided(fresh, tenant_ids):
            return None
        reaching = reached_by(fresh, self._kept, self._accounts)
        if reaching is None:
            return None
        added = added_by(fresh, reaching)
        totals = totals_with(added)
        if totals is None:
            return None
        self._accounts.raise_all(added.events, totals)
        self._kept.cells |= reaching
        if known:
            hashes = [one for place, one in enumerate(hashes) if place not in known]
        self.hashes += zip(hashes, count(self._event_id + 1))
        for piece in pieces(fresh, self._sizes.segment_max):
            part = added if piece is fresh else added_by(piece, reaching)
            self._write_sheet(piece, tenant_ids, reaching, sheet_series(part))
        return self._told(sheet, known, reaching)

    def _any_voided(self, sheet: Sheet, tenant_ids: dict[str, int]) -> bool:
        owners = [tenant_ids[cell.tenant] for cell in sheet.cells]
        named = zip(sheet.cell_of, sheet.keys, strict=True)
        return any(self._is_voided(owners[cell], key) for cell, key in named)

    def _write_sheet(
        self,
        sheet: Sheet,
        tenant_ids: dict[str, int],
        reaching: Reaching,
        series: dict[Account, Series],
    ) -> None:
        """One segment; nothing of this call waits to be written before it."""
        ids = [tenant_ids[cell.tenant] for cell in sheet.cells]
        owners = list(map(ids.__getitem__, sheet.cell_of))
        whole = packed_sheet(self._event_id + 1, sheet, owners, reaching, series)
        every = self._sizes.signpost_every
        self.segments.append(put_segment(self._db, whole, owners, series, every))
        for account, one in series.items():
            account.position = one.last_position
        self._event_id += len(sheet)

    def _told(
        self, sheet: Sheet, known: dict[int, bool], reaching: Reaching
    ) -> tuple[Recorded, ...]:
        """A receipt for each event; a conflict leaves its dead letter."""
        # Where nothing of a cell is new, each of its events is told again below.
        each = [
            reaching[cell].told(self._now) if cell in reaching else _DUPLICATE
            for cell in sheet.cells
        ]
        told = [each[cell] for cell in sheet.cell_of]
        for place, is_same in known.items():
            told[place] = _DUPLICATE if is_same else self._conflict(sheet[place])
        return tuple(told)

    # ── Is it new? ────────────────────────────────────────────────────────────────────────────

    def _tenant_id(self, tenant: str) -> int:
        self._db.execute(sql.INSERT_EVENT_TENANT, (tenant,))
        found = int(row_of(self._db, sql.SELECT_EVENT_TENANT, (tenant,))[0])
        self._tenant_ids[tenant] = found
        self._last_tenant_id = max(found, self._last_tenant_id)
        return found

    def _stored(self, tenant_id: int, key: str, key_hash: int) -> tuple[int, str] | None:
        """(event id, fingerprint) of the event that has the key."""
        fresh = self._fresh.get((tenant_id, key))
        if fresh is not None:
            return fresh
        if key_hash not in self._known:
            return None
        found = matching(self._reading, self._known[key_hash], tenant_id, key)
        return None if found is None else (found, self._reading.fingerprint(found))

    def _conflict(self, recording: Recording) -> Recorded:
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
            self._take_out(draft, tenant_id, event.tenant, event.voids)
        if event.voids != event.key and not self._is_voided(tenant_id, event.key):
            for contribution in recording.contributions:
                self._add(draft, contribution)

    def _add(self, draft: Draft, offered: Contribution) -> None:
        key, contribution = offered.key, offered
        window = key.window
        account = self._by_key.get((key.tenant, key.meter, key.group, window.start, window.end))
        if account is None:
            account = self._accounts.opened(draft, offered)
            if account.aggregate.key != key:
                contribution = replace(offered, key=account.aggregate.key)
        seen = 0
        if contribution.aggregation is Aggregation.UNIQUE_COUNT:
            member = contribution.member
            seen = self._accounts.live(account, member) + draft.live(account, member)
        tally = fold(draft.tallies.get(account, account.tally), contribution, seen=seen)
        draft.change(account, tally, contribution)

    def _take_out(self, draft: Draft, tenant_id: int, tenant: str, key: str) -> None:
        """Draft the removal of all that the event with this key added."""
        self.flush()
        key_hash = self._index.key_hash(tenant, key)
        self._known |= self._index.candidates(self._db, [key_hash])
        found = self._stored(tenant_id, key, key_hash)
        if found is None:
            return
        draft.voided_id = found[0]
        stored = self._reading
        gone: set[tuple[int, int]] = set()
        for aggregate_id, position, row, is_in_row in stored.places(draft.voided_id):
            gone.add((aggregate_id, position))
            account = self._accounts.with_id(aggregate_id)
            removed = contribution_of(row, account.aggregate)
            member = removed.member
            left = self._accounts.live(account, member) + draft.live(account, member) - 1
            tally = unfold(draft.tallies.get(account, account.tally), removed, left=left)
            if tally is None:
                live = stored.live(account.id, account.segment_id)
                tally = refold(
                    contribution_of(row, account.aggregate)
                    for at, row in live
                    if (account.id, at) not in gone
                )
            draft.change(account, tally, removed, Taken(position, is_in_row))

    # ── It counts ─────────────────────────────────────────────────────────────────────────────

    def _accept(self, draft: Draft, tenant_id: int, event: Event, key_hash: int) -> Recorded:
        if len(self._written.events) >= self._sizes.segment_max:
            self.flush()
        self._event_id += 1
        comes_late = False
        for account, tally in draft.tallies.items():
            if account.is_changed:
                account.put(tally)
            else:
                self._accounts.change(account, tally)
            comes_late |= self._now >= late_from(account.aggregate)
        self._written.events.append(event)
        self._written.tenant_ids.append(tenant_id)
        for account, contribution, taken in draft.lines:
            if taken is None:
                self._added(account, contribution)
            else:
                self._taken_out(account, contribution, taken, draft.voided_id)
        self._fresh[tenant_id, event.key] = (self._event_id, event.fingerprint)
        self.hashes.append((key_hash, self._event_id))
        if event.voids is not None:
            self._db.execute(sql.INSERT_VOID, (tenant_id, event.voids, self._event_id))
            self._has_voids = True
        touched = tuple([account.aggregate.key for account in draft.tallies])
        return Recorded(Receipt.LATE if comes_late else Receipt.RECORDED, touched)

    def _added(self, account: Account, contribution: Contribution) -> None:
        account.position = position = account.position + 1
        if contribution.aggregation is Aggregation.UNIQUE_COUNT:
            self._accounts.raise_live(account, contribution.member, 1)
        place = len(self._written.events) - 1
        self._written.lines.append((place, account, position, contribution))

    def _taken_out(
        self, account: Account, contribution: Contribution, taken: Taken, voided_id: int
    ) -> None:
        account.position += 1
        if contribution.aggregation is Aggregation.UNIQUE_COUNT:
            self._accounts.raise_live(account, contribution.member, -1)
        end = sql.END_CONTRIBUTION if taken.is_in_row else segments_sql.INSERT_TAKEN_OUT
        self._db.execute(end, (account.id, taken.position))
        change = (
            account.id,
            account.position,
            voided_id,
            text_of(contribution.value),
            contribution.member,
            self._event_id,
            0,
            differences(contribution, account.aggregate),
        )
        self._db.execute(sql.INSERT_CHANGE, change)


def _hashes(batch: Sequence[Recording], key_hash: KeyHash) -> list[int]:
    """The hash of each event's key."""
    opening = key_hash.opening
    if isinstance(batch, Sheet):
        each = [opening(cell.tenant) for cell in batch.cells]
        return key_hash.many(list(map(each.__getitem__, batch.cell_of)), batch.keys)
    openings = [opening(one.event.tenant) for one in batch]
    return key_hash.many(openings, [one.event.key for one in batch])
