"""An event that came alone is put into columns where it is plain, and only there."""

import json

import pytest

from tallystick.domain.event import KEY_LENGTH_MAX
from tallystick.domain.quantity import WHOLE_DIGITS_MAX
from tallystick.stages.decoding import REPORT_BYTES_MAX
from tallystick.stages.tabulating import tabulated_alone
from tests.stores.test_sheets import sent


def is_plain(body: bytes) -> bool:
    return tabulated_alone(body, pytest.fail) is not None


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(
    "data",
    [
        {"quantity": 5},
        {"quantity": 5, "region": "eu"},
        {"region": "eu", "quantity": "0.25"},
        {"region": "eu", "quantity": 10**WHOLE_DIGITS_MAX - 1, "plan": "pro"},
    ],
)
def test_a_plain_event_is_read_into_columns(data, separators):
    assert is_plain(json.dumps(sent(1, data=data), separators=separators).encode())


@pytest.mark.parametrize(
    "odd_one",
    [
        {"data": {"quantity": -1}},
        {"data": {"quantity": 10**WHOLE_DIGITS_MAX}},
        {"data": {"region": "eu"}},
        {"data": [5]},
        {"traceparent": "00"},
        {"id": ""},
        {"id": "x" * KEY_LENGTH_MAX},
        {"id": "a\u0000"},
        {"source": ""},
        {"source": "a\u0000"},
        {"time": "0002-01-01T00:00:00Z"},
        {"time": "yesterday"},
        {"dataschema": "x" * REPORT_BYTES_MAX},
    ],
)
def test_any_other_event_is_not(odd_one):
    assert not is_plain(json.dumps(sent(1, **odd_one)).encode())
