"""JSON text becomes exact values, and what is none is refused quickly."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.stages.decoding import (
    REPORT_BYTES_MAX,
    UnreadableReport,
    decode,
    decode_objects,
    encode,
)

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})\.[0-9]{1,20}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8).map(json.dumps)
JSON_TEXTS = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: f"[{','.join(found)}]"),
        st.lists(st.tuples(TEXTS, inner), max_size=3).map(
            lambda found: "{" + ", ".join(f"{k}:{v}" for k, v in found) + "}"
        ),
    ),
    max_leaves=8,
)
OBJECTS = st.lists(st.tuples(TEXTS, JSON_TEXTS), max_size=5).map(
    lambda found: "{" + ",".join(f"{k}: {v}" for k, v in found) + "}"
)
"""Texts of objects, a repeated field and an exact number of any length among them."""


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


@given(st.lists(OBJECTS, max_size=4))
def test_objects_read_at_once_are_what_each_is_by_itself(texts):
    found = decode_objects(f"[{','.join(texts)}]".encode())

    assert repr(found) == repr([decode(text) for text in texts])


@pytest.mark.parametrize(
    "other",
    [
        b"5",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": 1e99999999999999999999}',
        b'{"a":' * 100_000,
        b'{"a": "' + b"x" * REPORT_BYTES_MAX + b'"}',
    ],
    ids=lambda value: repr(value)[:24],
)
def test_objects_are_not_read_at_once_where_one_is_none_or_cannot_be_read(other):
    assert decode_objects(b'[{"a": 1},' + other + b"]") is None
