"""JSON text becomes exact values, and what is none is refused quickly."""

from decimal import Decimal

import pytest

from tallystick.stages.decoding import REPORT_BYTES_MAX, UnreadableReport, decode, encode


def code_of(raw: bytes | str) -> str:
    with pytest.raises(UnreadableReport) as caught:
        decode(raw)
    (error,) = caught.value.errors
    return error.code


def test_numbers_stay_exact():
    assert decode(b'{"a": 0.1, "b": 12345678901234567890123, "c": 1e3}') == {
        "a": Decimal("0.1"),
        "b": 12345678901234567890123,
        "c": Decimal(1000),
    }


def test_the_last_of_a_repeated_field_counts():
    assert decode('{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"{} {}", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": Infinity}', "invalid_json"),
        (b'{"a": "\\ud800"}', "invalid_json"),
        (b'{"a": "\xff"}', "invalid_utf8"),
        ("\ud800", "invalid_utf8"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"1e99999999999999999999", "invalid_number"),
        (b"9" * 100_000, "invalid_json"),
        (b" " * (REPORT_BYTES_MAX + 1), "too_large"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_cannot_be_read_is_refused(raw, code):
    assert code_of(raw) == code


def test_an_exponent_bomb_costs_nothing_until_it_is_refused_as_a_quantity():
    assert decode(b"1e999999999") == Decimal("1e999999999")


@pytest.mark.parametrize(
    "value", [{"a": Decimal("0.10"), "b": [1, None, "ü"]}, {"half": "a\ud800"}]
)
def test_what_is_kept_of_a_parsed_report_can_be_read_as_text(value):
    assert encode(value).encode()


def test_what_is_kept_reads_back_equal():
    value = {"a": Decimal("0.10"), "b": [1, None, "ü"]}

    assert decode(encode(value)) == value
