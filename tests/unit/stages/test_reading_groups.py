"""What one total says of the several slots it is the sum of. Each was found by the simulator."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.ledger import Holding, allocate
from tallystick.domain.publication import (
    Answer,
    Limits,
    Outcome,
    State,
    Step,
    answered,
    decide,
    intended,
    shown_for_good,
)
from tallystick.domain.reading import Reading, adopted, verdicts
from tallystick.domain.slot import Place, Slot, SlotKey
from tallystick.domain.window import Window
from tallystick.testing.fakes import SUM_METER, USAGE_RECORD

LIMITS = Limits()
PERIOD = Window(0, 30 * DAY)
LATE = 5 * DAY


def slot_at(start, total, *, confirmed="0", earlier=(), route=USAGE_RECORD):
    key = SlotKey(route.name, "default", "si_1", "", start)
    return Slot(
        place=Place(key, start, PERIOD, PERIOD.end),
        total=Decimal(total),
        version=1,
        revision=len(earlier),
        confirmed=None if confirmed is None else Decimal(confirmed),
        earlier=tuple(Decimal(one) for one in earlier),
    )


def sent(slot, outcome, *, route=USAGE_RECORD, at=2 * HOUR):
    """The slot with its total sent once, and that answer."""
    current = intended(slot, route, "store", LIMITS, at)
    return slot, answered(current, Answer(outcome), LIMITS, at)


def states(members, total, *, route=USAGE_RECORD, at=LATE):
    reading = Reading("group", Decimal(total), at)
    found = verdicts(members, reading, route, LIMITS)
    return {after.place.slot.start: after for _, after in found}


def test_a_falling_total_does_not_keep_its_neighbours_from_being_confirmed():
    fell = sent(slot_at(0, "8", confirmed="9", earlier=("9",)), Outcome.ACCEPTED)
    rose = sent(slot_at(HOUR, "4"), Outcome.ACCEPTED)

    after = states([fell, rose], "12")

    assert {a.state for a in after.values()} == {State.CONFIRMED}


def test_a_fall_that_may_still_hide_behind_a_rise_is_not_confirmed_at_once():
    fell = sent(slot_at(0, "8", confirmed="9", earlier=("9",)), Outcome.UNKNOWN)
    rose = sent(slot_at(HOUR, "1"), Outcome.UNKNOWN)

    after = states([fell, rose], "9", at=3 * HOUR)

    assert all(not a.state.is_settled for a in after.values())


def test_one_lost_request_is_told_from_those_that_were_accepted():
    there = sent(slot_at(0, "12"), Outcome.ACCEPTED)
    lost = sent(slot_at(HOUR, "6"), Outcome.MISMATCH)

    after = states([there, lost], "12", at=PERIOD.end + 3 * DAY)

    assert after[0].state is State.CONFIRMED
    assert after[HOUR].absent == Decimal(0)


def test_a_sum_that_lags_confirms_nobody_by_what_was_accepted_since():
    """16 + 0 + 4 is the sum if all landed, and 5 + 13 + 2 was it before."""
    rose = sent(slot_at(0, "16", confirmed=None, earlier=("5",)), Outcome.ACCEPTED)
    fell = sent(slot_at(HOUR, "0", confirmed=None, earlier=("13",)), Outcome.ACCEPTED)
    lost = sent(slot_at(2 * HOUR, "4", confirmed=None, earlier=("2",)), Outcome.UNKNOWN)

    after = states([rose, fell, lost], "20", at=4 * HOUR)

    assert all(not a.state.is_settled for a in after.values())


def test_of_two_deltas_of_an_hour_the_one_that_landed_is_found_by_the_sum():
    landed = sent(slot_at(0, "1.25", route=SUM_METER), Outcome.UNKNOWN, route=SUM_METER)
    lost = sent(slot_at(30 * MINUTE, "40", route=SUM_METER), Outcome.UNKNOWN, route=SUM_METER)

    after = states([landed, lost], "1.25", route=SUM_METER)

    assert after[0].state is State.CONFIRMED
    assert after[30 * MINUTE].absent == Decimal(0)


def test_two_deltas_that_one_sum_explains_both_ways_stay_in_doubt():
    one = sent(slot_at(0, "1", route=SUM_METER), Outcome.UNKNOWN, route=SUM_METER)
    other = sent(slot_at(30 * MINUTE, "1", route=SUM_METER), Outcome.UNKNOWN, route=SUM_METER)

    after = states([one, other], "1", route=SUM_METER)

    assert all(not a.state.is_settled for a in after.values())


def test_what_waits_for_a_resend_is_not_put_off_by_a_reading_for_its_neighbour():
    accepted = sent(slot_at(0, "5"), Outcome.ACCEPTED)
    waiting = sent(slot_at(HOUR, "3"), Outcome.FAILED)
    at = 4 * HOUR
    assert decide(*waiting, USAGE_RECORD, LIMITS, at) is Step.SEND

    after = states([accepted, waiting], "5", at=at)

    assert HOUR not in after


def test_what_a_closed_slot_holds_that_was_superseded_is_read_when_it_cannot_change():
    blank = slot_at(0, "7", confirmed=None, earlier=("7",))
    at = shown_for_good(blank.place, LIMITS)
    reading = Reading("group", Decimal(7), at)

    assert decide(blank, None, USAGE_RECORD, LIMITS, at - 1) is Step.WAIT
    assert decide(blank, None, USAGE_RECORD, LIMITS, at) is Step.READ
    found = list(adopted([(blank, None)], reading, USAGE_RECORD, LIMITS))
    assert found == [(blank, replace(blank, confirmed=Decimal(7)))]


def test_an_absolute_value_that_stays_unseen_is_set_again_ever_more_rarely():
    again = ("5", "5", "5", "5")
    slot, current = sent(slot_at(0, "5", confirmed=None, earlier=again), Outcome.ACCEPTED)
    neighbour = sent(slot_at(HOUR, "2"), Outcome.ACCEPTED)

    soon = states([(slot, current), neighbour], "1", at=current.accepted_at + 15 * HOUR)
    later = states([(slot, current), neighbour], "1", at=current.accepted_at + 16 * HOUR)

    assert soon[0].state is State.ACCEPTED
    assert later[0].state is State.AMBIGUOUS


@pytest.mark.parametrize(("billed", "grows"), [("9.5", "3"), ("9.499", "2")])
def test_a_whole_number_slot_gets_whole_numbers_where_another_route_holds_a_fraction(billed, grows):
    place = slot_at(0, "0").place

    found = allocate(
        billed=Decimal(billed),
        allocated=Decimal(7),
        place=place,
        route=USAGE_RECORD,
        holdings=(),
        now=HOUR,
    )
    mixed = allocate(
        billed=Decimal(billed),
        allocated=Decimal("7.25"),
        place=place,
        route=USAGE_RECORD,
        holdings=(),
        now=HOUR,
    )

    assert [a.quantity for a in found] == [Decimal(grows)]
    assert all(a.quantity == a.quantity.to_integral_value() for a in mixed)


def test_a_slot_of_another_route_is_lowered_by_whole_numbers_only():
    whole = Holding(slot_at(0, "5").place, Decimal(5), Decimal(5))

    found = allocate(
        billed=Decimal("3.5"),
        allocated=Decimal(5),
        place=slot_at(HOUR, "0", route=SUM_METER).place,
        route=SUM_METER,
        holdings=(whole,),
        now=HOUR,
    )

    assert [a.quantity for a in found] == [Decimal(-1)]
