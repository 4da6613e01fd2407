"""What the provider refused is tried again: later and later, and at once where a person asks."""

from itertools import pairwise

from tallystick.domain.instant import HOUR
from tallystick.domain.publication import Answer, Outcome, State
from tallystick.testing.factories import ABSOLUTE, LIMITS
from tests.unit.stages.test_publishing import desk, each_route

REFUSED = (False, Answer(Outcome.REFUSED, "archived_meter"))


def test_a_refused_slot_is_tried_again_under_a_new_identifier_and_not_in_this_pass():
    told = desk(ABSOLUTE, REFUSED, REFUSED)

    told.run()
    assert len(told.far.sent) == 1
    told.clock.sleep(LIMITS.refused_wait)
    told.run()

    assert len({publication.identifier for _, publication in told.far.sent}) == 2


@each_route
def test_a_lasting_refusal_is_tried_ever_more_rarely(route):
    told = desk(route, *[REFUSED] * 1_000)

    for _ in range(8 * 24 * 4):
        told.run()
        told.clock.sleep(LIMITS.refused_wait)

    times = [at for at, _ in told.far.sent]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits[:7] == [LIMITS.refused_wait << n for n in range(7)]
    assert set(waits[7:]) == {24 * HOUR}


def test_shortly_before_its_slot_closes_a_refusal_is_tried_often():
    told = desk(ABSOLUTE, *[REFUSED] * 1_000)
    closes_at = told.store.outbox.slots().elements[0].slot.place.closes_at
    told.run()
    told.clock.at = closes_at - 24 * HOUR
    for _ in range(24 * 4):
        told.run()
        told.clock.sleep(LIMITS.refused_wait)

    last_hour = [at for at, _ in told.far.sent if at >= closes_at - HOUR]
    assert len(last_hour) == 4


def test_what_was_mended_goes_out_with_the_next_try_and_by_hand_at_once():
    told = desk(ABSOLUTE, REFUSED)
    told.run()

    told.run()
    assert len(told.far.sent) == 1
    told.publishing.run(patient=False)

    assert [publication.state for publication in told.publications] == [
        State.REJECTED,
        State.ACCEPTED,
    ]


def test_new_usage_in_a_refused_slot_is_told_at_once():
    told = desk(ABSOLUTE, REFUSED)
    told.run()

    told.grow("e2", 2)
    told.run()

    assert told.far.held[told.publications[0].slot] == told.publications[1].value
