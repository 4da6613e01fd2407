"""Publish: let the provider follow the ledger, slot by slot, the intent stored before the send.

What to do next with a slot is decided in `domain.publication` and `domain.reading`; this stage
carries it out and stores what came of it. A crash at any point leaves a stored intent, which the
next pass takes over by sending it again exactly as it was.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import DAY, EARLIEST, HOUR, LATEST, floor_hour, parse_instant
from tallystick.domain.publication import (
    Answer,
    Limits,
    Outcome,
    Publication,
    State,
    Step,
    answered,
    claimed,
    decide,
    intended,
    superseded,
)
from tallystick.domain.reading import Reading, adopted, verdicts
from tallystick.domain.slot import Reads, Slot, reading_group
from tallystick.domain.window import Window
from tallystick.ports import Clock, Due, Publisher, Store
from tallystick.stages.adopting import adopt_group, may_be_sent
from tallystick.stages.doubting import doubt
from tallystick.stages.recounting import pages

PAUSE: Final = "pause"
"""The switch that stops all sending; 'pause:TENANT' stops one tenant's."""

HOLD: Final = "hold"
"""'hold:DESTINATION' is set by reconcile while a subscription is not what we bill by."""

ADOPTING: Final = "adopting"
"""The switch that a restore sets: nothing is sent until every open slot was compared."""

RESTORED: Final = "restored"
"""When this copy was restored: the copy that was lost may have sent to slots older than that."""

ROUNDS_MAX: Final = 4
CHUNK: Final = 100
"""So many publications are claimed at once: few enough to be sent before their deadline."""

OUTAGE_MIN: Final = 10
"""When so many attempts in a row came to nothing, the pass stops: the provider is away."""

REJECTIONS_SINCE: Final = 26 * HOUR

STUCK: Final = MappingProxyType(
    {
        Step.CLOSED: "holds {0.confirmed} of {0.total}: the slot is closed",
        Step.TOO_LONG: "holds {0.confirmed} of {0.total}: "
        "the slot has more digits than the provider takes",
        Step.ASK: "may hold {0.total} or not, and cannot be read: see publications settle",
    }
)
"""The steps that nothing but a person, or a carry, follows; and what is said of the slot."""


@dataclass(kw_only=True)
class PublishSummary:
    """What one pass did, by outcome; the slots that need a person, with the reason; and those
    that closed with something undelivered, which may be carried."""

    outcomes: Counter[str] = field(default_factory=Counter)
    stuck: dict[str, str] = field(default_factory=dict)
    closed: list[Slot] = field(default_factory=list)
    unread: str = ""
    denied: str = ""
    paused: bool = False
    is_cut: bool = False
    failures_in_a_row: int = 0

    @property
    def is_stopped(self) -> bool:
        """Whether nothing more can be sent in this pass."""
        return bool(self.denied) or self.failures_in_a_row >= OUTAGE_MIN

    @property
    def is_clean(self) -> bool:
        return not (self.stuck or self.unread or self.is_stopped)

    def note(self, answer: Answer) -> None:
        self.outcomes[answer.outcome] += 1
        if answer.outcome is Outcome.DENIED:
            self.denied = answer.detail
        away = answer.outcome in (Outcome.UNKNOWN, Outcome.FAILED)
        self.failures_in_a_row = self.failures_in_a_row + 1 if away else 0


@dataclass(frozen=True, kw_only=True)
class Publishing:
    """One worker's means: who sends, how, and by whose clock. `senders` runs sends side by side."""

    store: Store
    publisher: Publisher
    clock: Clock
    limits: Limits
    senders: Executor | None = None

    def run(
        self,
        on_progress: Callable[[int], None] = lambda _: None,
        *,
        patient: bool = True,
        partition: int | None = None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> PublishSummary:
        """Take every slot that is due now (of one partition, where given) as far as it goes. Safe
        to run twice, also at once.

        What was refused is tried again when its time has come; at once, if this is not `patient`.
        Nothing new is begun where it no longer `goes_on`; what is not reached stays due.
        """
        summary = PublishSummary()
        switches = self.store.catalog.switches()
        if PAUSE in switches or ADOPTING in switches:
            summary.paused = True
            return summary
        restored = switches.get(RESTORED)
        restored_at = parse_instant(restored) if restored else EARLIEST
        orders = _Orders(frozenset(switches), restored_at, patient, partition, goes_on)
        for _ in range(ROUNDS_MAX):
            if not self._round(summary, orders, on_progress):
                break
        return summary

    def _stopped(self, switches: Iterable[str]) -> set[str]:
        """The destinations that get nothing new now: asked after the slots were read, since a slot
        of a mapping that was made meanwhile may be among them."""
        stopped = set[str]()
        for kind, _, subject in (name.partition(":") for name in switches):
            if kind == HOLD:
                stopped.add(subject)
            elif kind == PAUSE and (account := self.store.catalog.account(subject)):
                stopped |= {mapping.destination for mapping in account.mappings}
        return stopped

    def _round(
        self, summary: PublishSummary, orders: "_Orders", on_progress: Callable[[int], None]
    ) -> bool:
        moved, cursor = False, ""
        while True:
            until = self.clock.now() if orders.patient else LATEST
            page = self.store.outbox.slots_due(until, partition=orders.partition, cursor=cursor)
            moved |= self._take(page.elements, summary, orders)
            on_progress(len(page.elements))
            cursor = page.cursor
            if not cursor and not moved:
                return False
            if orders.are_off(summary):
                return False
            if not cursor:
                return True

    def _take(self, due: Sequence[Due], summary: PublishSummary, orders: "_Orders") -> bool:
        """One step for each slot of a page; whether any slot can go a further step now."""
        routes, now = self.publisher.routes, self.clock.now()
        ahead, stopped = self.publisher.clock_ahead(), self._stopped(orders.switches)
        steps: dict[Step, list[Due]] = defaultdict(list)
        for one in due:
            route = routes.get(one.slot.key.route)
            if route is None:
                summary.stuck[str(one.slot.key)] = f"nobody publishes {one.slot.key.route}"
                continue
            step = decide(one.slot, one.current, route, self.limits, now, ahead=ahead)
            if step is Step.INTEND and self._waits(one.slot, summary, stopped):
                continue
            steps[step].append(one)
        for step in STUCK:
            for one in steps[step]:
                summary.stuck[str(one.slot.key)] = STUCK[step].format(one.slot)
        summary.closed += [one.slot for one in steps[Step.CLOSED]]
        self.store.outbox.clear_due([one.slot for one in steps[Step.CLEAR]])
        summary.outcomes["cleared"] += len(steps[Step.CLEAR])
        read_on = self._read(steps[Step.READ], summary)
        set_anew = self._supersede(steps[Step.SUPERSEDE], now)
        self._deliver(steps[Step.SEND], self._claim, summary, orders)
        fresh = self._compared(steps[Step.INTEND], orders.restored_at, summary)
        self._deliver(fresh, self._intend, summary, orders)
        return read_on or set_anew or len(fresh) < len(steps[Step.INTEND])

    def _waits(self, slot: Slot, summary: PublishSummary, stopped: set[str]) -> bool:
        """Whether it gets nothing new in this pass: stopped, or refused in it a moment ago."""
        return slot.key.destination in stopped or str(slot.key) in summary.stuck

    def _compared(self, due: list[Due], restored_at: int, summary: PublishSummary) -> list[Due]:
        """The same; slots that a lost copy may have sent to are compared first, and wait."""
        routes = self.publisher.routes
        unknown = [d for d in due if may_be_sent(d.slot, routes[d.slot.key.route], restored_at)]
        if not unknown:
            return due
        groups = self._groups(unknown)
        quiet = [g for g in groups.values() if all(d.current is None for d in g)]
        try:
            readings = self.publisher.totals([d.slot for g in quiet for d in g])
        except PublisherUnavailable as error:
            summary.unread = str(error)
            readings = ()
        now = self.clock.now()
        for reading in readings:
            adopt_group(self.store, groups[reading.group], reading.total, now)
        # Those that were compared come up again in the next round as they stand then.
        summary.outcomes["compared"] += len(readings)
        return [d for d in due if d not in unknown]

    def _deliver(
        self,
        due: Sequence[Due],
        secure: Callable[[Sequence[Due]], list[Publication]],
        summary: PublishSummary,
        orders: "_Orders",
    ) -> None:
        """Store what is about to be sent, and send it, a chunk at a time."""
        for start in range(0, len(due), CHUNK):
            if orders.are_off(summary):
                return
            self._send(secure(due[start : start + CHUNK]), summary)

    def _intend(self, due: Sequence[Due]) -> list[Publication]:
        now, routes = self.clock.now(), self.publisher.routes
        fresh = [
            intended(one.slot, routes[one.slot.key.route], self.store.incarnation, self.limits, now)
            for one in self._still(due, Step.INTEND, now)
        ]
        stored = self.store.outbox.intend(fresh)
        return [publication for publication, ours in zip(fresh, stored, strict=True) if ours]

    def _claim(self, due: Sequence[Due]) -> list[Publication]:
        now = self.clock.now()
        still = self._still(due, Step.SEND, now)
        pairs = [(p, claimed(p, self.limits, now)) for p in (d.current for d in still) if p]
        stored = self.store.outbox.advance(pairs)
        return [after for (_, after), ours in zip(pairs, stored, strict=True) if ours]

    def _still(self, due: Sequence[Due], step: Step, now: int) -> list[Due]:
        """Those for which the step is still right by the clock.

        Hours may have passed since it was decided, in reading, sending, or asleep: a resend under
        a claim of now would then reach a provider that has forgotten the identifier.
        """
        routes, ahead = self.publisher.routes, self.publisher.clock_ahead()
        return [
            one
            for one in due
            if decide(
                one.slot, one.current, routes[one.slot.key.route], self.limits, now, ahead=ahead
            )
            is step
        ]

    def _supersede(self, due: Iterable[Due], now: int) -> bool:
        pairs = [(p, superseded(p, now)) for p in (d.current for d in due) if p]
        return any(self.store.outbox.advance(pairs))

    def _send(self, publications: list[Publication], summary: PublishSummary) -> None:
        """Send what we claimed, and store each answer."""
        if not publications:
            return
        sending = self.senders.map if self.senders else map
        answers: list[Answer] = list(sending(self.publisher.send, publications))
        now = self.clock.now()
        pairs = [
            (sent, answered(sent, answer, self.limits, now))
            for sent, answer in zip(publications, answers, strict=True)
        ]
        self.store.outbox.advance(pairs)
        for (sent, after), answer in zip(pairs, answers, strict=True):
            summary.note(answer)
            if after.state is State.REJECTED:
                summary.stuck[str(sent.slot)] = answer.detail

    def _read(self, due: Sequence[Due], summary: PublishSummary) -> bool:
        """Read the totals that decide, and with the same calls those of the same days."""
        if not due:
            return False
        wanted = [*due, *self._neighbours(due)]
        groups = self._groups(wanted)
        try:
            readings = self.publisher.totals([d.slot for g in groups.values() for d in g])
        except PublisherUnavailable as error:
            summary.unread = str(error)
            return False
        summary.outcomes["adopted"] += sum(self._adopt(groups, reading) for reading in readings)
        pairs = [pair for reading in readings for pair in self._verdicts(groups, reading)]
        stored = self.store.outbox.advance(pairs)
        slots = {one.slot.key: one.slot for group in groups.values() for one in group}
        done: list[Slot] = []
        moved = False
        for (_, after), ours in zip(pairs, stored, strict=True):
            summary.outcomes[after.state if after.state.is_settled else "unseen"] += ours
            slot = slots[after.slot]
            if ours and after.state is State.CONFIRMED and after.total == slot.total:
                done.append(slot)
            else:
                moved |= ours and (after.state.is_settled or not after.resendable)
        # Settling changes neither version nor revision, so these marks need no further round.
        self.store.outbox.clear_due(done)
        summary.outcomes["cleared"] += len(done)
        return moved

    def _neighbours(self, due: Iterable[Due]) -> Iterator[Due]:
        """What was accepted of the same days, and would otherwise be read by calls of its own."""
        routes, now = self.publisher.routes, self.clock.now()
        known = {one.slot.key for one in due}
        for route, destination, counter, day in {_day(one.slot) for one in due}:
            span = Window(day * DAY, (day + 1) * DAY)
            for one in self._slots_in(span, route, destination):
                if one.slot.key in known or one.slot.key.counter != counter or one.current is None:
                    continue
                step = decide(one.slot, one.current, routes[route], self.limits, now)
                if one.current.state is State.ACCEPTED and step is Step.WAIT:
                    yield one

    def _slots_in(self, span: Window, route: str, destination: str) -> Iterator[Due]:
        """The slots of a destination that start in the span."""
        return pages(
            lambda cursor: self.store.outbox.slots(
                route=route, destination=destination, starting=span, cursor=cursor
            )
        )

    def _groups(self, due: Iterable[Due]) -> dict[str, list[Due]]:
        """The slots to read with all others of their reading groups."""
        routes, groups = self.publisher.routes, dict[str, list[Due]]()
        for one in due:
            route = routes[one.slot.key.route]
            group = reading_group(route, one.slot)
            if group in groups:
                continue
            alone = route.hourly and route.reads is Reads.HOUR
            groups[group] = [one] if alone else self._whole_group(one.slot, group)
        return groups

    def _whole_group(self, slot: Slot, group: str) -> list[Due]:
        key, route = slot.key, self.publisher.routes[slot.key.route]
        hour = Window(floor_hour(key.start), floor_hour(key.start) + HOUR)
        span = slot.place.period if route.reads is Reads.PERIOD else hour
        members = self._slots_in(span, key.route, key.destination)
        return [d for d in members if reading_group(route, d.slot) == group]

    def _verdicts(
        self, groups: dict[str, list[Due]], reading: Reading
    ) -> Iterable[tuple[Publication, Publication]]:
        """What the reading changes in each unsettled publication of its group."""
        members = groups.get(reading.group, [])
        if not members:
            return ()
        route = self.publisher.routes[members[0].slot.key.route]
        return verdicts([(d.slot, d.current) for d in members], reading, route, self.limits)

    def _adopt(self, groups: dict[str, list[Due]], reading: Reading) -> int:
        """Take over what closed slots hold of which nobody knew it; how many."""
        members = [(d.slot, d.current) for d in groups.get(reading.group, [])]
        if not members:
            return 0
        route = self.publisher.routes[members[0][0].key.route]
        found = list(adopted(members, reading, route, self.limits))
        return sum(self.store.outbox.adjust(before, after) for before, after in found)

    def poll_rejections(self) -> int:
        """Have every publication read that the provider reported as not counted; how many."""
        now = self.clock.now()
        return doubt(self.store, self.publisher.rejections(now - REJECTIONS_SINCE), now).stored


@dataclass(frozen=True, slots=True)
class _Orders:
    """What people and a restore said: the switches, what must be compared first, whether
    what was refused waits for its time, which partition is ours (None: all), and for how long."""

    switches: frozenset[str]
    restored_at: int
    patient: bool
    partition: int | None
    goes_on: Callable[[], bool]

    def are_off(self, summary: PublishSummary) -> bool:
        """Whether nothing new is begun in this pass: the provider is away, or we are cut."""
        summary.is_cut = summary.is_cut or not self.goes_on()
        return summary.is_stopped or summary.is_cut


def _day(slot: Slot) -> tuple[str, str, str, int]:
    """What one call can read at once: a counter's UTC day."""
    key = slot.key
    return key.route, key.destination, key.counter, key.start // DAY
