"""What must hold at any moment, and what must hold when all is settled."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.discrepancy import Discrepancy, Kind
from tallystick.domain.instant import HOUR, MINUTE, floor_hour
from tallystick.domain.ledger import Entry
from tallystick.domain.mapping import (
    BEFORE_PUBLISH_FROM,
    BOUNDARY_HOUR,
    CLOSED,
    NO_MAPPING,
    Mapping,
)
from tallystick.domain.meter import Closed
from tallystick.domain.publication import Limits, Publication, State
from tallystick.domain.slot import Mode, Reads, Route, Slot, SlotKey, reading_group
from tallystick.domain.window import Window
from tallystick.ports import Due, Publisher, Store
from tallystick.stages.reconciling import COMPARED_FOR, Line, Reconciling, line_of
from tallystick.stages.recounting import pages
from tallystick.testing.fakes import ROUTES, FakeProvider
from tallystick.testing.simulation.model import NOTHING
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.witness import Series, Witness, require

GRACE: Final = 5 * MINUTE
JUST_BEFORE: Final = 3 * HOUR
"""What comes so shortly before a slot closes may miss it, even when nothing fails."""


def check_all(store: Store, witness: Witness) -> None:
    """Everything that is stored is what was seen to be written, and what the model says."""
    for aggregate in pages(lambda cursor: store.events.aggregates(cursor=cursor)):
        witness.seen(aggregate)
    for one in pages(lambda cursor: store.outbox.slots(cursor=cursor)):
        slot = one.slot
        total = witness.totals[slot.key]
        require(slot.total == total, f"{slot.key} is {slot.total}, its Entries say {total}")
        settled = slot.unsettled is None and slot.total == slot.confirmed
        require(slot.due or settled, f"{slot.key} is not due, and holds {slot.confirmed}")
        held = witness.provider.total(slot.key)
        require(held in witness.reached[slot.key], f"the provider holds {held} in {slot.key}")


@dataclass(kw_only=True)
class Settled:
    """Checks that nothing is left to do, and that the provider holds what it must.

    `notes` counts what was held, left as a credit or closed before it could be told: each is
    checked to be so for a reason that the plan gives.
    """

    plan: Plan
    store: Store
    publisher: Publisher
    provider: FakeProvider
    witness: Witness
    now: int
    notes: Counter[str] = field(default_factory=Counter)
    missed: set[SlotKey] = field(default_factory=set)
    in_doubt: set[SlotKey] = field(default_factory=set)
    asked: set[SlotKey] = field(default_factory=set)
    """That take one record, of which nobody but a person can know whether it is there."""
    spoilt: set[SlotKey] = field(default_factory=set)
    """Into which somebody else wrote, and which had closed before they could be set again."""
    forgotten: set[SlotKey] = field(default_factory=set)
    """That hold what only a lost store knew, and nobody told its copy again."""

    def check(self) -> Counter[str]:
        for aggregate in self.store.ledger.aggregates_due(self.now - GRACE).elements:
            entry = self.witness.entries.get(aggregate.key)
            carries = aggregate.closed is Closed.CARRY and entry is not None
            waits = carries and entry is not None and entry.released_total != entry.total
            require(waits, f"{aggregate.key} is still due")
        for key in self.witness.model.live:
            self._check_sealed(key)
        for place in self.witness.billed:
            self._check_balance(*place)
        self._check_carries()
        self._find_groups_in_doubt()
        self._check_slots()
        self._check_reconciled()
        return self.notes

    # ── the ledger says what the model says ──

    def _check_sealed(self, key: AggregateKey) -> None:
        entry, value = self.witness.entries.get(key), self.witness.model.value(key)
        if entry is None:
            ripe = min(key.window.end, key.window.start - key.window.start % HOUR + HOUR) + GRACE
            named = key.group == "" or self._mapping(key) is not None
            require(not (value and named and ripe < self.now), f"{key} has {value}, and no Entry")
            return
        require(entry.total == value, f"{key}: the ledger says {entry.total}, and not {value}")
        if entry.released_total != entry.total:
            self.notes[f"held: {entry.held}"] += 1
            require(self._is_rightly_held(entry), f"{key} is held without reason: {entry.held!r}")

    def _mapping(self, key: AggregateKey) -> Mapping | None:
        made = [m for _, m in self.plan.mappings if (m.tenant, m.meter) == (key.tenant, key.meter)]
        fitting = [m for m in made if m.group == key.group]
        effective = [m for m in fitting if m.effective_from <= key.window.start]
        return max(effective, key=lambda m: m.effective_from, default=None)

    def _is_rightly_held(self, entry: Entry) -> bool:
        """Whether the plan gives a reason. The Entry names the one that held when it was made."""
        key, mapping = entry.key, self._mapping(entry.key)
        held_at = self.witness.held_at.get(key, entry.sealed_at)
        if mapping is None:
            return entry.held == NO_MAPPING
        made_at = max(at for at, m in self.plan.mappings if m == mapping)
        was_unmapped = entry.held == NO_MAPPING and held_at <= made_at
        if key.window.start < mapping.publish_from:
            return was_unmapped or entry.held == BEFORE_PUBLISH_FROM
        calendar = self.plan.customer(key.tenant).calendar
        period, route = calendar.period(key.window.start), ROUTES[mapping.route]
        straddles = route.hourly and mapping.boundary_hour == "refuse"
        if straddles and (period.start % HOUR or period.end % HOUR):
            return was_unmapped or entry.held in (BOUNDARY_HOUR, CLOSED)
        if route.hourly and key.window.start - key.window.start % HOUR < period.start:
            return True  # The hour is billed with the period before it, which closes at once.
        # A mapping is seen by the next pass, which may be long after it was made.
        seen_by = made_at + JUST_BEFORE if self.plan.is_calm else self.now
        seen_at = seen_by if was_unmapped else held_at
        if entry.held == CLOSED and self._runs_on(route, key, period, held_at):
            return False  # A later hour of the same bill would take it.
        too_late = seen_at >= period.end + route.closes_after - HOUR
        too_old = seen_at >= key.window.start + route.oldest - HOUR
        return (was_unmapped or entry.held == CLOSED) and (too_late or too_old)

    def _runs_on(self, route: Route, key: AggregateKey, period: Window, at: int) -> bool:
        """Whether one record per slot is taken for an hour of the period later than `at`, and
        nothing about it has changed."""
        made = [m for _, m in self.plan.mappings if (m.tenant, m.meter) == (key.tenant, key.meter)]
        same = len(made) == 1 and not self.plan.terms and self.witness.adopted_at is None
        return route.mode is Mode.ONCE and same and at + HOUR < period.end

    def _check_balance(self, series: Series, period: Window) -> None:
        """The slots hold together what is to be billed, but for what closed slots cannot give."""
        billed = self.witness.billed[series, period]
        allocated = self.witness.allocated[series, period]
        goal = max(billed, NOTHING)
        routes = {m.route for _, m in self.plan.mappings if (m.tenant, m.meter) == series[:2]}
        whole = any(ROUTES[route].whole_numbers for route in routes)
        rounded = goal.quantize(Decimal(1), rounding=ROUND_HALF_UP)
        if allocated == goal or (whole and allocated == rounded):
            return
        if whole and len(routes) > 1 and abs(allocated - goal) < 1:
            return
        require(allocated > goal, f"{series} {period}: the slots hold {allocated} of {billed}")
        slots = [s for s, users in self.witness.series.items() if (series, period) in users]
        closed = [s for s in slots if self.witness.places[s].is_closed(self.now)]
        require(
            bool(closed), f"{series} {period}: {allocated} held of {billed}, and none is closed"
        )
        self.notes["credit"] += 1

    def _check_carries(self) -> None:
        moved: dict[Series, Decimal] = defaultdict(lambda: NOTHING)
        for (series, _), quantity in self.witness.moved.items():
            moved[series] += quantity
        for series, quantity in moved.items():
            require(quantity == 0, f"{series}: carries lost {quantity}")

    # ── the provider holds what the ledger says ──

    def _check_slots(self) -> None:
        known = {one.slot.key for one in self._slots() if self._check_slot(one)}
        there = {slot for books in self.provider.books.values() for slot in books}
        forgotten = (there - known) & self.witness.lost
        readable = {s for s in forgotten if ROUTES[s.route].reads is not Reads.NOTHING}
        self.forgotten = {slot for slot in readable if self.provider.total(slot)}
        self.notes["only the lost store knew"] += len(self.forgotten)
        there -= forgotten
        require(there <= known, f"the provider holds slots that we do not know: {there - known}")

    def _find_groups_in_doubt(self) -> None:
        """Slots of which only their sum can be read, with several in doubt at once.

        Nothing can be sent into a closed period any more, and a sum does not tell which arrived.
        And of two slots of an hour that changed by as much, none can be told from the other.
        """
        groups: dict[str, list[Due]] = defaultdict(list)
        for one in self._slots():
            groups[reading_group(ROUTES[one.slot.key.route], one.slot)].append(one)
        for members in groups.values():
            route, place = ROUTES[members[0].slot.key.route], members[0].slot.place
            by_period = route.reads is Reads.PERIOD
            if by_period and (self.plan.is_calm or not place.is_closed(self.now)):
                continue
            doubtful = [d for d in members if _is_in_doubt(d) or (d.current and not by_period)]
            if len(doubtful) > 1:
                self.in_doubt |= {d.slot.key for d in members if d.current or d in doubtful}

    def _slots(self) -> Iterator[Due]:
        return pages(lambda cursor: self.store.outbox.slots(cursor=cursor))

    def _check_slot(self, one: Due) -> bool:
        slot = one.slot
        if slot.key in self.in_doubt:
            self.notes["in doubt with a neighbour"] += 1
            return True
        if one.current is not None and self._is_for_people(one.current):
            self.asked.add(slot.key)
            self.notes["one record in doubt, left to a person"] += 1
            return True
        require(one.current is None, f"{slot.key} is still unsettled: {one.current}")
        holds = self.provider.total(slot.key)
        is_closed = slot.place.is_closed(self.now) or slot.is_spent(ROUTES[slot.key.route])
        if is_closed and self._may_differ(slot) and holds != slot.confirmed:
            self.spoilt.add(slot.key)
            self.notes["changed behind our back, and closed"] += 1
            return True
        if is_closed and slot.total != slot.confirmed:
            changed_late = self.witness.appended_at[slot.key] >= slot.place.closes_at - JUST_BEFORE
            excused = changed_late or not self.plan.is_calm
            excused = excused and not self._goes_later(slot)
            require(excused, f"{slot.key} holds {holds} of {slot.total}, and nothing went wrong")
            self.missed.add(slot.key)
            self.notes["closed undelivered"] += 1
            return True
        require(slot.total == slot.confirmed, f"{slot.key}: {slot.confirmed} of {slot.total}")
        require(holds == slot.total, f"{slot.key}: the provider holds {holds} of {slot.total}")
        require(not slot.due, f"{slot.key} is still due")
        return True

    def _is_for_people(self, current: Publication) -> bool:
        """Whether it is the one record of its slot, in doubt for good: there it stands as it was
        sent, or not at all."""
        if ROUTES[current.slot.route].mode is not Mode.ONCE:
            return False
        require(
            not current.resendable or current.place.is_closed(self.now),
            f"{current.slot} could be sent again: {current}",
        )
        held = self.provider.total(current.slot)
        return held in (NOTHING, current.total) or self.witness.adopted_at is not None

    def _goes_later(self, slot: Slot) -> bool:
        """Whether a later hour of the same bill can still take what a slot with one record does
        not: nothing about who is billed, how and when has changed, and the period runs on."""
        users = {series for series, _ in self.witness.series[slot.key]}
        made = [m for _, m in self.plan.mappings if (m.tenant, m.meter) in {u[:2] for u in users}]
        whole = all(b % HOUR == 0 for b in (slot.place.period.start, slot.place.period.end))
        return (
            ROUTES[slot.key.route].mode is Mode.ONCE
            and self.witness.adopted_at is None
            and whole
            and slot.place.period.end > self.now
            and not (self.plan.terms or self.plan.versions)
            and len(made) == len({(m.tenant, m.meter) for m in made})
        )

    def _may_differ(self, slot: Slot) -> bool:
        """Whether somebody else wrote there, or a lost store, and nobody compared it since."""
        adopted_at = self.witness.adopted_at
        forgotten = adopted_at is not None and slot.place.closes_at <= adopted_at
        return forgotten or slot.key in self.witness.spoilt

    # ── reconcile finds that, and nothing else ──

    def _check_reconciled(self) -> None:
        limits = Limits()
        reconciling = Reconciling(
            store=self.store, publisher=self.publisher, now=self.now, limits=limits
        )
        found = list(reconciling.everything())
        lines = self._troubled_lines()
        for discrepancy in found:
            expected = self._is_expected(discrepancy, lines)
            require(expected, f"reconcile finds {discrepancy}")
        subjects = {d.subject for d in found if d.kind is Kind.UNDELIVERED}
        subjects |= {d.subject for d in found if d.kind is Kind.PROVIDER}
        still_compared = self.spoilt - self._too_old_to_compare()
        for slot in self.missed | still_compared | {_floored(slot) for slot in self.forgotten}:
            require(str(slot) in subjects, f"reconcile does not list {slot}")
        doubtful = {d.subject for d in found if d.kind is Kind.AMBIGUOUS}
        unlisted = {str(slot) for slot in self.asked} - doubtful
        require(not unlisted, f"reconcile does not list the doubt about {unlisted}")

    def _too_old_to_compare(self) -> set[SlotKey]:
        until = self.now - COMPARED_FOR
        return {one.slot.key for one in self._slots() if one.slot.place.period.end <= until}

    def _troubled_lines(self) -> set[str]:
        """The slots on bills of which something came too late."""
        lines: set[Line] = set()
        for one in self._slots():
            key, place = one.slot.key, one.slot.place
            line = (key.route, key.account, key.destination, key.counter)
            booked = self.provider.books[line].get(key)
            frozen_at = place.period.end + ROUTES[key.route].closes_after
            if key in self.missed | self.in_doubt | self.witness.spoilt or (
                booked and booked.since[-1] > frozen_at
            ):
                lines.add(line_of(one.slot))
        return {str(o.slot.key) for o in self._slots() if line_of(o.slot) in lines}

    def _is_expected(self, discrepancy: Discrepancy, troubled: set[str]) -> bool:
        match discrepancy.kind:
            case Kind.HELD | Kind.CREDIT:
                return True  # each was checked above
            case Kind.UNDELIVERED | Kind.AMBIGUOUS:
                stuck = self.missed | self.in_doubt | self.spoilt | self.asked
                return discrepancy.subject in {str(s) for s in stuck}
            case Kind.PROVIDER:
                forgotten = {_floored(slot) for slot in self.forgotten}
                return discrepancy.subject in {str(s) for s in self.spoilt | forgotten}
            case Kind.NOT_BILLED | Kind.INVOICE:
                return self.witness.adopted_at is not None or discrepancy.subject in troubled
            case _:
                return False


def _floored(slot: SlotKey) -> SlotKey:
    """Its hour: what is not known here can only be named by that."""
    return replace(slot, start=floor_hour(slot.start))


def _is_in_doubt(one: Due) -> bool:
    """Whether nobody knows if the slot's last publication arrived."""
    if one.current is not None:
        return one.current.state is not State.ACCEPTED
    return one.slot.confirmed is None
