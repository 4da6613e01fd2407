"""Publish: let the provider follow the ledger, slot by slot, the intent stored before the send.

What to do next with a slot is decided in `domain.publication` and `domain.reading`; this stage
carries it out and stores what came of it. A crash at any point leaves a stored intent, which the
next pass takes over by sending it again exactly as it was.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import EARLIEST, HOUR, LATEST, parse_instant
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
from tallystick.domain.slot import Slot, SlotKey
from tallystick.ports import Clock, Due, Publisher, Store
from tallystick.stages.adopting import is_unknown
from tallystick.stages.alternating import Shares, in_turn
from tallystick.stages.confirming import Confirming
from tallystick.stages.doubting import doubt

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

AHEAD: Final = 1
"""So many chunks are claimed while one is being sent."""

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


_UnderWay = tuple[list[Publication], Iterable[Answer]]
"""What is being sent, and the answers as they come in."""


@dataclass(kw_only=True)
class PublishSummary:
    """What one pass did, by outcome; the slots that need a person, with the reason; and those
    that closed with something undelivered, which may be carried."""

    outcomes: Counter[str] = field(default_factory=Counter)
    stuck: dict[str, str] = field(default_factory=dict)
    closed: dict[SlotKey, Slot] = field(default_factory=dict)
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

    @property
    def confirming(self) -> Confirming:
        return Confirming(
            store=self.store, publisher=self.publisher, clock=self.clock, limits=self.limits
        )

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
        rounds, shares = 0, Shares()
        while rounds < ROUNDS_MAX and self._round(summary, orders, shares, on_progress):
            # Where somebody's share was too small the next one is larger, so that has an end.
            rounds += not shares.left_out
            shares = Shares(2 * shares.limit)
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
        self,
        summary: PublishSummary,
        orders: "_Orders",
        shares: Shares,
        on_progress: Callable[[int], None],
    ) -> bool:
        """Look at all that is due once; whether to do so again."""
        moved, cursor = False, ""
        while True:
            until = self.clock.now() if orders.patient else LATEST
            page = self.store.outbox.slots_due(until, partition=orders.partition, cursor=cursor)
            left_out = shares.left_out
            moved |= self._take(page.elements, summary, orders, shares)
            on_progress(len(page.elements) - (shares.left_out - left_out))
            cursor = page.cursor
            if not cursor and not (moved or shares.left_out):
                return False
            if orders.are_off(summary):
                return False
            if not cursor:
                return True

    def _take(
        self, due: Sequence[Due], summary: PublishSummary, orders: "_Orders", shares: Shares
    ) -> bool:
        """One step for each slot of a page; whether any slot can go a further step now."""
        steps, unknown = self._sorted(due, summary, orders)
        summary.closed |= {one.slot.key: one.slot for one in steps[Step.CLOSED]}
        for step in STUCK:
            for one in steps[step]:
                summary.stuck[str(one.slot.key)] = STUCK[step].format(one.slot)
        self.store.outbox.clear_due([one.slot for one in steps[Step.CLEAR]])
        summary.outcomes["cleared"] += len(steps[Step.CLEAR])
        read_on = self._read(steps[Step.READ], summary)
        set_anew = self._supersede(steps[Step.SUPERSEDE], self.clock.now())
        self._deliver(in_turn(steps[Step.SEND]), self._claim, summary, orders)
        fresh = shares.with_page(steps[Step.INTEND])
        self._deliver(fresh, self._intend, summary, orders)
        compared = self._compare(unknown, orders.restored_at, summary)
        return read_on or set_anew or compared

    def _sorted(
        self, due: Sequence[Due], summary: PublishSummary, orders: "_Orders"
    ) -> tuple[dict[Step, list[Due]], list[Due]]:
        """(the slots by their next step, those that a lost copy may have sent to)."""
        routes, now = self.publisher.routes, self.clock.now()
        ahead, stopped = self.publisher.clock_ahead(), self._stopped(orders.switches)
        steps: dict[Step, list[Due]] = defaultdict(list)
        unknown: list[Due] = []
        for one in due:
            route = routes.get(one.slot.key.route)
            if route is None:
                summary.stuck[str(one.slot.key)] = f"nobody publishes {one.slot.key.route}"
                continue
            step = decide(one.slot, one.current, route, self.limits, now, ahead=ahead)
            if step is Step.INTEND and self._waits(one.slot, summary, stopped):
                continue
            if is_unknown(one.slot, route, step, orders.restored_at):
                unknown.append(one)
            else:
                steps[step].append(one)
        return steps, unknown

    def _waits(self, slot: Slot, summary: PublishSummary, stopped: set[str]) -> bool:
        """Whether it gets nothing new in this pass: stopped, or refused in it a moment ago."""
        return slot.key.destination in stopped or str(slot.key) in summary.stuck

    def _deliver(
        self,
        due: Sequence[Due],
        secure: Callable[[Sequence[Due]], list[Publication]],
        summary: PublishSummary,
        orders: "_Orders",
    ) -> None:
        """Store what is about to be sent, and send it, a chunk at a time.

        Where there are senders, the next chunk is stored, and the answers to the one before, while
        they are at one: each intent still stands before its first byte leaves.
        """
        under_way = deque[_UnderWay]()
        try:
            for start in range(0, len(due), CHUNK):
                if orders.are_off(summary):
                    break
                under_way.append(self._begin(secure(due[start : start + CHUNK])))
                if len(under_way) > AHEAD or not self.senders:
                    self._end(under_way.popleft(), summary)
        finally:
            while under_way:
                self._end(under_way.popleft(), summary)

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

    def _begin(self, publications: list[Publication]) -> _UnderWay:
        """Have what we claimed sent."""
        sending = self.senders.map if self.senders else map
        return publications, sending(self.publisher.send, publications)

    def _end(self, under_way: _UnderWay, summary: PublishSummary) -> None:
        """Wait for the answers, and store each."""
        publications, answers = under_way[0], list(under_way[1])
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
        """Read the totals that decide; whether any of the slots can go a further step now."""
        try:
            seen = self.confirming.read(due)
        except PublisherUnavailable as error:
            summary.unread = str(error)
            return False
        summary.outcomes.update(seen.outcomes)
        return seen.moved

    def _compare(self, unknown: Sequence[Due], restored_at: int, summary: PublishSummary) -> bool:
        """Look first at what a lost copy may have sent; whether any can go on in this pass."""
        try:
            compared = self.confirming.compare(unknown, restored_at)
        except PublisherUnavailable as error:
            summary.unread = str(error)
            return False
        summary.outcomes["compared"] += compared
        return compared > 0

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
