"""Sees every transition that the store really makes, whatever the caller gets to hear of it.

It stands between the faults and the store, and holds each transition against the model: receipts,
Aggregates, the ledger's sums and chains, and who may send what. What it has seen is what the
checkers compare the provider with.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Final, cast

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.backlog import Backlog
from tallystick.domain.event import Receipt
from tallystick.domain.instant import HOUR
from tallystick.domain.ledger import GENESIS, Entry
from tallystick.domain.meter import WHOLE
from tallystick.domain.publication import Publication, State
from tallystick.domain.sheet import Sheet
from tallystick.domain.slot import Mode, Place, SlotKey
from tallystick.domain.window import Window
from tallystick.ports import (
    PAGE,
    Appended,
    EventLog,
    Ledger,
    Outbox,
    Page,
    Recorded,
    Recording,
    Store,
)
from tallystick.testing.fakes import ROUTES, SKEW_MAX, FakeProvider
from tallystick.testing.simulation.model import NOTHING, Model

Series = tuple[str, str, str]

FIFTY: Final = 50

OF_THE_STORE: Final = (
    *("heads", "entries", "billed", "allocated", "moved"),
    *("appended_at", "totals", "series", "unsettled", "held_at"),
)


class Violation(AssertionError):
    """A promise does not hold."""


def require(holds: bool, sentence: str) -> None:  # noqa: FBT001
    if not holds:
        raise Violation(sentence)


class Witness:
    """What was seen. `reached` holds every total that a slot had in the ledger, zero included."""

    def __init__(self, model: Model, provider: FakeProvider) -> None:
        self.model = model
        self.provider = provider
        self.heads: dict[tuple[str, str], tuple[int, str]] = {}
        self.entries: dict[AggregateKey, Entry] = {}
        self.held_at: dict[AggregateKey, int] = {}
        """When what is held was last looked at: a later carry only repeats why it is."""
        self.billed: dict[tuple[Series, Window], Decimal] = defaultdict(lambda: NOTHING)
        self.allocated: dict[tuple[Series, Window], Decimal] = defaultdict(lambda: NOTHING)
        self.moved: dict[tuple[Series, Window], Decimal] = defaultdict(lambda: NOTHING)
        self.places: dict[SlotKey, Place] = {}
        self.appended_at: dict[SlotKey, int] = {}
        self.totals: dict[SlotKey, Decimal] = defaultdict(lambda: NOTHING)
        self.reached: dict[SlotKey, set[Decimal]] = defaultdict(lambda: {NOTHING})
        self.series: dict[SlotKey, set[tuple[Series, Window]]] = defaultdict(set)
        self.intended: dict[str, Publication] = {}
        self.unsettled: dict[SlotKey, str] = {}
        self.sent_once: dict[SlotKey, str] = {}
        """By slot that takes one record: the identifier it was last sent under."""
        self.uncounted: set[str] = set()
        """Identifiers of which it is known that they never counted."""
        self.spoilt: set[SlotKey] = set()
        """Slots into which somebody else wrote at the provider."""
        self.lost: set[SlotKey] = set()
        """Slots that a lost store knew."""
        self.in_columns: set[tuple[str, str]] = set()
        """(tenant, key) of what was recorded as part of a sheet."""
        self.adopted_at: int | None = None
        self.met: Counter[str] = Counter()

    def remembered(self) -> dict[str, object]:
        """What it knows of the store, to be recalled when a copy made now takes its place."""
        return {name: deepcopy(getattr(self, name)) for name in OF_THE_STORE}

    def recall(self, known: dict[str, object]) -> None:
        """Forget what the copy does not know; what the lost ledger reached may still land."""
        self.lost |= self.places.keys()
        self.sent_once.clear()  # The copy may send to the same slots: the provider guards those.
        for name, value in deepcopy(known).items():
            setattr(self, name, value)

    # ── events ──

    def recorded(self, batch: Sequence[Recording], results: Sequence[Recorded]) -> None:
        if isinstance(batch, Sheet):
            self._noted_sheet(batch, results)
        for recording, result in zip(batch, results, strict=True):
            event = recording.event
            self._noted(recording, result)
            expected = self.model.take(event)
            got = Receipt.RECORDED if result.receipt is Receipt.LATE else result.receipt
            require(got is expected, f"{event.tenant}/{event.key} is {got}, and not {expected}")

    def _noted(self, recording: Recording, result: Recorded) -> None:
        event, met = recording.event, self.met
        met[f"receipt {result.receipt}"] += 1
        if result.receipt in (Receipt.DUPLICATE, Receipt.CONFLICT):
            return
        if event.voids is not None:
            target = (event.tenant, event.voids)
            met["void"] += 1
            met["void again"] += target in self.model.voided
            met["void before its event"] += target not in self.model.content
            met["void of a sheet's event"] += target in self.in_columns
        met["negative quantity"] += event.quantity < 0
        for contribution in recording.contributions:
            met[f"aggregation {contribution.aggregation}"] += 1
            met[f"span {contribution.span}"] += 1
            met["dimension set"] += contribution.key.group != WHOLE

    def _noted_sheet(self, sheet: Sheet, results: Sequence[Recorded]) -> None:
        receipts = Counter(result.receipt for result in results)
        named = {(event.tenant, event.key) for event in (one.event for one in sheet)}
        new = named - self.model.content.keys()
        self.met["sheet"] += 1
        self.met["sheet of several"] += len(sheet) > 1
        self.met["sheet of fifty"] += len(sheet) >= FIFTY
        self.met["sheet of several cells"] += len(set(sheet.cell_of)) > 1
        self.met["sheet with duplicates"] += receipts[Receipt.DUPLICATE] > 0
        self.met["sheet that repeats itself"] += len(named) < len(sheet)
        self.met["sheet again"] += receipts[Receipt.DUPLICATE] == len(sheet) > 1
        self.met["sheet with a conflict"] += receipts[Receipt.CONFLICT] > 0
        self.met["late sheet"] += receipts[Receipt.LATE] > 0
        self.met["sheet past a void"] += not self.model.voided.isdisjoint(new)
        self.in_columns |= new

    def seen(self, aggregate: Aggregate) -> None:
        key = aggregate.key
        expected = (self.model.position[key], self.model.value(key))
        got = (aggregate.position, aggregate.value)
        require(got == expected, f"{key} is {got}, and the model says {expected}")
        require(self.model.periods[key] == aggregate.period, f"{key} is in another period")

    # ── the ledger ──

    def appended(self, entries: tuple[Entry, ...]) -> None:
        periods, key = [entry.period for entry in entries], entries[0].key
        self.met["moved to a later slot"] += len(periods) > len(set(periods))
        # What shares an hour with another period may be billed there.
        is_cut = any(b % HOUR for b in (periods[0].start, periods[0].end))
        rightly = len(set(periods)) == 1 or is_cut or self.model.may_carry(key.meter)
        require(rightly, f"{key} goes to another period, and no meter says so")
        for entry in entries:
            self.met[f"entry {entry.kind}"] += 1
            self.met[f"held: {entry.held}"] += 1
            self._chained(entry)
            self._summed(entry)
            self._allocated(entry)
        slots = {a.place.slot for entry in entries for a in entry.allocations}
        for slot in slots:
            require(self.totals[slot] >= 0, f"{slot} holds {self.totals[slot]}")

    def _chained(self, entry: Entry) -> None:
        chain = (entry.key.tenant, entry.key.meter)
        line, previous = self.heads.get(chain, (0, GENESIS))
        follows = entry.line == line + 1 and entry.previous_hash == previous
        require(follows, f"{chain} line {entry.line} does not follow line {line}")
        self.heads[chain] = (entry.line, entry.hash)

    def _summed(self, entry: Entry) -> None:
        key, last = entry.key, self.entries.get(entry.key)
        total = last.total if last else NOTHING
        require(entry.total == total + entry.delta, f"{key} line {entry.line} sums up wrong")
        counted = self.model.value_at(key, entry.position)
        require(entry.total == counted, f"{key} line {entry.line}: {entry.total} is not {counted}")
        revision = last.revision if last else 0
        require(entry.revision == revision + 1, f"{key} revision {entry.revision} is not next")
        self.entries[key] = entry
        if not entry.moved:
            self.held_at[key] = entry.sealed_at

    def _allocated(self, entry: Entry) -> None:
        key = entry.key
        place = ((key.tenant, key.meter, key.group), entry.period)
        self.billed[place] += entry.released + entry.moved
        self.moved[place] += entry.moved
        for allocation in entry.allocations:
            slot = allocation.place.slot
            self.allocated[place] += allocation.quantity
            self.totals[slot] += allocation.quantity
            self.met["slot lowered"] += allocation.quantity < 0 and not entry.moved
            self.reached[slot].add(self.totals[slot])
            known = self.places.setdefault(slot, allocation.place)
            self.met["slot closed by age"] += known.closes_at < known.period.end
            require(known == allocation.place, f"{slot} is told two timestamps or periods")
            # The first of a pair takes out, or gives back, what the provider never got or has.
            leaves = entry.linked_line is not None and entry.linked_line > entry.line
            self.met["given back to a spent slot"] += leaves and allocation.quantity > 0
            open_still = leaves or not known.is_closed(entry.sealed_at)
            require(open_still, f"{slot} is closed and still gets an Entry")
            gathers = ROUTES[slot.route].gathers(slot.start, entry.sealed_at)
            may_fall = leaves or gathers or ROUTES[slot.route].mode is not Mode.ONCE
            require(allocation.quantity > 0 or may_fall, f"{slot} falls when it may have been sent")
            self.series[slot].add(place)
            self.appended_at[slot] = entry.sealed_at
        sums = (entry.billed, entry.allocated)
        require(sums == (self.billed[place], self.allocated[place]), f"{place} sums up wrong")

    # ── publications ──

    def intends(self, publication: Publication) -> None:
        slot = publication.slot
        require(slot not in self.unsettled, f"{slot} has two unsettled publications")
        require(publication.total in self.reached[slot], f"{slot} never had {publication.total}")
        require(publication.identifier not in self.intended, "an identifier is used twice")
        stale = publication.total != self.totals[slot]
        require(not stale, f"{slot} is {self.totals[slot]}, intended: {publication.total}")
        self.intended[publication.identifier] = publication
        self.unsettled[slot] = publication.identifier

    def advances(self, before: Publication, after: Publication) -> None:
        require(_frozen(before) == _frozen(after), f"{before.identifier} is not what was intended")
        if not after.state.is_settled:
            return
        del self.unsettled[after.slot]
        self.met[f"publication {after.state}"] += 1
        self.met["settled by a person"] += after.answer.startswith("settled by a person")
        if after.state is State.REJECTED:
            self.uncounted.add(after.identifier)
        proven = after.state is State.REJECTED and after.absent_at is not None
        self.met["absence proven"] += proven
        holds = self.provider.total(after.slot)
        if after.state is State.CONFIRMED and after.slot not in self.spoilt:
            require(holds == after.total, f"{after.slot} holds {holds}, confirmed: {after.total}")

    def sent(self, publication: Publication) -> None:
        """Right before an attempt: the intent must stand in the store, and be the same."""
        self.met["attempt"] += 1
        self.met[f"sent to {publication.slot.route}"] += 1
        self.met["resent"] += publication.attempts > 1
        stored = self.intended.get(publication.identifier)
        require(stored is not None, f"{publication.identifier} is sent before it is stored")
        if stored is not None:
            require(_frozen(stored) == _frozen(publication), "a resend differs from its intent")
        if ROUTES[publication.slot.route].mode is Mode.ONCE:
            self._sent_once(publication)

    def _sent_once(self, publication: Publication) -> None:
        """A slot gets one record: no other while that may count, and none when it has closed."""
        slot, identifier = publication.slot, publication.identifier
        earlier = self.sent_once.setdefault(slot, identifier)
        sole = earlier == identifier or earlier in self.uncounted
        require(sole, f"{slot} is sent a second record, {publication.value}")
        self.sent_once[slot] = identifier
        early = self.provider.clock.now() < slot.start + HOUR - SKEW_MAX
        require(not early, f"{slot} is sent its one record while its hour runs")
        late = publication.deadline >= publication.place.closes_at
        require(not late, f"{slot} is sent something that may come after it has closed")

    def tampered(self, slot: SlotKey, total: Decimal) -> None:
        """Somebody else wrote into the provider's books: what it holds there is no fault of ours
        until it was set again."""
        self.spoilt.add(slot)
        self.reached[slot].add(total)
        self.met["changed behind our back"] += 1

    def landed(self, slot: SlotKey, total: Decimal) -> None:
        """The provider's books changed: promise 6."""
        reached = total in self.reached[slot]
        require(reached, f"{slot} is {total} at the provider, which the ledger never was")


def _frozen(publication: Publication) -> tuple[object, ...]:
    p = publication
    return (p.identifier, p.place, p.slot_revision, p.slot_version, p.value, p.total, p.before)


class WitnessedStore:
    """A store whose writes the witness sees."""

    def __init__(self, store: Store, witness: Witness) -> None:
        self._store = store
        self.events = cast(EventLog, _Events(store.events, witness))
        self.ledger = cast(Ledger, _Ledger(store.ledger, witness))
        self.outbox = cast(Outbox, _Outbox(store.outbox, witness))
        self.catalog = store.catalog
        self.dead_letters = store.dead_letters
        self.keys = store.keys
        self.checkpoints = store.checkpoints

    @property
    def incarnation(self) -> str:
        return self._store.incarnation

    def renew_incarnation(self, incarnation: str) -> None:
        self._store.renew_incarnation(incarnation)

    def backlog(self, now: int) -> Backlog:
        return self._store.backlog(now)

    def close(self) -> None:
        self._store.close()


class _Port:
    """Everything but what a subclass looks at goes straight through."""

    def __init__(self, port: object, witness: Witness) -> None:
        self._port = port
        self._witness = witness

    def __getattr__(self, name: str) -> object:
        return getattr(self._port, name)


class _Events(_Port):
    def record(self, batch: Sequence[Recording], now: int) -> tuple[Recorded, ...]:
        results = cast(EventLog, self._port).record(batch, now)
        self._witness.recorded(batch, results)
        return results


class _Ledger(_Port):
    def aggregates_due(
        self, before: int, *, cursor: str = "", limit: int = PAGE
    ) -> Page[Aggregate]:
        page = cast(Ledger, self._port).aggregates_due(before, cursor=cursor, limit=limit)
        for aggregate in page.elements:
            self._witness.seen(aggregate)
        return page

    def append(self, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
        results = cast(Ledger, self._port).append(batch)
        for entries, result in zip(batch, results, strict=True):
            if result is Appended.APPENDED:
                self._witness.appended(entries)
        return results


class _Outbox(_Port):
    def intend(self, batch: Sequence[Publication]) -> tuple[bool, ...]:
        results = cast(Outbox, self._port).intend(batch)
        for publication, stored in zip(batch, results, strict=True):
            if stored:
                self._witness.intends(publication)
        return results

    def advance(self, batch: Sequence[tuple[Publication, Publication]]) -> tuple[bool, ...]:
        results = cast(Outbox, self._port).advance(batch)
        for (before, after), stored in zip(batch, results, strict=True):
            if stored:
                self._witness.advances(before, after)
        return results
