"""How often one key may ask: no more than the setting says, whatever the others do."""

from collections.abc import Callable

import pytest

from tallystick.config import Settings, read_settings
from tallystick.domain.api_key import Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, SECOND
from tallystick.entrypoints.http import pacing
from tallystick.entrypoints.http.pacing import Pace
from tallystick.entrypoints.http.problems import Problem
from tests.http.conftest import NOW, Api
from tests.http.test_bad_input import problem
from tests.http.test_management import called


def took(pace: Pace, now: int, key: str = "a", tries: int = 50) -> int:
    """How many of so many requests at one instant were let through."""
    return sum(is_let(pace, now, key) for _ in range(tries))


def is_let(pace: Pace, now: int, key: str) -> bool:
    try:
        pace.check(key, now)
    except Problem:
        return False
    return True


def test_a_key_takes_a_seconds_worth_at_once_and_then_its_rate():
    pace = Pace(10)

    assert took(pace, NOW) == 10
    assert [took(pace, NOW + n * SECOND // 10) for n in (1, 2, 3, 8)] == [1, 1, 1, 5]
    assert took(pace, NOW + HOUR) == 10


def test_each_key_has_a_rate_of_its_own():
    pace = Pace(10)
    took(pace, NOW)

    assert took(pace, NOW, "b") == 10


def test_without_a_rate_there_is_no_limit():
    assert took(Pace(0), NOW, tries=5_000) == 5_000


def test_a_clock_that_was_set_back_locks_nobody_out():
    pace = Pace(10)
    took(pace, NOW)

    assert took(pace, NOW - HOUR) == 10


def test_what_is_kept_of_keys_is_bounded(monkeypatch):
    monkeypatch.setattr(pacing, "KEYS_MAX", 100)
    pace = Pace(10)

    for number in range(1_000):
        pace.check(f"k{number}", NOW + number)
        assert len(pace._used_up) <= 100


def test_who_asks_too_often_is_told_when_to_come_back(make_api: Callable[..., Api]):
    api = make_api(Settings(key_rate=2))
    key, other = api.key(Scope.READ), api.key(Scope.READ)
    path = "/api/v1/tenants"

    codes = [called(api, "GET", path, key=key).status_code for _ in range(3)]
    refused = called(api, "GET", path, key=key)

    assert codes == [200, 200, 429]
    assert problem(refused) == (429, "too-often")
    assert refused.headers["retry-after"] == "1"
    assert called(api, "GET", path, key=other).status_code == 200
    api.clock.sleep(SECOND)
    assert called(api, "GET", path, key=key).status_code == 200


@pytest.mark.parametrize(("text", "rate"), [("", 0), ("0", 0), (" 100 ", 100), ("100000", 100_000)])
def test_the_rate_is_a_setting(text: str, rate: int):
    assert read_settings({"TALLYSTICK_KEY_RATE": text}).key_rate == rate


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "100001", "²"])
def test_a_rate_that_cannot_be_meant_is_refused(text: str):
    with pytest.raises(InvalidSetting, match="TALLYSTICK_KEY_RATE"):
        read_settings({"TALLYSTICK_KEY_RATE": text})
