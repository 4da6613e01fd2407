"""What identifies an event: canonical text, fingerprint and key."""

import json
from dataclasses import FrozenInstanceError, fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.event import (
    Event,
    canonical_json,
    fingerprint_of,
    fingerprint_of_report,
    key_of,
    new_event,
)
from tallystick.domain.mint import mint
from tallystick.domain.quantity import format_quantity
from tallystick.domain.window import Window
from tallystick.testing.factories import event

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**70), 10**70),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
REPORTED = st.fixed_dictionaries(
    {"code": st.text(max_size=9)},
    optional={
        "quantity": st.decimals(min_value=-(10**14), max_value=10**14, places=6),
        "occurred_at": st.integers(-(10**17), 10**18),
        "properties": st.dictionaries(st.text(max_size=5), SCALARS, min_size=1, max_size=3),
        "voids": st.text(max_size=9),
    },
)
"""What a report may send, by the names in its fingerprint."""

PARTS = st.lists(st.text("ab1:2", max_size=6), min_size=1, max_size=4)


@given(VALUES)
def test_the_canonical_text_is_json_of_an_equal_value_and_its_own_canonical_text(value):
    text = canonical_json(value)
    again = json.loads(text, parse_float=Decimal)

    assert canonical_json(again) == text
    assert again == value


@given(st.dictionaries(st.text(max_size=5), SCALARS, max_size=6))
def test_the_order_of_keys_makes_no_difference(value):
    turned = dict(reversed(value.items()))

    assert canonical_json(turned) == canonical_json(value)
    assert fingerprint_of(turned) == fingerprint_of(value)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_equal_numbers_have_one_text_however_they_are_written(number, zeros):
    sign, digits, exponent = number.as_tuple()
    longer = Decimal((sign, digits + (0,) * zeros, exponent - zeros))

    assert canonical_json(longer) == canonical_json(number)
    if exponent < 100 and number == number.to_integral_value():
        assert canonical_json(int(number)) == canonical_json(number)
        assert canonical_json({"n": int(number)}) == canonical_json({"n": number})


@pytest.mark.parametrize("same", [5, Decimal(5), Decimal("5.0"), Decimal("5e0"), Decimal("50E-1")])
def test_five_is_five(same):
    assert canonical_json(same) == "5"


@pytest.mark.parametrize("zero", [0, Decimal("-0"), Decimal("0.00"), Decimal("0E+500")])
def test_zero_has_one_text(zero):
    assert canonical_json(zero) == "0"


def test_values_of_different_kinds_differ():
    texts = {canonical_json(v) for v in (5, "5", True, "true", None, "null", [], {}, [5], {"5": 5})}

    assert len(texts) == 10
    assert canonical_json({"a": None}) != canonical_json({})


def test_an_exponent_bomb_stays_short():
    assert canonical_json({"n": Decimal("1E+999999")}) == '{"n":1E999999}'
    assert canonical_json(10**100) == canonical_json(Decimal("1E+100")) == "1E100"


def test_every_digit_counts():
    near = Decimal("12345678901234567890123456789012345678901234567890.1")

    assert canonical_json(near) != canonical_json(near + Decimal("1E-1"))
    assert canonical_json(near).endswith("7890.1")


@pytest.mark.parametrize("value", [0.5, Decimal("NaN"), Decimal("Infinity"), b"x", {"a": {1.5}}])
def test_what_json_does_not_have_exactly_is_refused(value):
    with pytest.raises(TypeError, match="canonical form"):
        canonical_json(value)


def test_fingerprints_are_the_same_in_every_release():
    sent = {"b": [1, Decimal("2.50")], "a": "ü", "c": None}

    assert canonical_json(sent) == '{"a":"ü","b":[1,2.5],"c":null}'
    assert fingerprint_of(sent) == "db11febf2faabce8207825a79b0b7acf"


def test_a_lone_surrogate_has_a_fingerprint_too():
    assert len(fingerprint_of({"a": "\ud800"})) == 32


@given(PARTS, PARTS)
def test_two_lists_of_parts_never_have_one_key(left, right):
    assert (key_of(*left) == key_of(*right)) is (left == right)


def test_a_single_part_is_its_own_key_unless_it_looks_like_a_list():
    assert key_of("order-17") == "order-17"
    assert key_of("12:34") == "12:34"
    assert key_of("a", "bc") == "1:a2:bc"
    assert key_of("1:a2:bc") == "7:1:a2:bc"


def test_attributes_keep_numbers_exact():
    attributes = event(properties={"n": Decimal("0.1"), "deep": {"a": [1]}}).attributes()

    assert attributes == {"n": Decimal("0.1"), "deep": {"a": [1]}}
    assert isinstance(attributes["n"], Decimal)


@given(REPORTED)
def test_the_fingerprint_of_a_report_is_that_of_what_it_sent(sent):
    found = dict.fromkeys(("quantity", "occurred_at", "voids")) | sent
    found["properties"] = canonical_json(sent.get("properties", {}))
    recipe = {name: found[name] for name in sent}
    if "quantity" in recipe:
        recipe["quantity"] = format_quantity(recipe["quantity"])

    assert fingerprint_of_report(**found) == fingerprint_of(recipe)


def test_a_minted_event_is_as_good_as_any():
    usual = event(properties={"region": "eu"})

    minted = new_event(*(getattr(usual, each.name) for each in fields(Event)))

    assert (minted, hash(minted), repr(minted)) == (usual, hash(usual), repr(usual))
    assert type(minted) is Event
    with pytest.raises(FrozenInstanceError):
        minted.key = "another"
    with pytest.raises(TypeError):
        new_event("acme", "a key", "and nothing else")


def test_what_looks_at_its_fields_when_it_is_made_is_not_minted():
    with pytest.raises(TypeError, match="Window looks at its fields"):
        mint(Window)
