"""A slot is looked at when there is something to do, and its neighbours are read with it."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.publication import (
    Answer,
    Outcome,
    Publication,
    State,
    Step,
    answered,
    decide,
    intended,
    next_look,
    settled_by_person,
)
from tallystick.domain.slot import Slot
from tallystick.domain.window import Window
from tallystick.testing.contract.steps import report, seal
from tallystick.testing.factories import ABSOLUTE, LIMITS, NOON, aggregate_key, event, place
from tests.unit.stages.far_side import DELTA, SPRING, Desk

SLOT = Slot(place=place(period=SPRING), total=Decimal(5), version=1)

publications = st.builds(
    replace,
    st.just(intended(SLOT, ABSOLUTE, "here", LIMITS, NOON)),
    state=st.sampled_from([State.PENDING, State.AMBIGUOUS, State.ACCEPTED]),
    total=st.sampled_from([Decimal(5), Decimal(4)]),
    deadline=st.integers(NOON, NOON + HOUR),
    next_at=st.integers(NOON, NOON + HOUR),
    read_from=st.integers(NOON, NOON + 6 * HOUR),
    failures=st.integers(0, 3),
    resendable=st.booleans(),
    absent_at=st.sampled_from([None, NOON]),
)


@given(publications, st.integers(NOON, NOON + 7 * HOUR), st.sampled_from([ABSOLUTE, DELTA]))
def test_before_its_next_look_there_is_nothing_to_do(current: Publication, now: int, route):
    is_early = now < next_look(current, SLOT)
    step = decide(SLOT, current, route, LIMITS, now)

    assert step is Step.WAIT if is_early else step is not Step.WAIT


def test_a_slot_that_grew_while_its_publication_was_accepted_does_not_wait_for_the_reading():
    sent = intended(SLOT, ABSOLUTE, "here", LIMITS, NOON)
    accepted = replace(sent, state=State.ACCEPTED, read_from=sent.deadline + 6 * HOUR)

    assert next_look(accepted, SLOT) == accepted.read_from
    assert next_look(accepted, replace(SLOT, total=Decimal(6))) == sent.deadline


def refused(earlier: int = 0, *, closes_in: int = 100 * DAY) -> tuple[Publication, Slot]:
    where = replace(SLOT.place, closes_at=NOON + closes_in)
    slot = replace(SLOT, place=where, earlier=(Decimal(9), *[SLOT.total] * earlier))
    sent = intended(slot, ABSOLUTE, "here", LIMITS, NOON)
    return answered(sent, Answer(Outcome.REFUSED), LIMITS, NOON), slot


def test_each_refusal_of_the_same_total_doubles_the_wait_up_to_a_day():
    waits = [next_look(*refused(earlier)) - NOON for earlier in (0, 1, 2, 6, 7, 500)]

    quarter = 15 * MINUTE
    assert waits == [quarter, 2 * quarter, 4 * quarter, 64 * quarter, DAY, DAY]


def test_in_the_last_hour_before_it_closes_nothing_is_put_off_for_longer_than_a_quarter():
    assert next_look(*refused(9, closes_in=DAY)) == NOON + 23 * HOUR
    assert next_look(*refused(9, closes_in=HOUR)) == NOON + 15 * MINUTE
    assert next_look(*refused(9, closes_in=-HOUR)) == NOON + 15 * MINUTE


def test_what_a_person_or_a_reading_settled_is_looked_at_at_once():
    sent = intended(SLOT, ABSOLUTE, "here", LIMITS, NOON)
    busy = answered(sent, Answer(Outcome.BUSY, retry_after=HOUR), LIMITS, NOON)

    for arrived in (True, False):
        after = settled_by_person(busy, arrived=arrived, why="seen", now=NOON + MINUTE)
        assert next_look(after, SLOT) <= NOON


def test_a_pass_reads_of_the_store_only_what_is_due():
    told = Desk()
    for n in range(20):
        report(told.store, event("e1", tenant=f"t{n}"))
        into = place(destination=f"cus_{n}", period=SPRING)
        seal(told.store, aggregate_key(f"t{n}"), into=into)
    told.run()

    told.clock.sleep(HOUR)
    waiting = told.store.outbox.slots_due(told.clock.now()).elements

    assert waiting == ()
    assert len(told.store.outbox.slots_due().elements) == 20


def test_hours_of_one_day_that_are_not_due_yet_are_read_with_the_one_that_is():
    told = Desk()
    asked: list[int] = []
    totals = told.far.totals
    told.far.totals = lambda slots: asked.append(len(slots)) or totals(slots)
    for n in range(4):
        start = NOON - DAY + n * HOUR
        report(told.store, event(f"e{n}", occurred_at=start))
        key = aggregate_key(window=Window(start, start + HOUR))
        seal(told.store, key, into=place(at=start, period=SPRING))
        told.run()
        told.clock.sleep(HOUR)

    told.clock.sleep(2 * HOUR)
    told.run()

    assert asked == [4]
    assert {publication.state for publication in told.publications} == {State.CONFIRMED}
