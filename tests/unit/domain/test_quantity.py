"""Quantities are exact: what is read is kept, what is added is right, what would round raises."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.quantity import (
    _ORDINARY,
    QuantityError,
    TotalOverflow,
    _checked,
    add,
    equal_as_read,
    format_quantity,
    format_smallest,
    from_smallest,
    in_smallest,
    negated,
    parse_quantity,
    plain,
    quotient,
    read_number,
    rounded_whole,
    significant_digits,
    subtract,
)

QUANTITIES = st.builds(
    lambda units, places: Decimal((int(units < 0), Decimal(abs(units)).as_tuple().digits, -places)),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(0, 12),
)
TOTALS = st.integers(-(10**37), 10**37).map(
    lambda units: Decimal((int(units < 0), Decimal(abs(units)).as_tuple().digits, -12))
)


@given(QUANTITIES)
def test_a_quantity_reads_back_equal_from_its_text(quantity):
    text = format_quantity(quantity)

    assert parse_quantity(text) == quantity
    assert "E" not in text
    assert format_quantity(parse_quantity(text)) == text


def form(number: Decimal) -> tuple[object, str]:
    return number.as_tuple(), format(number, "f")


@given(st.from_regex(_ORDINARY, fullmatch=True))
def test_what_is_taken_for_ordinary_is_what_a_closer_look_makes_of_it(text):
    looked_at = _checked(Decimal(text))

    assert form(parse_quantity(text)) == form(parse_quantity(Decimal(text))) == form(looked_at)
    assert format_quantity(Decimal(text)) == format(looked_at, "f")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14), max_value=10**14))
def test_the_same_number_has_one_text_whatever_form_it_comes_in(number):
    assert format_quantity(number) == format_quantity(plain(number)) == format(plain(number), "f")


@given(TOTALS, TOTALS)
def test_sums_and_differences_are_exact_whatever_the_surrounding_precision(left, right):
    with localcontext() as context:
        context.prec = 3
        total, rest = add(left, right), subtract(left, right)

    assert Fraction(total) == Fraction(left) + Fraction(right)
    assert Fraction(rest) == Fraction(left) - Fraction(right)


@given(TOTALS)
def test_the_opposite_keeps_all_38_digits(total):
    with localcontext() as context:
        context.prec = 3
        assert Fraction(negated(total)) == -Fraction(total)


@given(TOTALS, st.integers(1, 10**9))
def test_a_quotient_is_the_nearest_of_12_places_and_half_to_even(total, count):
    exact = Fraction(total) / count

    assert Fraction(quotient(total, count)) == Fraction(round(exact * 10**12), 10**12)


def test_a_quotient_is_rounded_once_and_not_twice():
    # 6/11 of the last place: cut to 38 digits first it would be a tie, and go down to even.
    total = Decimal("11000000000000000000000000.000000000006")

    assert quotient(total, 11) == Decimal("1000000000000000000000000.000000000001")
    assert quotient(Decimal("1.000000000001"), 2) == Decimal("0.5")
    assert quotient(Decimal("1.000000000003"), 2) == Decimal("0.500000000002")


def test_the_average_of_nothing_is_zero():
    assert quotient(Decimal(0), 0) == 0


def test_an_average_of_a_total_of_38_whole_digits_is_no_error():
    assert quotient(Decimal(10) ** 37, 2) == Decimal(5) * Decimal(10) ** 36


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("12.5", "12.5"),
        ("+7", "7"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("0E-500", "0"),
        ("1e3", "1000"),
        ("1.500", "1.5"),
        ("1" + "." + "0" * 40, "1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e-12", "0.000000000001"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
        (10**15 - 1, "999999999999999"),
        (Decimal("1E+14"), "100000000000000"),
        (Decimal("-0.0"), "0"),
    ],
)
def test_a_number_has_one_plain_form(raw, expected):
    assert format(parse_quantity(raw), "f") == expected


@pytest.mark.parametrize(
    "raw",
    [
        "1e15",
        10**15,
        -(10**15),
        "1e-13",
        "0.0000000000001",
        "1e9999",
        "1e99999",
        "NaN",
        "inf",
        "-Infinity",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        "",
        " 1",
        "1 ",
        "1\n",
        "1,5",
        "1_000",
        "0x10",
        "٣",
        "1" * 65,
        True,
        None,
        0.5,
        [],
    ],
)
def test_what_cannot_be_counted_exactly_is_refused(raw):
    with pytest.raises(QuantityError):
        parse_quantity(raw)


def test_a_total_of_more_than_38_digits_overflows_instead_of_rounding():
    highest = Decimal("9" * 38)

    assert add(highest, Decimal(0)) == highest
    with pytest.raises(TotalOverflow):
        add(highest, Decimal(1))
    with pytest.raises(TotalOverflow):
        subtract(Decimal("9" * 26), Decimal("0.0000000000001"))


@pytest.mark.parametrize(
    ("number", "whole"),
    [("0.5", 1), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("2.49", 2), ("-2.5", -3)],
)
def test_whole_numbers_are_rounded_half_up(number, whole):
    assert str(rounded_whole(Decimal(number))) == str(whole)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["0", "0.5", "0.51"]))
def test_taking_whole_numbers_away_never_changes_how_the_rest_is_rounded(left, taken, fraction):
    rest = Decimal(left) + Decimal(fraction)

    assert rounded_whole(rest + taken) - taken == rounded_whole(rest)


@given(TOTALS, TOTALS)
def test_rounding_to_whole_numbers_never_turns_an_order_round(left, right):
    smaller, greater = sorted((left, right))

    assert rounded_whole(smaller) <= rounded_whole(greater)


@pytest.mark.parametrize(
    ("number", "digits"), [("0", 1), ("1.50", 2), ("1E+3", 4), ("0.001", 1), ("-123.45", 5)]
)
def test_digits_are_counted_as_a_provider_must_keep_them(number, digits):
    assert significant_digits(Decimal(number)) == digits


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("0.3", "0.30000000000000004"),
        ("123456.789", "123456.78900000001"),
        ("1000000000000", "999999999999.999"),
        ("99999999999999.9", "99999999999999.91"),
        ("0", "5.551115123125783e-17"),
        ("-0.1", "-0.10000000000000003"),
        ("5", "5.0"),
        ("0", "-0.0"),
    ],
)
def test_a_total_read_as_a_float_is_still_ours(ours, theirs):
    assert equal_as_read(Decimal(ours), Decimal(theirs))
    assert equal_as_read(Decimal(theirs), Decimal(ours))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("0", "0.000000000001"), ("1", "1.0000000001"), ("100", "101"), ("5", "-5"), ("1", "1e300")],
)
def test_another_total_is_not_taken_for_ours(ours, theirs):
    assert not equal_as_read(Decimal(ours), Decimal(theirs))
    assert not equal_as_read(Decimal(theirs), Decimal(ours))


@given(st.floats(-1e12, 1e12, allow_nan=False).map(lambda f: round(f, 3)))
def test_what_survives_a_float_with_15_digits_is_equal_as_read(value):
    ours = plain(Decimal(repr(value)))

    assert equal_as_read(ours, Decimal(repr(float(ours))))


def test_numbers_are_read_for_comparison_at_any_length_and_size():
    assert read_number("0.1234567890123456") == Decimal("0.1234567890123456")
    assert read_number(10**40) == 10**40
    assert read_number("1e400") == Decimal("1e400")
    assert [read_number(raw) for raw in (True, None, "x", Decimal("NaN"), [])] == [None] * 5


@given(TOTALS)
def test_a_total_is_so_many_of_the_smallest_and_back(total):
    count = in_smallest(total)

    assert from_smallest(count) == total
    assert format_smallest(count) == format_quantity(total)
