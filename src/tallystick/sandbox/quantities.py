"""Exact decimals: no quantity in the sandbox is ever a float before the final JSON answer."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation

_EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
_ROUNDING = Context(prec=400, rounding=ROUND_HALF_UP)
_FIXED_POINT = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_CHARACTERS_MAX = 100
ZERO = Decimal(0)


def parsed(text: str) -> Decimal | None:
    """A fixed-point decimal, or None: exponents, NaN and infinities are no meter event values."""
    if len(text) > _CHARACTERS_MAX or not _FIXED_POINT.fullmatch(text):
        return None
    return Decimal(text)


def significant_digits(text: str) -> int:
    """How many digits follow the leading zeros, trailing zeros included.

    Whether Stripe counts trailing zeros is not documented; counting them is the harder choice.
    """
    return len(text.lstrip("+-").replace(".", "").lstrip("0"))


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever the exponents."""
    result = ZERO
    for value in values:
        result = _EXACT.add(result, value)
    return result


def difference(minuend: Decimal, subtrahend: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(minuend, subtrahend)


def cents(quantity: Decimal, unit_amount: Decimal) -> int:
    """An invoice line's amount, rounded half up to the smallest currency unit."""
    return int(_ROUNDING.quantize(_EXACT.multiply(quantity, unit_amount), Decimal(1)))


def plain(value: Decimal) -> str:
    """Fixed-point text without trailing zeros, so that equal quantities read equal."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
