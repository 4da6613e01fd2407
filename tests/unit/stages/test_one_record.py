"""A provider that takes one record for each hour, shows no totals and corrects nothing."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.domain.discrepancy import Kind
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant
from tallystick.domain.meter import Closed
from tallystick.domain.publication import Outcome, State, settled_by_person
from tallystick.stages.passing import PassSummary, one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.restoring import adopt, begin
from tallystick.stages.sealing import seal
from tallystick.stages.targeting import SealLimits
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import report
from tallystick.testing.factories import (
    ELEVEN,
    FEBRUARY,
    JANUARY,
    LIMITS,
    NOON,
    TEN,
    event,
    mapping,
    meter,
    override,
    tenant,
)
from tallystick.testing.fakes import ONE_RECORD, FakeClock, FakeProvider, FakePublisher
from tallystick.testing.misfortune import Fate, Misfortune

FIVE_PAST = 5 * MINUTE
LAST_HOUR = JANUARY.end - HOUR
NO_ANSWER = Misfortune(fates=((Fate.ANSWER_LOST, 1000),))
NOTHING_ARRIVES = Misfortune(fates=((Fate.LOST, 1000),))


@dataclass
class Desk:
    """A tenant whose usage goes there, one worker, and the provider."""

    closed: Closed = Closed.HOLD
    store: MemoryStore = field(default_factory=lambda: MemoryStore("here"))

    def __post_init__(self) -> None:
        self.clock = FakeClock(ELEVEN + FIVE_PAST)
        self.provider = FakeProvider(self.clock, periods=lambda _, at: tenant().period_at(at))
        self.publisher = FakePublisher(self.provider, self.clock)
        self.meters = (meter(closed=self.closed),)
        self.store.catalog.save(tenant(), override())
        self.store.catalog.save(self.meters[0], override())
        self.store.catalog.save(mapping(route=ONE_RECORD), override())

    def report(self, key: str, quantity: int | str = 1, **told) -> None:
        report(self.store, event(key, quantity, **told), meters=self.meters, now=self.clock.now())

    def run(self) -> PassSummary:
        publishing = Publishing(
            store=self.store, publisher=self.publisher, clock=self.clock, limits=LIMITS
        )
        return one_pass(publishing, SealLimits())

    def at(self, instant: int) -> PassSummary:
        self.clock.jump_to(instant)
        return self.run()

    def hours(self, hours: int) -> None:
        for _ in range(hours):
            self.at(self.clock.now() + HOUR)

    @property
    def told(self) -> dict[str, Decimal]:
        """What the provider holds, by the hour of the day."""
        (books,) = self.provider.books.values() or ({},)
        slots = sorted(books.items())
        return {format_instant(slot.start)[8:13]: booked.totals[-1] for slot, booked in slots}

    @property
    def found(self) -> list[tuple[Kind, Decimal, Decimal]]:
        """What reconcile lists."""
        reconciling = Reconciling(
            store=self.store, publisher=self.publisher, now=self.clock.now(), limits=LIMITS
        )
        return [(d.kind, d.ours, d.theirs) for d in reconciling.everything()]

    def settle(self, *, arrived: bool) -> None:
        (current,) = self.store.outbox.publications(unsettled=True).elements
        now = self.clock.now()
        after = settled_by_person(current, arrived=arrived, why="seen", now=now)
        assert self.store.outbox.advance([(current, after)]) == (True,)


def test_an_hour_is_told_once_when_it_has_ended_and_its_answer_is_the_confirmation():
    desk = Desk()
    desk.report("a", 3)
    desk.report("b", 2)

    summary = desk.run()

    assert desk.told == {"31T10": 5}
    assert summary.published.outcomes[Outcome.COUNTED] == 1
    (publication,) = desk.store.outbox.publications().elements
    assert publication.state is State.CONFIRMED
    assert desk.found == []


def test_what_comes_late_goes_to_a_later_hour_of_the_same_bill_whatever_the_meter_says():
    desk = Desk(Closed.HOLD)
    desk.report("a", 5)
    desk.run()

    desk.report("late", 2)
    desk.report("own", 4, occurred_at=NOON)
    desk.at(NOON + 10 * MINUTE)
    assert desk.told == {"31T10": 5}
    desk.hours(2)

    assert desk.told == {"31T10": 5, "31T12": 6}
    assert desk.found == []


def test_what_comes_so_late_that_its_hour_is_not_taken_any_more_goes_to_a_later_one_too():
    desk = Desk()
    desk.at(TEN + 10 * HOUR)
    desk.report("late", 2)
    desk.run()
    desk.hours(2)

    assert desk.told == {"31T20": 2}
    assert desk.found == []


@pytest.mark.parametrize(
    ("closed", "told", "found"),
    [
        (Closed.HOLD, {"31T23": 5}, [(Kind.UNDELIVERED, 7, 5)]),
        (Closed.CARRY, {"01T00": 2, "31T23": 5}, []),
    ],
)
def test_what_misses_the_last_hour_of_a_bill_is_held_or_carried_as_the_meter_says(
    closed, told, found
):
    desk = Desk(closed)
    desk.report("a", 5, occurred_at=LAST_HOUR)
    desk.at(FEBRUARY.start + FIVE_PAST)
    desk.report("late", 2, occurred_at=LAST_HOUR)

    stuck = desk.run().published.stuck
    desk.hours(3)

    assert list(stuck.values()) == ([] if closed is Closed.CARRY else [STUCK_WITH_FIVE])
    assert desk.told == told
    assert desk.found == found


STUCK_WITH_FIVE = "holds 5 of 7: the slot is closed"


def test_a_void_lowers_nothing_that_was_sent_and_is_taken_from_what_comes_next():
    desk = Desk()
    desk.report("a", 5)
    desk.report("b", 3)
    desk.run()

    desk.report("v", 0, voids="b")
    desk.hours(2)
    assert desk.told == {"31T10": 8}
    desk.report("c", 4, occurred_at=NOON)
    desk.hours(2)

    assert desk.told == {"31T10": 8, "31T12": 1}
    assert desk.found == []


def test_a_lost_answer_is_asked_for_again_and_the_same_record_counts_once():
    desk = Desk()
    desk.report("a", 5)
    desk.provider.misfortune = NO_ANSWER
    desk.run()
    desk.provider.misfortune = Misfortune()

    desk.at(ELEVEN + 20 * MINUTE)

    (publication,) = desk.store.outbox.publications().elements
    assert (publication.state, publication.attempts) == (State.CONFIRMED, 2)
    assert desk.told == {"31T10": 5}


def doubtful(misfortune: Misfortune) -> Desk:
    """Nothing was answered for the hour from ten until nothing was taken for it any more."""
    desk = Desk()
    desk.report("a", 5)
    desk.provider.misfortune = misfortune
    desk.hours(6)
    desk.provider.misfortune = Misfortune()
    return desk


@pytest.mark.parametrize("misfortune", [NO_ANSWER, NOTHING_ARRIVES])
def test_a_doubt_that_outlives_the_hours_limit_is_held_for_a_person_and_listed(misfortune):
    desk = doubtful(misfortune)
    before = desk.told

    summary = desk.run()
    desk.hours(80)

    assert list(summary.published.stuck.values()) == [
        "may hold 5 or not, and cannot be read: see publications settle"
    ]
    assert not summary.published.is_clean
    assert desk.told == before
    assert desk.found == [(Kind.AMBIGUOUS, 5, 0)]


def test_what_a_person_says_arrived_is_never_sent_again():
    desk = doubtful(NO_ANSWER)

    desk.settle(arrived=True)
    desk.hours(3)

    assert desk.told == {"31T10": 5}
    assert desk.found == []


def test_what_a_person_says_never_arrived_goes_to_a_later_hour():
    desk = doubtful(NOTHING_ARRIVES)

    desk.settle(arrived=False)
    desk.hours(3)

    assert desk.told == {"31T18": 5}
    assert desk.found == []


def test_a_record_of_somebody_else_in_its_hour_is_a_question_for_a_person():
    desk, other = Desk(), Desk()
    other.report("x", 1)
    other.run()
    desk.provider.books = other.provider.books
    desk.report("a", 5)

    summary = desk.run()
    stuck = desk.at(ELEVEN + 30 * MINUTE).published.stuck

    assert summary.published.outcomes[Outcome.MISMATCH] == 1
    assert list(stuck.values()) == [
        "may hold 5 or not, and cannot be read: see publications settle"
    ]
    assert desk.told == {"31T10": 1}


def test_an_hour_gathers_what_belongs_to_it_before_it_is_told():
    desk = Desk()
    desk.report("late", 2, occurred_at=TEN - 8 * HOUR)

    summary = desk.at(ELEVEN + 59 * MINUTE)
    assert (summary.carried, desk.told) == (0, {})
    desk.report("own", 4, occurred_at=ELEVEN)
    desk.at(NOON + FIVE_PAST)

    assert desk.told == {"31T11": 6}


def test_a_fall_that_comes_while_the_record_is_sent_is_given_back_and_owed():
    """A sealer that slept: it lowers the hour by its old clock, after the record was told."""
    desk = Desk()
    desk.report("late", 2, occurred_at=TEN - 8 * HOUR)
    desk.run()
    desk.report("v", 0, voids="late")
    publishing = Publishing(
        store=desk.store, publisher=desk.publisher, clock=desk.clock, limits=LIMITS
    )
    desk.clock.jump_to(NOON + FIVE_PAST)
    publishing.run()
    slept_since = NOON + FIVE_PAST - SECOND
    seal(desk.store, desk.publisher.routes, slept_since, limits=SealLimits())
    (slot,) = (due.slot for due in desk.store.outbox.slots_due().elements)
    assert (slot.total, slot.confirmed) == (0, 2)

    desk.run()
    desk.report("c", 5, occurred_at=NOON)
    desk.hours(3)

    assert desk.told == {"31T11": 2, "31T12": 3}
    assert desk.found == []


def test_after_a_restore_nothing_that_the_lost_store_may_have_told_goes_elsewhere():
    desk = Desk(Closed.CARRY)
    desk.report("a", 5)
    copy = desk.store.copy()
    desk.run()
    lost, desk.store = desk.store, copy
    desk.clock.jump_to(ELEVEN + DAY)

    begin(copy, "again", override(at=desk.clock.now()))
    adopt(copy, desk.publisher, desk.clock.now(), override(), limits=LIMITS)
    desk.hours(3)

    assert lost.outbox.slots().elements[0].slot.confirmed == 5
    assert desk.told == {"31T10": 5}
    assert [kind for kind, *_ in desk.found] == [Kind.HELD]


def test_after_a_restore_the_same_record_again_is_as_good_as_the_first():
    desk = Desk()
    desk.report("a", 5)
    copy = desk.store.copy()
    desk.run()
    desk.store = copy

    begin(copy, "again", override(at=desk.clock.now()))
    adopt(copy, desk.publisher, desk.clock.now(), override(), limits=LIMITS)
    desk.hours(1)

    assert desk.told == {"31T10": 5}
    assert desk.found == []


REPORTS = st.lists(st.tuples(st.integers(-4, 9), st.integers(0, 30), st.integers(0, 3)), max_size=9)


@settings(max_examples=60, deadline=None)
@given(reports=REPORTS)
def test_whatever_comes_in_whatever_order_the_hours_told_add_up_to_it(reports):
    """Each is (quantity, hours late, passes after it); growth in the end takes up what is owed."""
    desk = Desk()
    desk.clock.jump_to(JANUARY.start + 2 * DAY + FIVE_PAST)
    for number, (quantity, late, passes) in enumerate(reports):
        hour = desk.clock.now() - FIVE_PAST - HOUR - late * HOUR
        desk.report(f"e{number}", quantity, occurred_at=hour)
        desk.hours(passes)
    desk.report("last", 100, occurred_at=desk.clock.now() - HOUR)
    desk.hours(4)

    assert sum(desk.told.values()) == 100 + sum(quantity for quantity, *_ in reports)
    assert desk.found == []
