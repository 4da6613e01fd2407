from datetime import UTC, datetime

import pytest

from tallystick.sandbox.periods import boundary, period_at


def second(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_a_31st_comes_back_after_the_shorter_months() -> None:
    anchor = second("2027-01-31T10:20:30")

    months = [datetime.fromtimestamp(boundary(anchor, "month", 1, n), UTC) for n in range(4)]

    assert [(m.month, m.day) for m in months] == [(1, 31), (2, 28), (3, 31), (4, 30)]
    assert {(m.hour, m.minute, m.second) for m in months} == {(10, 20, 30)}


@pytest.mark.parametrize("interval", ["day", "week", "month", "year"])
@pytest.mark.parametrize("count", [1, 3])
def test_every_second_lies_in_exactly_one_period(interval: str, count: int) -> None:
    anchor = second("2024-02-29T23:59:59")

    for years in (-7, -1, 0, 1, 9):
        at = anchor + years * 31_556_952
        for moment in (at - 1, at, at + 1):
            start, end = period_at(anchor, interval, count, moment)
            assert start <= moment < end
            assert period_at(anchor, interval, count, start) == (start, end)
            assert period_at(anchor, interval, count, end)[0] == end
            assert period_at(anchor, interval, count, start - 1)[1] == start
