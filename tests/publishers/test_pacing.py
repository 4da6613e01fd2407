"""Rate and turns, on a clock that moves only while somebody sleeps."""

import threading

import pytest

from tallystick.clock import FixedClock
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, MINUTE, SECOND
from tallystick.publishers.stripe.pacing import Pace, Rates, Turns

FAR = 10**18


@pytest.mark.parametrize("per_second", [1, 2, 25, 100, 1_000])
def test_in_no_second_more_calls_start_than_the_rate_allows(per_second: int):
    clock = FixedClock(0)
    pace = Pace(per_second, clock)
    starts = []
    for _ in range(3 * per_second + 5):
        assert pace.wait(FAR)
        starts.append(clock.now())

    most = max(sum(1 for s in starts if at <= s < at + SECOND) for at in starts)
    assert most <= per_second
    assert starts[-1] <= 4 * SECOND * max(1, 10 // per_second)


def test_a_pause_is_saved_up_only_a_little():
    clock = FixedClock(0)
    pace = Pace(100, clock)
    pace.wait(FAR)
    clock.sleep(HOUR)
    before = clock.now()
    for _ in range(5):
        pace.wait(FAR)

    assert clock.now() == before
    pace.wait(FAR)
    assert clock.now() > before


def test_a_turn_after_the_deadline_is_not_waited_for():
    clock = FixedClock(0)
    pace = Pace(1, clock)
    assert pace.wait(SECOND)

    assert not pace.wait(SECOND // 2)
    assert clock.now() == 0
    assert pace.wait(2 * SECOND)


def test_a_past_deadline_takes_nobodys_turn():
    clock = FixedClock(10 * SECOND)
    pace = Pace(1, clock)

    assert not pace.wait(9 * SECOND)
    assert pace.wait(11 * SECOND)
    assert clock.now() == 10 * SECOND


def test_being_told_to_slow_down_holds_everybody_back():
    clock = FixedClock(0)
    pace = Pace(1_000, clock)
    pace.hold_back(5 * SECOND)

    assert pace.wait(FAR)
    assert clock.now() == 5 * SECOND


def test_nobody_is_held_back_for_longer_than_a_minute():
    clock = FixedClock(0)
    pace = Pace(1_000, clock)
    pace.hold_back(HOUR)

    assert pace.wait(FAR)
    assert clock.now() == MINUTE


def test_a_clock_that_was_set_back_stops_nothing():
    clock = FixedClock(5 * HOUR)
    pace = Pace(10, clock)
    pace.wait(FAR)
    clock.at = HOUR

    assert pace.wait(FAR)
    assert clock.now() < HOUR + SECOND


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(InvalidSetting, match="at least one"):
        Rates(reads=0)


def test_turns_of_one_key_follow_each_other_and_others_do_not_wait():
    turns = Turns()
    inside: list[str] = []
    most: list[int] = []
    other_went = threading.Event()

    def one(key: str) -> None:
        with turns.of(key):
            inside.append(key)
            most.append(inside.count(key))
            other_went.wait(60)
            inside.remove(key)

    def other() -> None:
        with turns.of("b"):
            other_went.set()

    threads = [threading.Thread(target=one, args=("a",)) for _ in range(8)]
    threads.append(threading.Thread(target=other))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)

    assert other_went.is_set()
    assert most == [1] * 8


def test_a_turn_is_given_back_when_its_call_fails():
    turns = Turns()
    with pytest.raises(RuntimeError), turns.of("a"):
        raise RuntimeError
    with turns.of("a"):
        pass
    assert not turns._taken
