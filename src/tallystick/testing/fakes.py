"""A clock that can be set, and a provider in memory that fails as real ones do.

`FakeProvider` is the far side: it keeps books, remembers identifiers for a day and no longer,
answers with lag, finalises bills. `FakePublisher` is a client of it, as `ports.Publisher` asks.
What goes wrong is drawn from a seed, request by request, so that a run can be repeated and a
request fares the same whatever else is left out of the run.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Final, Protocol

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.instant import EARLIEST, HOUR, LATEST, MINUTE, floor_hour
from tallystick.domain.publication import Answer, Limits, Outcome, Publication
from tallystick.domain.quantity import ZERO, add, significant_digits
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Mode, Reads, Route, Slot, SlotKey, reading_group
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.domain.window import Window
from tallystick.testing.books import Booked, Line, Remembered, line_at
from tallystick.testing.misfortune import Fate, Misfortune, is_within

HOUR_METER: Final = Route(name="fake.hour_meter", mode=Mode.ABSOLUTE, hourly=True)
SUM_METER: Final = Route(name="fake.sum_meter", mode=Mode.DELTA, hourly=False)
USAGE_RECORD: Final = Route(
    name="fake.usage_record",
    mode=Mode.ABSOLUTE,
    hourly=False,
    whole_numbers=True,
    closes_after=0,
    reads=Reads.PERIOD,
)
ONE_RECORD: Final = Route(
    name="fake.one_record",
    mode=Mode.ONCE,
    hourly=True,
    whole_numbers=True,
    oldest=6 * HOUR,
    closes_after=6 * HOUR,
    reads=Reads.NOTHING,
    gathers_for=HOUR + 5 * MINUTE,
)
ROUTES: Final = MappingProxyType(
    {r.name: r for r in (HOUR_METER, SUM_METER, USAGE_RECORD, ONE_RECORD)}
)
"""The three ways that Stripe has, and the one of AWS Marketplace, under names of their own."""

VALIDATED_AT_ONCE: Final = frozenset({USAGE_RECORD.name, ONE_RECORD.name})
"""There a 2xx means that it counts."""

REMEMBERED_FOR: Final = 24 * HOUR
"""An identifier that comes again after this counts again."""

SKEW_MAX: Final = MINUTE
"""So far a clock of ours may be off; the bound of a late landing leaves room for two of them."""

AHEAD_MAX: Final = 5 * MINUTE


class Time(Protocol):
    """Something that knows the time."""

    def now(self) -> int: ...


@dataclass(slots=True)
class FakeClock:
    """A clock that stands until it is moved; `sleep` moves it too."""

    at: int = 0

    def now(self) -> int:
        return self.at

    def sleep(self, microseconds: int) -> None:
        self.at += max(0, microseconds)

    def jump_to(self, at: int) -> None:
        """Forward or back."""
        self.at = at


def _all_time(_destination: str, _at: int) -> Window:
    return Window(EARLIEST, LATEST)


class FakeProvider:
    """The far side: its books are the truth that tests look at.

    `periods` says which billing period of a destination holds an instant. `on_landed` is told
    each total that a slot comes to have.
    """

    def __init__(
        self,
        clock: Time,
        *,
        seed: int = 0,
        misfortune: Misfortune | None = None,
        periods: Callable[[str, int], Window] = _all_time,
        limits: Limits | None = None,
        on_landed: Callable[[SlotKey, Decimal], None] = lambda _slot, _total: None,
    ) -> None:
        self.clock = clock
        self.misfortune = misfortune or Misfortune()
        self.books: dict[Line, dict[SlotKey, Booked]] = defaultdict(dict)
        self.met: dict[str, int] = defaultdict(int)
        self.periods = periods
        self._seed = seed
        self._limits = limits or Limits()
        self._on_landed = on_landed
        self._remembered: dict[str, Remembered] = {}
        self._requests: dict[str, int] = defaultdict(int)
        self._under_way: list[tuple[int, int, Publication]] = []
        self._rejections: list[Rejection] = []
        self._shown_as_of: dict[str, int] = defaultdict(lambda: EARLIEST)

    def total(self, slot: SlotKey) -> Decimal:
        """What the books hold for a slot now."""
        self.catch_up()
        booked = self.books[line_at(slot)].get(slot)
        return booked.totals[-1] if booked else ZERO

    def catch_up(self) -> None:
        """Land what is under way and whose time has come."""
        now = self.clock.now()
        while self._under_way and self._under_way[0][0] <= now:
            at, _, late = heapq.heappop(self._under_way)
            self._land(late, at)

    def receive(self, publication: Publication) -> Answer:
        """One request: what the sender gets to hear of it."""
        self.catch_up()
        now = self.clock.now()
        if self.is_away(now):
            self.met["outage"] += 1
            return Answer(Outcome.UNKNOWN, "no connection")
        if is_within(self.misfortune.denials, now):
            self.met["denied"] += 1
            return Answer(Outcome.DENIED, "the key lacks a permission")
        self._requests[publication.identifier] += 1
        draws = Random(
            f"{self._seed}|{publication.identifier}|{self._requests[publication.identifier]}"
        )
        fate = self.misfortune.fate(draws.randrange(1000))
        if fate is Fate.SWALLOWED and publication.slot.route in VALIDATED_AT_ONCE:
            fate = Fate.LANDS
        self.met[fate] += 1
        return self._meet(fate, publication, now, draws)

    def is_away(self, now: int) -> bool:
        return is_within(self.misfortune.outages, now)

    def _meet(self, fate: Fate, publication: Publication, now: int, draws: Random) -> Answer:
        match fate:
            case Fate.LANDS:
                return self._land(publication, now, known=draws.random() < 0.5)
            case Fate.BUSY:
                return Answer(Outcome.BUSY, "429", retry_after=draws.choice((0, MINUTE)))
            case Fate.FAILED | Fate.SWALLOWED:
                return self._fail_quietly(fate, publication, now, draws)
            case Fate.FAILED_AFTER:
                return self._fail_after(publication, now)
            case Fate.ANSWER_LOST:
                self._land(publication, now)
            case Fate.LATE | Fate.HOURS_LATE:
                self._delay(fate, publication, now, draws)
            case Fate.LOST:
                pass
        return Answer(Outcome.UNKNOWN, "the connection broke")

    def _delay(self, fate: Fate, publication: Publication, now: int, draws: Random) -> None:
        latest = publication.deadline + self._limits.transport - 3 * SKEW_MAX
        if fate is Fate.HOURS_LATE:
            latest = publication.first_attempt_at + REMEMBERED_FOR - HOUR
        lands_at = draws.randint(now, max(now, latest))
        heapq.heappush(self._under_way, (lands_at, sum(self._requests.values()), publication))

    def _fail_quietly(
        self, fate: Fate, publication: Publication, now: int, draws: Random
    ) -> Answer:
        """A 500 or a 2xx that is saved under the identifier, and nothing is counted."""
        if fate is Fate.SWALLOWED and draws.random() < 0.7:
            # The report names one request: an earlier copy of it may have been counted.
            report = Rejection(publication.identifier, "invalid_value", "not counted", now)
            self._rejections.append(report)
        if saved := self._replay(publication, now):
            return saved
        swallowed = fate is Fate.SWALLOWED
        answer = Answer(Outcome.ACCEPTED) if swallowed else Answer(Outcome.FAILED, "500")
        self._remember(publication, now, answer)
        return answer

    def _fail_after(self, publication: Publication, now: int) -> Answer:
        is_known = self._replay(publication, now) is not None
        landed = self._land(publication, now)
        if is_known or landed.outcome not in (Outcome.ACCEPTED, Outcome.COUNTED):
            return landed
        failed = Answer(Outcome.FAILED, "500")
        self._remember(publication, now, failed)
        return failed

    def _land(self, publication: Publication, at: int, *, known: bool = False) -> Answer:
        """Count a request, unless its identifier is remembered or it cannot be counted."""
        if ROUTES[publication.slot.route].mode is Mode.ONCE:
            return self._land_once(publication, at)
        saved = self._replay(publication, at)
        if saved is not None:
            duplicate = known and saved.outcome is Outcome.ACCEPTED
            return Answer(Outcome.KNOWN, "an event already exists") if duplicate else saved
        refusal = self._refusal(publication, at)
        if refusal:
            self.met["refused"] += 1
            self.met[f"refused: {refusal}"] += 1
            return Answer(Outcome.REFUSED, refusal)
        answer = Answer(Outcome.ACCEPTED)
        self._remember(publication, at, answer)
        self._book(publication, at)
        return answer

    def _land_once(self, publication: Publication, at: int) -> Answer:
        """The first record of a slot stays. The same again is as good as the first, another one is
        refused; identifiers mean nothing here."""
        if refusal := self._refusal(publication, at):
            self.met[f"refused: {refusal}"] += 1
            return Answer(Outcome.REFUSED, refusal)
        booked = self.books[line_at(publication.slot)].get(publication.slot)
        if booked is None:
            self._book(publication, at)
        elif booked.totals[-1] != publication.value:
            self.met["refused: another record stands there"] += 1
            return Answer(Outcome.MISMATCH, f"{booked.totals[-1]} stands there")
        return Answer(Outcome.COUNTED)

    def _replay(self, publication: Publication, at: int) -> Answer | None:
        saved = self._remembered.get(publication.identifier)
        if saved is None or at >= saved.at + REMEMBERED_FOR:
            return None
        if saved.value != publication.value:
            return Answer(Outcome.MISMATCH, "the identifier came with another value")
        return saved.answer

    def _remember(self, publication: Publication, at: int, answer: Answer) -> None:
        self._remembered[publication.identifier] = Remembered(at, publication.value, answer)

    def _refusal(self, publication: Publication, at: int) -> str:
        slot, value, timestamp = publication.slot, publication.value, publication.place.timestamp
        route = ROUTES[slot.route]
        if any(slot.destination == d and w.contains(at) for d, w in self.misfortune.unknown):
            return "no such customer"
        if route.whole_numbers and value != value.to_integral_value():
            return "not a whole number"
        if significant_digits(value) > route.digits_max or (
            value < 0 and route.mode is not Mode.DELTA
        ):
            return "not a quantity"
        if not at - route.oldest <= timestamp <= at + AHEAD_MAX:
            return "too old, or in the future"
        if route.closes_with_period and not self.periods(slot.destination, at).contains(timestamp):
            return "outside the current period"
        return ""

    def _book(self, publication: Publication, at: int) -> None:
        slot, total = publication.slot, publication.value
        booked = self.books[line_at(slot)].setdefault(slot, Booked(publication.place.timestamp))
        if ROUTES[slot.route].mode is Mode.DELTA and booked.totals:
            total = add(booked.totals[-1], total)
        booked.since.append(at)
        booked.totals.append(total)
        self._on_landed(slot, total)

    def write(self, slot: SlotKey, total: Decimal) -> None:
        """Somebody else sets what the books hold of a slot that they have."""
        booked = self.books[line_at(slot)][slot]
        booked.since.append(self.clock.now())
        booked.totals.append(total)

    def shown(self, slots: Sequence[Slot], asked_at: int) -> tuple[Reading, ...]:
        """Totals of the reading groups, each slot as of a moment that lies up to lag_max back."""
        now = self.answering()
        draws = Random(f"{self._seed}|read|{now}")
        if draws.randrange(1000) < self.misfortune.reads_fail:
            self.met["unread"] += 1
            raise PublisherUnavailable("503")
        asked: dict[str, list[Slot]] = defaultdict(list)
        for slot in slots:
            route = ROUTES[slot.key.route]
            if route.reads is not Reads.NOTHING:
                asked[reading_group(route, slot)].append(slot)
        return tuple(
            Reading(group, self._shown(members, group, now, draws), asked_at)
            for group, members in asked.items()
        )

    def _shown(self, asked: Sequence[Slot], group: str, now: int, draws: Random) -> Decimal:
        """The group's total as of one moment, at most lag_max ago.

        One slot's total may be shown older than it was shown before. Where several slots make up
        a total, its moments never go back: see the assumptions in docs/guarantees.md.
        """
        members = self._group(asked[0])
        lag = draws.randint(0, self.misfortune.lag_max) if draws.random() < 0.5 else 0
        self.met["shown late"] += lag > 0
        latest = max(now - lag, self._shown_as_of[group])
        self._shown_as_of[group] = latest
        as_of = now - lag if len(members) == len(asked) == 1 else latest
        total = ZERO
        for booked in members:
            total = add(total, booked.at(as_of))
        return total

    def _group(self, slot: Slot) -> list[Booked]:
        hour = floor_hour(slot.key.start)
        span = Window(hour, hour + HOUR)
        if ROUTES[slot.key.route].reads is Reads.PERIOD:
            span = self.periods(slot.key.destination, slot.place.timestamp)
        return [
            booked
            for key, booked in self.books[line_at(slot.key)].items()
            if span.contains(key.start if span.end == hour + HOUR else booked.timestamp)
        ]

    def answering(self) -> int:
        """Now, where it answers a reader at all."""
        self.catch_up()
        now = self.clock.now()
        if self.is_away(now):
            raise PublisherUnavailable("no connection")
        return now

    def bills(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        """The bills' lines: frozen when the period's grace is over."""
        now = self.answering()
        found: dict[tuple[Line, Window], InvoiceLine] = {}
        for slot in slots:
            line = line_at(slot.key)
            period = self.periods(slot.key.destination, slot.place.timestamp)
            if (line, period) not in found:
                found[line, period] = self._bill(line, period, now)
        return tuple(found.values())

    def _bill(self, line: Line, period: Window, now: int) -> InvoiceLine:
        route, _, destination, counter = line
        frozen_at = period.end + ROUTES[route].closes_after
        quantity = ZERO
        for booked in self.books[line].values():
            if period.contains(booked.timestamp):
                quantity = add(quantity, booked.at(min(now, frozen_at)))
        final = frozen_at if frozen_at <= now else None
        invoice = f"in_{destination}_{period.end}"
        return InvoiceLine(destination, counter, period, max(quantity, ZERO), invoice, final)

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        self.answering()
        return tuple(r for r in self._rejections if r.at >= since)


@dataclass(frozen=True, slots=True)
class FakePublisher:
    """`tallystick.ports.Publisher` on a FakeProvider, by this sender's own clock."""

    provider: FakeProvider
    clock: Time

    @property
    def routes(self) -> dict[str, Route]:
        return dict(ROUTES)

    def send(self, publication: Publication) -> Answer:
        if self.clock.now() > publication.deadline:
            return Answer(Outcome.BUSY, "woke up past the deadline, and sent nothing")
        return self.provider.receive(publication)

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        return self.provider.shown(slots, self.clock.now())

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        return self.provider.bills(slots)

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        return self.provider.rejections(since)

    def subscription(self, destination: str) -> Subscription | None:
        now = self.provider.answering()
        suspended = self.provider.misfortune.suspended
        paused = any(destination == d and span.contains(now) for d, span in suspended)
        period = self.provider.periods(destination, now)
        return Subscription(destination, "active", period, paused)

    def clock_ahead(self) -> int:
        return max(0, self.provider.clock.now() - self.clock.now())
