"""What an answer means for the events that were sent."""

import json

import pytest

from tallystick.client import Answer, Limits
from tallystick.client.answers import Delivered, Later, Patience, Refused, backoff, judge
from tests.client.service import problem

LIMITS = Limits()


def judged(answer: Answer, count: int = 3, now: float = 0):
    return judge(answer, count, now=now, limits=LIMITS)


def plain(status: int, body: bytes = b"", **headers: str) -> Answer:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status=status, headers=names, body=body)


def test_only_counts_that_add_up_are_a_delivery():
    counts = "recorded=1, duplicate=1, late=0, conflict=0, dead_letter=1"

    assert judged(plain(204, tallystick_counts=counts)) == Delivered(
        {"recorded": 1, "duplicate": 1, "late": 0, "conflict": 0, "dead_letter": 1}
    )
    for answer in (
        plain(204),
        plain(200, b"<html>Please log in</html>"),
        plain(204, tallystick_counts="recorded=2"),
        plain(204, tallystick_counts="many"),
    ):
        verdict = judged(answer)
        assert isinstance(verdict, Later)
        assert verdict.patience is Patience.DENIED


@pytest.mark.parametrize("status", [500, 502, 504, 408, 425, 429, 503])
def test_what_may_pass_is_tried_again_later(status):
    verdict = judged(plain(status))

    assert isinstance(verdict, Later)
    assert verdict.patience is Patience.BACKOFF


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301, 400, 415])
def test_what_a_person_has_to_mend_is_tried_again_slowly_and_never_thrown_away(status):
    verdict = judged(plain(status, b"<html>not ours</html>"))

    assert isinstance(verdict, Later)
    assert verdict.patience is Patience.DENIED


@pytest.mark.parametrize(
    ("answer", "blamed"),
    [
        (problem(400, "unreadable"), set()),
        (problem(400, "idempotency-key-required", 2), {2}),
        (problem(415, "unsupported-content"), set()),
        (problem(422, "not-countable", 0, 1), {0, 1}),
        (problem(413, "too-large"), set()),
        (plain(413, b"<html>nginx</html>"), set()),
        (problem(404, "not-found", 1), {1}),
        (problem(422, "not-countable", 99), set()),
    ],
)
def test_what_can_never_succeed_is_refused_and_its_events_are_named(answer, blamed):
    verdict = judged(answer)

    assert isinstance(verdict, Refused)
    assert verdict.blamed == blamed


def test_a_request_that_was_cut_off_or_too_slow_is_no_refusal():
    for answer in (problem(400, "cut-off"), problem(408, "too-slow")):
        assert judged(answer) == Later(
            f"HTTP {answer.status} {json.loads(answer.body)['type'][23:]}: because"
        )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "999999"}, 3_600),
        ({"retry_after": "Sat, 31 Jan 2026 10:30:30 GMT"}, 30),
        (
            {
                "retry_after": "Sat, 31 Jan 2026 10:30:30 GMT",
                "date": "Sat, 31 Jan 2026 10:30:20 GMT",
            },
            10,
        ),
        ({"retry_after": "Sat, 31 Jan 1970 10:30:30 GMT"}, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_service_says_when_to_come_back(status, headers, seconds):
    verdict = judged(plain(status, **headers), now=1_769_855_400)

    assert isinstance(verdict, Later)
    assert (verdict.patience, verdict.seconds) == (Patience.TOLD, seconds)


@pytest.mark.parametrize("text", ["soon", "", "-1", "1e3", "9" * 40])
def test_a_retry_after_that_says_nothing_leaves_the_wait_to_us(text):
    verdict = judged(plain(503, retry_after=text))

    assert isinstance(verdict, Later)
    assert verdict.patience is Patience.BACKOFF


def test_the_wait_is_drawn_from_the_whole_of_a_span_that_doubles_up_to_a_minute():
    most = [backoff(failures, b"\xff" * 4, LIMITS) for failures in (1, 2, 3, 7, 8, 9, 10_000)]

    assert [round(seconds, 3) for seconds in most] == [0.5, 1, 2, 32, 60, 60, 60]
    assert backoff(5, bytes(4), LIMITS) == 0
    assert backoff(1, b"\x80\0\0\0", LIMITS) == 0.25
