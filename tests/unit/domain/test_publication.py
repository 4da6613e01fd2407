"""The life of a publication, case by case: what an answer and a reading prove, and what not."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tallystick.domain.errors import InvariantViolated
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.domain.publication import (
    Answer,
    Limits,
    Outcome,
    State,
    Step,
    answered,
    claimed,
    decide,
    doubted,
    identifier_of,
    intended,
    landed_by,
    superseded,
    value_text,
)
from tallystick.domain.reading import Reading, confirmed_after, is_fresh, read, shares
from tallystick.domain.slot import Mode, Route, Slot
from tallystick.testing.factories import ABSOLUTE, JANUARY, TEN, place

DELTA = Route(name="delta", mode=Mode.DELTA, hourly=False)
LIMITS = Limits()
NOW = TEN + 2 * HOUR


def slot(total=4, confirmed=0, *, route=ABSOLUTE, at=TEN, earlier=(), **changed):
    known = None if confirmed is None else Decimal(confirmed)
    return Slot(
        place=place(route, at=at, period=JANUARY),
        total=Decimal(total),
        confirmed=known,
        earlier=tuple(Decimal(e) for e in earlier),
        version=3,
        **changed,
    )


def sent(of, *outcomes, route=ABSOLUTE, now=NOW):
    """The publication of the slot after these answers, each to an attempt of its own."""
    current = intended(of, route, "here", LIMITS, now)
    for index, outcome in enumerate(outcomes):
        if index:
            now = max(current.deadline, current.next_at, now)
            current = claimed(current, LIMITS, now)
        current = answered(current, Answer(outcome), LIMITS, now)
    return current


def test_an_intent_freezes_all_that_is_sent_and_has_claimed_its_first_attempt():
    fresh = intended(slot("2.50", 1, revision=6), DELTA, "here", LIMITS, NOW)

    assert (fresh.value, fresh.total, fresh.before) == (Decimal("1.5"), Decimal("2.5"), 1)
    assert (fresh.slot_revision, fresh.slot_version, fresh.step) == (7, 3, 0)
    assert (fresh.attempts, fresh.doubts, fresh.deadline) == (1, 1, NOW + LIMITS.send_timeout)
    assert value_text(fresh) == "1.5"
    assert intended(slot("2.50", 1), ABSOLUTE, "here", LIMITS, NOW).value == Decimal("2.5")


def test_an_identifier_is_unique_to_incarnation_slot_and_revision():
    here, there = slot().key, slot(at=TEN + HOUR).key
    names = {identifier_of(i, k, r) for i in ("a", "b") for k in (here, there) for r in (1, 11)}

    assert len(names) == 8
    assert all(len(name) == 44 for name in names)


def test_a_difference_from_an_unknown_total_is_never_sent():
    with pytest.raises(InvariantViolated, match="unknown"):
        intended(slot(4, None), DELTA, "here", LIMITS, NOW)


@pytest.mark.parametrize(
    ("of", "route", "step"),
    [
        (slot(4, 4), ABSOLUTE, Step.CLEAR),
        (slot(4, 0), ABSOLUTE, Step.INTEND),
        (slot(4, None), ABSOLUTE, Step.INTEND),
        (slot("1234567890123.456"), ABSOLUTE, Step.TOO_LONG),
        (slot(10**13, "0.001"), DELTA, Step.TOO_LONG),
        (slot(10**13, "0.001"), ABSOLUTE, Step.INTEND),
        (replace(slot(), place=replace(slot().place, closes_at=NOW + MINUTE)), DELTA, Step.CLOSED),
    ],
)
def test_an_idle_slot_asks_for_what_it_lacks(of, route, step):
    assert decide(of, None, route, LIMITS, NOW) is step


def test_a_silent_sender_is_taken_over_after_its_deadline_by_the_same_request():
    current = sent(slot())

    assert decide(slot(), current, ABSOLUTE, LIMITS, current.deadline - 1) is Step.WAIT
    assert decide(slot(), current, ABSOLUTE, LIMITS, current.deadline) is Step.SEND
    again = claimed(current, LIMITS, current.deadline)
    assert (again.identifier, again.value) == (current.identifier, current.value)
    assert (again.state, again.doubts) == (State.AMBIGUOUS, 2)


@pytest.mark.parametrize("route", [ABSOLUTE, DELTA])
def test_resending_stops_23_hours_after_the_first_attempt(route):
    current = sent(slot(), Outcome.UNKNOWN, route=route)
    last = NOW + LIMITS.resend_for - LIMITS.send_timeout
    after = Step.SUPERSEDE if route is ABSOLUTE else Step.READ
    later = replace(current, place=replace(current.place, closes_at=NOW + 100 * HOUR))

    assert decide(slot(), later, route, LIMITS, last - 1) is Step.SEND
    assert decide(slot(), later, route, LIMITS, last) is after


@pytest.mark.parametrize(
    ("outcomes", "state", "doubts"),
    [
        ([Outcome.ACCEPTED], State.ACCEPTED, 1),
        ([Outcome.KNOWN], State.ACCEPTED, 1),
        ([Outcome.REFUSED], State.REJECTED, 0),
        ([Outcome.BUSY, Outcome.REFUSED], State.REJECTED, 0),
        ([Outcome.DENIED, Outcome.BUSY, Outcome.REFUSED], State.REJECTED, 0),
        ([Outcome.UNKNOWN, Outcome.REFUSED], State.AMBIGUOUS, 2),
        ([Outcome.UNKNOWN, Outcome.BUSY, Outcome.REFUSED], State.AMBIGUOUS, 2),
        ([Outcome.FAILED, Outcome.REFUSED], State.AMBIGUOUS, 2),
        ([Outcome.UNKNOWN, Outcome.MISMATCH], State.AMBIGUOUS, 2),
        ([Outcome.FAILED, Outcome.KNOWN], State.ACCEPTED, 2),
    ],
)
def test_a_refusal_is_a_verdict_only_about_the_only_request(outcomes, state, doubts):
    current = sent(slot(), *outcomes)

    assert (current.state, current.doubts) == (state, doubts)


def test_a_refusal_after_an_early_reading_leaves_what_was_confirmed():
    busy = sent(slot(9, 4, route=DELTA), Outcome.BUSY, route=DELTA)
    of = slot(9, 4, route=DELTA)
    looked = read(of, busy, Decimal(1), at=NOW, route=DELTA, limits=LIMITS)
    refused = answered(claimed(looked, LIMITS, NOW), Answer(Outcome.REFUSED), LIMITS, NOW)

    assert refused.state is State.REJECTED
    assert confirmed_after(refused, of) == 4


def test_a_failure_never_brings_the_end_of_an_earlier_attempt_forward():
    slow = sent(slot(), Outcome.UNKNOWN)
    again = claimed(slow, LIMITS, slow.deadline)
    failed = answered(again, Answer(Outcome.FAILED), LIMITS, slow.deadline + SECOND)

    assert landed_by(failed, LIMITS) >= landed_by(slow, LIMITS)


def test_an_absolute_value_is_set_anew_only_when_nothing_older_can_land():
    failed = sent(slot(), Outcome.FAILED, Outcome.FAILED)
    quiet = landed_by(failed, LIMITS)

    assert decide(slot(), failed, ABSOLUTE, LIMITS, quiet - 1) is not Step.SUPERSEDE
    assert decide(slot(), failed, ABSOLUTE, LIMITS, quiet) is Step.SUPERSEDE
    assert confirmed_after(superseded(failed, quiet), slot()) is None


def test_an_accepted_value_that_the_ledger_left_behind_is_superseded_after_it_landed():
    current, grown = sent(slot(), Outcome.ACCEPTED), slot(5)
    quiet = landed_by(current, LIMITS)

    assert decide(grown, current, ABSOLUTE, LIMITS, quiet - 1) is not Step.SUPERSEDE
    assert decide(grown, current, ABSOLUTE, LIMITS, quiet) is Step.SUPERSEDE
    assert decide(grown, current, DELTA, LIMITS, quiet) is Step.READ


def test_an_accepted_publication_is_read_after_a_while_or_at_once_when_doubted():
    current = sent(slot(), Outcome.ACCEPTED)
    soon = current.deadline + SECOND

    assert decide(slot(), current, DELTA, LIMITS, soon) is Step.WAIT
    assert decide(slot(), current, DELTA, LIMITS, NOW + LIMITS.confirm_after) is Step.READ
    assert decide(slot(), doubted(current, "no meter", soon), DELTA, LIMITS, soon) is Step.READ


@pytest.mark.parametrize(
    ("total", "earlier", "before", "fresh"),
    [
        (4, (), 0, "both"),
        (4, (1, 2), 2, "both"),
        (0, (4,), 4, "none"),
        (4, (4, 0), 0, "none"),
        (4, (2, 4, 4), 2, "absolute"),
        (4, (4, 2, 4), 2, "none"),
        (10**14 + 1, (10**14,), 0, "none"),
        (10**14 + 1, (), 10**14, "none"),
    ],
)
def test_a_total_is_fresh_if_nothing_older_reads_like_it(total, earlier, before, fresh):
    of = slot(total, before, earlier=earlier)

    assert is_fresh(of, sent(of), ABSOLUTE) is (fresh != "none")
    assert is_fresh(of, sent(of, route=DELTA), DELTA) is (fresh == "both")


def test_a_stale_zero_confirms_nothing_until_everything_must_show():
    of = slot(0, 4, route=DELTA, earlier=(4,))
    current = sent(of, Outcome.ACCEPTED, route=DELTA)
    late = landed_by(current, LIMITS) + LIMITS.summary_lag
    told = {"route": DELTA, "limits": LIMITS}

    assert read(of, current, Decimal(0), at=late - 1, **told).state is State.ACCEPTED
    assert read(of, current, Decimal(0), at=late, **told).state is State.CONFIRMED


def test_an_absence_needs_two_readings_after_the_landing_and_the_whole_lag():
    of = slot(4, 1, route=DELTA, earlier=(1,))
    current = sent(of, Outcome.UNKNOWN, route=DELTA)
    quiet = landed_by(current, LIMITS)
    told = {"route": DELTA, "limits": LIMITS}
    late = quiet + LIMITS.summary_lag

    early = read(of, current, Decimal(1), at=quiet - 1, **told)
    assert read(of, early, Decimal(1), at=late, **told).state is State.AMBIGUOUS
    first = read(of, early, Decimal(1), at=quiet, **told)
    assert read(of, first, Decimal(1), at=late - 1, **told).state is State.AMBIGUOUS
    assert read(of, first, Decimal(2), at=late, **told).state is State.AMBIGUOUS
    near = read(of, current, Decimal(1), at=late, **told)
    too_near = read(of, near, Decimal(1), at=late + LIMITS.absence_gap - 1, **told)
    assert too_near.state is State.AMBIGUOUS
    assert read(of, first, Decimal(1), at=late, **told).state is State.REJECTED


def test_a_rejected_difference_leaves_the_exact_total_and_not_the_floats_noise():
    of = slot("0.5", "0.3", route=DELTA)
    current = sent(of, Outcome.UNKNOWN, route=DELTA)
    noisy, quiet = Decimal("0.30000000000000004"), landed_by(current, LIMITS)
    told = {"route": DELTA, "limits": LIMITS}
    first = read(of, current, noisy, at=quiet, **told)
    gone = read(of, first, noisy, at=quiet + LIMITS.summary_lag, **told)

    assert gone.state is State.REJECTED
    assert confirmed_after(gone, of) == Decimal("0.3")


def test_a_foreign_total_is_no_verdict_about_a_difference():
    of = slot(4, 1, route=DELTA)
    current = sent(of, Outcome.UNKNOWN, route=DELTA)
    at = landed_by(current, LIMITS)
    for _ in range(5):
        current = read(of, current, Decimal(7), at=at, route=DELTA, limits=LIMITS)
        at += 48 * HOUR

    assert current.state is State.AMBIGUOUS


# ── One reading of several slots ────────────────────────────────────────────────────────────────


def shared(total, *members, at=NOW):
    route = replace(DELTA, name="delta")
    return shares(members, Reading("g", Decimal(total), at), route, LIMITS)


def member(second, total, confirmed, *, is_open=True, earlier=()):
    of = slot(total, confirmed, route=DELTA, at=TEN + second * SECOND, earlier=earlier)
    return of, sent(of, Outcome.UNKNOWN, route=DELTA) if is_open else None


def test_one_open_slot_holds_what_the_settled_ones_leave():
    first, second = member(1, 3, 3, is_open=False), member(2, 4, 1)

    assert shared(8, first, second) == {second[0].key: 5}
    assert shared("5.551115123125783e-17", member(1, 12345678, 12345678, is_open=False), second)


def test_several_open_slots_tell_only_when_all_or_none_have_landed():
    first, second = member(1, 3, 1), member(2, 4, 2)

    assert shared(7, first, second) == {first[0].key: 3, second[0].key: 4}
    assert shared(3, first, second) == {first[0].key: 1, second[0].key: 2}
    assert shared(5, first, second) == {}


def test_a_rise_and_a_fall_that_cancel_out_are_not_taken_for_absent():
    rising, falling = member(1, 4, 0), member(2, 0, 4, earlier=(4,))

    assert shared(4, rising, falling) == {}


def test_a_sum_that_an_older_mixture_may_have_tells_nothing():
    fell, rose = member(1, 2, 5, earlier=(5,)), member(2, 4, 1)

    assert shared(6, fell, rose) == {}


def test_a_settled_slot_of_unknown_total_makes_the_group_silent():
    of = replace(slot(4, None, route=DELTA), unsettled=None)

    assert shared(9, (of, None), member(2, 4, 1)) == {}
