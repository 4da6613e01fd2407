"""The hourly loop: when it runs, what it does after a failure, and that two may run at once."""

import pytest

from tallystick.clock import FixedClock
from tallystick.domain.errors import InvariantViolated, StoreLost, StoreUnavailable
from tallystick.domain.instant import HOUR, MINUTE, parse_instant
from tallystick.entrypoints.worker import HourlyLoop, Passed, next_pass

GRACE = 5 * MINUTE


def at(clock: str) -> int:
    return parse_instant(f"2026-01-31T{clock}:00Z")


@pytest.mark.parametrize(
    ("after", "again", "following"),
    [
        ("12:00", False, "12:05"),
        ("12:05", False, "12:50"),
        ("12:49", False, "12:50"),
        ("12:50", False, "12:55"),
        ("12:55", False, "12:58"),
        ("12:58", False, "13:05"),
        ("12:05", True, "12:10"),
        ("12:57", True, "12:58"),
        ("12:04", True, "12:05"),
        ("23:10", False, "23:50"),
    ],
)
def test_a_pass_follows_each_hour_the_grace_and_the_early_slices(after, again, following):
    assert next_pass(at(after), GRACE, again=again) == at(following)


def test_a_grace_of_nothing_and_the_longest_grace_have_their_pass_each_hour():
    assert next_pass(at("12:59"), 0, again=False) == at("13:00")
    assert next_pass(at("12:05"), 30 * MINUTE, again=False) == at("12:30")


AGAIN = Passed(counts={"entries": 2}, again=True)
DONE = Passed(counts={"entries": 1, "held": 0})


class Passes:
    """Stands in for a pass: takes six minutes, and ends the loop with the last outcome."""

    def __init__(self, *outcomes: Passed | BaseException, back: int = 0) -> None:
        self.clock = FixedClock(at("12:20"))
        self.outcomes = list(outcomes)
        self.back = back
        self.begun: list[int] = []
        self.lost: list[StoreLost] = []
        self.loop = HourlyLoop(self.one_pass, self.clock, grace=GRACE, on_lost=self.lost.append)

    def one_pass(self) -> Passed:
        self.begun.append(self.clock.at)
        self.clock.at += 6 * MINUTE - self.back
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.loop._stopping.set()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def run(self) -> HourlyLoop:
        self.loop.start()
        self.loop._thread.join(60)
        assert not self.outcomes
        return self.loop


def test_the_first_pass_is_at_once_and_what_is_due_is_tried_again():
    passes = Passes(AGAIN, AGAIN, DONE)

    passes.run()

    assert passes.begun == [at("12:20"), at("12:26"), at("12:32")]


def test_a_pass_that_fails_is_tried_again_and_shows_until_one_succeeds(caplog):
    failing = Passes(StoreUnavailable("gone: a secret"))
    mended = Passes(StoreUnavailable("gone"), ValueError("a bug"), DONE)

    assert failing.run().trouble() == "the last pass failed"
    assert "gone: a secret" in caplog.records[-1].fields["error"]
    assert mended.run().trouble() == ""


def test_a_broken_promise_ends_the_loop():
    passes = Passes(InvariantViolated("the books"), DONE)
    passes.loop.start()
    passes.loop._thread.join(60)

    assert "no further pass" in passes.loop.trouble()
    assert len(passes.begun) == 1


def test_a_lost_store_ends_the_loop_and_is_told():
    lost = StoreLost("in the middle of a commit")
    passes = Passes(lost, DONE)
    passes.loop.start()
    passes.loop._thread.join(60)

    assert passes.lost == [lost]
    assert len(passes.begun) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_has_ended_by_itself_is_no_loop():
    passes = Passes(SystemExit(), DONE)
    passes.loop.start()
    passes.loop._thread.join(60)

    assert passes.loop.trouble() == "it has ended; start this server again"


def test_what_the_passes_did_adds_up(caplog):
    caplog.set_level("INFO", logger="tallystick")
    passes = Passes(AGAIN, StoreUnavailable("gone"), DONE).run().passes()

    assert (passes.done, passes.failed) == (2, 1)
    assert passes.counts == {"entries": 3}
    assert (passes.took, passes.last_took) == (18 * MINUTE, 6 * MINUTE)
    assert passes.last_done_at == at("12:38")
    told = [record.fields for record in caplog.records if record.getMessage() == "pass"]
    assert told == [
        {"seconds": 360.0, "entries": 2},
        {"seconds": 360.0, "entries": 1},
    ]


def test_a_clock_that_was_set_back_does_not_stop_the_passes():
    passes = Passes(DONE, DONE, DONE, back=30 * HOUR)

    passes.run()

    assert len(passes.begun) == 3
