"""Reconcile: hold the two halves together, our ledger and the provider's books, to the last unit.

Slot totals against what the provider shows, closed periods against the finalised bill's lines, our
periods against the provider's subscriptions. It lists each difference; it changes nothing but the
switch that holds back what a changed subscription touches, and, where asked to repair, what an
absolute slot is known to hold.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Final
from zlib import crc32

from tallystick.domain.discrepancy import Comparison, Discrepancy, Kind
from tallystick.domain.instant import DAY, EARLIEST, HOUR, LATEST, floor_hour, parse_instant
from tallystick.domain.publication import Limits, State, Step, decide
from tallystick.domain.quantity import ZERO, add, equal_as_read
from tallystick.domain.slot import Mode, Reads, Route, Slot, is_read_alone, reading_group
from tallystick.domain.statement import InvoiceLine
from tallystick.domain.window import Window
from tallystick.ports import Account, Due, Override, Page, Publisher, Store
from tallystick.stages.forgotten import only_there
from tallystick.stages.publishing import HOLD, RESTORED
from tallystick.stages.recounting import pages, recount, slot_faults
from tallystick.stages.verifying import verify

READ_AT_ONCE: Final = 2_000
"""So many slots are read from the provider in one go, to bound memory."""

BILL_LATENESS: Final = 2 * HOUR
"""How long after a slot's period closed its bill must have a finalised line."""

SHARES: Final = 7 * 24
"""Hours until every tenant has had its turn of the share that each run reconciles."""

COMPARED_FOR: Final = 40 * DAY
"""So long after a bill's end it is compared, where nobody names another day: by then it is final,
and providers take no usage that old."""

ONLY_THERE: Final = "only the lost store knew this hour: report it again, or take it out there"

Line = tuple[str, str, Window]
"""A bill's line: destination, counter, period."""


@dataclass(frozen=True, kw_only=True)
class Reconciling:
    """What is compared, and as of when. `limits` say how long a publication may stay unsettled;
    `on_line` is told both sides of each line of a bill, the equal ones too. Of the provider's books
    the periods are compared that end after `since`; without one, those of the last COMPARED_FOR.
    What is older and not delivered is listed all the same.
    """

    store: Store
    publisher: Publisher
    now: int
    limits: Limits
    on_line: Callable[[Comparison], None] = lambda _: None
    since: int | None = None

    @property
    def compared_from(self) -> int:
        """Periods that ended by then are left out."""
        return self.now - COMPARED_FOR if self.since is None else self.since

    def leaves_out(self) -> bool:
        """Whether there is anything so old."""
        older = Window(EARLIEST, max(self.compared_from, EARLIEST + 1))
        return bool(self.store.outbox.slots(starting=older, limit=1).elements)

    def everything(self) -> Iterator[Discrepancy]:
        """Events, Aggregates, ledger, chains, slots, provider, bills and subscriptions."""
        yield from recount(self.store, self.now)
        yield from verify(self.store, self.now)
        yield from self.provider()
        yield from self.subscriptions()

    def our_half(self) -> Iterator[Discrepancy]:
        """All that can be compared without asking the provider."""
        yield from recount(self.store, self.now)
        yield from verify(self.store, self.now)
        for one in pages(lambda cursor: self.store.outbox.slots(cursor=cursor)):
            yield from slot_faults(self.store, one.slot, self.now)

    def share(self, parts: int = SHARES) -> Iterator[Discrepancy]:
        """Some tenants' slots of this period against the provider: each hour others, all in
        `parts` hours, so that a change behind our back is found within the read allowance."""
        turn = self.now // HOUR % parts
        for account in pages(lambda cursor: self.store.catalog.accounts(cursor=cursor)):
            if crc32(account.tenant.id.encode()) % parts != turn:
                continue
            period = account.tenant.period_at(self.now)
            for route, destination in _billed_through(account):
                if route not in self.publisher.routes:
                    continue
                batch, lines = partial(self._slots_in, period, route, destination), _Lines()
                yield from self._compared(list(pages(batch)), lines)
                self._tell(lines)
            yield from self._only_there(account, period.start)

    def _slots_in(self, period: Window, route: str, destination: str, cursor: str) -> Page[Due]:
        return self.store.outbox.slots(
            route=route, destination=destination, starting=period, cursor=cursor
        )

    def provider(self) -> Iterator[Discrepancy]:
        """The slots against their Entries and the provider, and closed periods against their
        bills."""
        lines = _Lines()
        for batch in self._slots_by_group():
            yield from self._compared(batch, lines)
        lines.forget_before(self.compared_from)
        self._tell(lines)
        yield from self._bills(lines)
        yield from self._old_and_stuck()
        for account in pages(lambda cursor: self.store.catalog.accounts(cursor=cursor)):
            yield from self._only_there(account, self.compared_from)

    def _only_there(self, account: Account, since: int) -> Iterator[Discrepancy]:
        """After a restore: what the provider holds in hours of the tenant that we know nothing of,
        in periods from that of `since` on."""
        restored = self.store.catalog.switches().get(RESTORED)
        if restored is None:
            return
        at = parse_instant(restored)
        since = max(since, at - COMPARED_FOR)
        found = only_there(self.store, self.publisher, account, since=since, restored_at=at)
        for slot, shown in found:
            yield self._of(Kind.PROVIDER, slot, ZERO, shown, ONLY_THERE)

    def _old_and_stuck(self) -> Iterator[Discrepancy]:
        """Of what is too old to be compared, that which never arrived."""
        for one in pages(lambda cursor: self.store.outbox.slots_due(cursor=cursor)):
            unknown = one.slot.key.route not in self.publisher.routes
            if unknown or not self._is_compared(one.slot):
                yield from self._stuck(one)

    def _tell(self, lines: "_Lines") -> None:
        for (destination, counter, period), ours in lines.ours.items():
            line = (destination, counter, period)
            theirs = None if line in lines.unread else lines.theirs[line]
            self.on_line(
                Comparison(
                    destination=destination,
                    counter=counter,
                    period=period,
                    ours=ours,
                    theirs=theirs,
                    compared_at=self.now,
                )
            )

    def _slots_by_group(self) -> Iterator[list[Due]]:
        """The slots that are compared, some thousand at a time; no reading group is cut in two."""
        span = Window(self._earliest(), LATEST)
        found = pages(lambda cursor: self.store.outbox.slots(starting=span, cursor=cursor))
        slots = (one for one in found if one.slot.key.route in self.publisher.routes)
        batch: list[Due] = []
        for _, group in groupby(slots, lambda one: self._group(one.slot)):
            members = list(group)
            if any(self._is_compared(one.slot) for one in members):
                batch += members
            if len(batch) >= READ_AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch

    def _is_compared(self, slot: Slot) -> bool:
        return slot.place.period.end > self.compared_from

    def _earliest(self) -> int:
        """Where the first slot that is compared may start: in the oldest period, or in the hour
        that the period's start cuts."""
        accounts = pages(lambda cursor: self.store.catalog.accounts(cursor=cursor))
        starts = (account.tenant.period_at(self.compared_from).start for account in accounts)
        return floor_hour(min(starts, default=EARLIEST))

    def _group(self, slot: Slot) -> str:
        return reading_group(self.publisher.routes[slot.key.route], slot)

    def _compared(self, batch: list[Due], lines: "_Lines") -> Iterator[Discrepancy]:
        readings = {r.group: r.total for r in self.publisher.totals([d.slot for d in batch])}
        groups: dict[str, list[Due]] = defaultdict(list)
        for one in batch:
            groups[self._group(one.slot)].append(one)
            lines.take(one.slot)
            yield from slot_faults(self.store, one.slot, self.now)
            yield from self._stuck(one)
        for group, members in groups.items():
            line = line_of(members[0].slot)
            if group not in readings:
                lines.unread.add(line)
                continue
            lines.theirs[line] = add(lines.theirs[line], readings[group])
            yield from self._group_fault(members, readings[group])

    def _group_fault(self, members: list[Due], shown: Decimal) -> Iterator[Discrepancy]:
        if any(d.current or d.slot.confirmed is None for d in members):
            return
        expected = ZERO
        for one in members:
            expected = add(expected, one.slot.confirmed or ZERO)
        route = self.publisher.routes[members[0].slot.key.route]
        if not equal_as_read(expected, shown, route.digits_max):
            yield self._of(
                Kind.PROVIDER, members[-1].slot, expected, shown, "the provider's total changed"
            )

    def _stuck(self, one: Due) -> Iterator[Discrepancy]:
        """What is not delivered and will not be by itself, or is in doubt for too long."""
        slot, current = one.slot, one.current
        confirmed = ZERO if slot.confirmed is None else slot.confirmed
        route = self.publisher.routes.get(slot.key.route)
        if current is not None:
            # What was accepted may rightly wait until two readings have shown that it is absent.
            proof = self.limits.summary_lag + self.limits.absence_gap
            patience = 2 * proof if current.state is State.ACCEPTED else 0
            asks = route and decide(slot, current, route, self.limits, self.now) is Step.ASK
            if asks or self.now >= current.intended_at + self.limits.resend_for + patience:
                detail = f"{current.identifier}: {current.answer}"
                yield self._of(Kind.AMBIGUOUS, slot, current.total, confirmed, detail)
        elif slot.total != slot.confirmed:
            spent = route is not None and slot.is_spent(route)
            closed = spent or slot.place.is_closed(self.now)
            detail = "the slot is closed" if closed else "waits for the next publish"
            yield self._of(Kind.UNDELIVERED, slot, slot.total, confirmed, detail)

    def _of(
        self, kind: Kind, slot: Slot, ours: Decimal, theirs: Decimal, detail: str
    ) -> Discrepancy:
        return Discrepancy(
            kind=kind,
            subject=str(slot.key),
            ours=ours,
            theirs=theirs,
            detail=detail,
            found_at=self.now,
        )

    def _bills(self, lines: "_Lines") -> Iterator[Discrepancy]:
        ours, theirs, examples = lines.ours, lines.theirs, lines.examples
        closed = [line for line in ours if self._is_billed_by_now(examples[line])]
        found = {
            (line.destination, line.counter, line.period): line
            for line in self.publisher.invoice_lines([examples[line] for line in closed])
            if line.finalized_at is not None
        }
        for line in closed:
            slot, bill = examples[line], found.get(line)
            billed = bill.quantity if bill else ZERO
            if equal_as_read(ours[line], billed):
                continue
            # What reached the provider and is not on the bill was accepted too late.
            kind = Kind.NOT_BILLED if equal_as_read(ours[line], theirs[line]) else Kind.INVOICE
            yield self._of(kind, slot, ours[line], billed, _bill_detail(bill))

    def _is_billed_by_now(self, slot: Slot) -> bool:
        route = self.publisher.routes[slot.key.route]
        if route.reads is Reads.NOTHING:
            return False  # Who shows no totals shows no bill either.
        return self.now >= slot.place.period.end + route.closes_after + BILL_LATENESS

    def subscriptions(self) -> Iterator[Discrepancy]:
        """Our tenants' periods against what the provider bills them by; differences are held."""
        yield from self.subscriptions_of(
            pages(lambda cursor: self.store.catalog.accounts(cursor=cursor))
        )

    def subscriptions_of(
        self, accounts: Iterable[Account], only: Collection[str] = ()
    ) -> Iterator[Discrepancy]:
        """The same for these tenants, and where `only` names some, for these destinations."""
        switches = self.store.catalog.switches()
        for account in accounts:
            period = account.tenant.period_at(self.now)
            for destination in sorted({destination for _, destination in _billed_through(account)}):
                if only and destination not in only:
                    continue
                fault = self._subscription_fault(destination, period)
                held = f"{HOLD}:{destination}" in switches
                self._hold(destination, fault, is_held=held)
                if fault:
                    yield Discrepancy(
                        kind=Kind.SUBSCRIPTION,
                        tenant=account.tenant.id,
                        subject=destination,
                        ours=ZERO,
                        theirs=ZERO,
                        detail=fault,
                        found_at=self.now,
                    )

    def _subscription_fault(self, destination: str, period: Window) -> str:
        subscription = self.publisher.subscription(destination)
        if subscription is None:
            return ""
        if subscription.paused or subscription.status not in ("active", "trialing", "past_due"):
            return f"the subscription is {'paused' if subscription.paused else subscription.status}"
        if subscription.period != period:
            return f"the provider bills {subscription.period}, our terms say {period}"
        return ""

    def _hold(self, destination: str, fault: str, *, is_held: bool) -> None:
        if bool(fault) == is_held:
            return
        audit = Override(
            at=self.now,
            who="reconcile",
            why=fault or "the subscription is as our terms say",
            action="hold" if fault else "release",
            subject=destination,
        )
        self.store.catalog.switch(f"{HOLD}:{destination}", fault or None, audit)

    def repair(self) -> int:
        """Have every absolute slot whose total at the provider changed set again.

        Only slots that are read alone and have nothing in flight: setting them cannot over-bill.
        Returns how many.
        """
        repaired = 0
        for batch in self._slots_by_group():
            settled = {self._group(d.slot): d.slot for d in batch if self._is_repairable(d)}
            for reading in self.publisher.totals(list(settled.values())):
                slot = settled[reading.group]
                confirmed = slot.confirmed
                if confirmed is not None and not equal_as_read(confirmed, reading.total):
                    # Not taken for what it holds: a reading may lag, and what is set is set again.
                    earlier = (*slot.earlier, reading.total)
                    after = replace(slot, confirmed=None, earlier=earlier, due=True)
                    repaired += self.store.outbox.adjust(slot, after)
        return repaired

    def _is_repairable(self, one: Due) -> bool:
        route: Route = self.publisher.routes[one.slot.key.route]
        is_settable = route.mode is Mode.ABSOLUTE and is_read_alone(route)
        return is_settable and one.current is None and not one.slot.place.is_closed(self.now)


def _billed_through(account: Account) -> list[tuple[str, str]]:
    """The (route, destination)s that the tenant's mappings have ever named."""
    return sorted({(m.route, m.destination) for m in account.mappings if not m.is_end})


@dataclass(slots=True)
class _Lines:
    """What a comparison comes to, by the bill's lines; `unread` are those read in part only."""

    ours: dict[Line, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    theirs: dict[Line, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    examples: dict[Line, Slot] = field(default_factory=dict)
    unread: set[Line] = field(default_factory=set)

    def take(self, slot: Slot) -> None:
        line = line_of(slot)
        self.ours[line] = add(self.ours[line], slot.total)
        self.examples[line] = slot

    def forget_before(self, instant: int) -> None:
        """Leave out the lines of bills that ended by then: of them only a cut hour was read."""
        for line in [line for line in self.ours if line[2].end <= instant]:
            del self.ours[line], self.examples[line]


def line_of(slot: Slot) -> Line:
    """The bill's line that the slot is on."""
    return slot.key.destination, slot.key.counter, slot.place.period


def _bill_detail(bill: InvoiceLine | None) -> str:
    return f"invoice {bill.invoice}" if bill else "no finalised line"
