"""A provider that does what a test says, request by request, and a worker that publishes to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tallystick.domain.errors import PublisherUnavailable
from tallystick.domain.ledger import Entry
from tallystick.domain.publication import Answer, Outcome, Publication
from tallystick.domain.quantity import ZERO
from tallystick.domain.reading import Reading
from tallystick.domain.slot import Mode, Reads, Route, Slot, SlotKey, reading_group
from tallystick.domain.statement import InvoiceLine, Rejection, Subscription
from tallystick.domain.window import Window
from tallystick.ports import Store
from tallystick.stages.publishing import Publishing, PublishSummary
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import count, seal
from tallystick.testing.factories import ABSOLUTE, JANUARY, LIMITS, NOON, place
from tallystick.testing.fakes import FakeClock

DELTA = Route(name="delta", mode=Mode.DELTA, hourly=True, reads=Reads.HOUR)
ROUTES = {route.name: route for route in (ABSOLUTE, DELTA)}
SPRING = Window(JANUARY.start, JANUARY.start + 3 * (JANUARY.end - JANUARY.start))
"""A period long enough for every wait of the protocol."""

LOST = (False, Answer(Outcome.UNKNOWN, "the line broke"))
ANSWER_LOST = (True, Answer(Outcome.UNKNOWN, "the line broke"))
COUNTED = (True, Answer(Outcome.ACCEPTED))


@dataclass
class FarSide:
    """`fates` says of each request in turn whether it counts and what is answered; then all count.

    `shown` is what a reading tells, where that is not what is held.
    """

    clock: FakeClock
    fates: list[tuple[bool, Answer]] = field(default_factory=list)
    sent: list[tuple[int, Publication]] = field(default_factory=list)
    held: dict[SlotKey, Decimal] = field(default_factory=dict)
    shown: Decimal | None = None
    refusal: str = ""
    ahead: int = 0
    reported: tuple[Rejection, ...] = ()
    on_send: Callable[[Publication], None] = lambda _: None

    @property
    def routes(self) -> dict[str, Route]:
        return dict(ROUTES)

    def send(self, publication: Publication) -> Answer:
        self.sent.append((self.clock.now(), publication))
        self.on_send(publication)
        counts, answer = self.fates.pop(0) if self.fates else COUNTED
        if counts:
            slot, before = publication.slot, ZERO
            if ROUTES[slot.route].mode is Mode.DELTA:
                before = self.held.get(slot, ZERO)
            self.held[slot] = before + publication.value
        return answer

    def totals(self, slots: Sequence[Slot]) -> tuple[Reading, ...]:
        if self.refusal:
            raise PublisherUnavailable(self.refusal)
        return tuple(
            Reading(
                reading_group(ROUTES[slot.key.route], slot),
                self.held.get(slot.key, ZERO) if self.shown is None else self.shown,
                self.clock.now(),
            )
            for slot in slots
        )

    def invoice_lines(self, slots: Sequence[Slot]) -> tuple[InvoiceLine, ...]:
        return ()

    def rejections(self, since: int) -> tuple[Rejection, ...]:
        if self.refusal:
            raise PublisherUnavailable(self.refusal)
        return self.reported

    def subscription(self, destination: str) -> Subscription | None:
        return None

    def clock_ahead(self) -> int:
        return self.ahead


@dataclass
class Desk:
    """One worker, its store, its clock, and the far side."""

    route: Route = ABSOLUTE
    store: Store = field(default_factory=lambda: MemoryStore("here"))
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))

    def __post_init__(self) -> None:
        self.far = FarSide(self.clock)

    @property
    def publishing(self) -> Publishing:
        return Publishing(store=self.store, publisher=self.far, clock=self.clock, limits=LIMITS)

    def run(self) -> PublishSummary:
        return self.publishing.run()

    def grow(self, key: str, quantity: int | str) -> Entry:
        """An event is counted and sealed into the one slot."""
        count(self.store, key, quantity)
        return self.follow()

    def follow(self) -> Entry:
        """The ledger follows the Aggregate."""
        return seal(self.store, into=place(self.route, period=SPRING), route=self.route)[0]

    def hours(self, hours: int, *, each: int = 1) -> None:
        """Time passes, with a pass every hour (or so)."""
        for _ in range(0, hours, each):
            self.clock.sleep(each * 3_600_000_000)
            self.run()

    @property
    def publications(self) -> tuple[Publication, ...]:
        return self.store.outbox.publications().elements

    @property
    def values(self) -> list[Decimal]:
        """What was sent, request by request."""
        return [publication.value for _, publication in self.far.sent]
