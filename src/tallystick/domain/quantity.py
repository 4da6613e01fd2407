"""Exact quantities: decimals with |q| < 10^15 and at most 12 places; totals in 38 digits.

No float is ever accepted or made. An operation that would round raises; the one division (an
average) states its rounding.
"""

import re
from decimal import (
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from typing import Final

PLACES_MAX: Final = 12
WHOLE_DIGITS_MAX: Final = 15
TOTAL_DIGITS_MAX: Final = 38
ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
SMALLEST: Final = 10**PLACES_MAX
"""So many of the smallest quantity are one."""

_ROOMY_SMALLEST: Final = 10 ** (TOTAL_DIGITS_MAX - 1)

_EXACT: Final = Context(
    prec=TOTAL_DIGITS_MAX,
    Emax=TOTAL_DIGITS_MAX - 1,  # 10^38 has one digit that counts, and 39 to write down
    traps=[Inexact, Overflow, InvalidOperation, DivisionByZero],
)
_SCALED: Final = Context(
    prec=TOTAL_DIGITS_MAX,
    Emax=TOTAL_DIGITS_MAX + PLACES_MAX,
    traps=[Inexact, Overflow, InvalidOperation, DivisionByZero],
)
_ROUNDING: Final = Context(
    prec=TOTAL_DIGITS_MAX,
    rounding=ROUND_HALF_EVEN,
    traps=[Overflow, InvalidOperation, DivisionByZero],
)
_HALF_SMALLEST: Final = Decimal(5).scaleb(-PLACES_MAX - 1)
_LIMIT: Final = 10**WHOLE_DIGITS_MAX
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_ORDINARY: Final = re.compile(r"0|-?[1-9]\d{0,14}|-?\d{1,15}\.\d{0,11}[1-9]", re.ASCII)
"""How nearly all quantities are written: within all limits and `plain` already. One match spares
them what looks for everything else that a number can be, which takes five times as long."""


class QuantityError(ValueError):
    """The quantity is no number that can be counted exactly."""


class TotalOverflow(QuantityError):
    """The total would need more than 38 digits."""


def parse_quantity(raw: object) -> Decimal:
    """The exact quantity in `raw`: an int, a Decimal or a decimal string; never a float or a bool.

    Raises QuantityError with a sentence that says what is wrong.
    """
    if isinstance(raw, str):
        return _parsed(raw)
    if isinstance(raw, Decimal):
        return raw if is_ordinary(raw) else _checked(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise QuantityError(f"must be a number or a decimal string, not {type(raw).__name__}")
    if not -_LIMIT < raw < _LIMIT:
        raise QuantityError("must be smaller than 10^15")
    return Decimal(raw)


def _parsed(text: str) -> Decimal:
    if _ORDINARY.fullmatch(text):
        return Decimal(text)
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        raise QuantityError("must be a decimal number of at most 64 characters, such as 12.5")
    return _checked(Decimal(text))


def is_ordinary(number: Decimal) -> bool:
    """Whether `str` writes it as we keep it, and it lies within all limits of a quantity."""
    return _ORDINARY.fullmatch(str(number)) is not None


def read_number(raw: object) -> Decimal | None:
    """The number that `raw` holds exactly, of any size and length, to compare it; else None."""
    if isinstance(raw, bool) or not isinstance(raw, int | str | Decimal):
        return None
    if isinstance(raw, str) and (len(raw) > 64 or not _NUMBER.fullmatch(raw)):
        return None
    number = Decimal(raw)
    return number if number.is_finite() else None


def _checked(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise QuantityError("must be finite, not NaN or infinity")
    if number and number.adjusted() >= WHOLE_DIGITS_MAX:
        raise QuantityError("must be smaller than 10^15")
    if number and (number.adjusted() < -PLACES_MAX or _places(number) > PLACES_MAX):
        raise QuantityError("must have at most 12 decimal places")
    return plain(number)


def _places(number: Decimal) -> int:
    """Decimal places that are really used: 1.500 has one."""
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    trailing = 0
    for digit in reversed(digits):
        if digit:
            break
        trailing += 1
    return max(0, -(exponent + trailing))


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros, exponent or negative zero: one form a value."""
    if not number:
        return ZERO
    if number.same_quantum(ONE):
        return number
    sign, digits, exponent = number.as_tuple()
    exponent = int(exponent)
    if exponent < 0 and digits[-1]:
        return number
    if exponent > 0:
        return Decimal((sign, (*digits, *(0,) * exponent), 0))
    places = _places(number)
    return Decimal((sign, digits[: len(digits) + exponent + places], -places))


def format_quantity(number: Decimal) -> str:
    """Fixed-point text that reads back equal; never an exponent."""
    text = str(number)
    return text if _ORDINARY.fullmatch(text) else format(plain(number), "f")


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum; TotalOverflow when it would need more than 38 digits."""
    try:
        return plain(_EXACT.add(left, right))
    except DecimalException as error:
        raise TotalOverflow("the total would need more than 38 digits") from error


def in_smallest(quantity: Decimal) -> int:
    """How many smallest quantities a quantity or a total is: sums of whole numbers need no
    rounding, nor a look."""
    return int(quantity.scaleb(PLACES_MAX, context=_SCALED))


def from_smallest(count: int) -> Decimal:
    """The quantity that is so many of the smallest ones; at most TOTAL_DIGITS_MAX digits."""
    whole, rest = divmod(count, SMALLEST)
    return plain(Decimal(count).scaleb(-PLACES_MAX, context=_EXACT)) if rest else Decimal(whole)


def has_room(total: int, smallest: int) -> bool:
    """Whether so many smallest quantities, which are not less than none, can certainly be added to
    a total in the same."""
    return -_ROOMY_SMALLEST < total < _ROOMY_SMALLEST and smallest < _ROOMY_SMALLEST


def format_smallest(count: int) -> str:
    """The canonical text of so many smallest quantities."""
    whole, rest = divmod(count, SMALLEST)
    return format_quantity(from_smallest(count)) if rest else str(whole)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference; TotalOverflow when it would need more than 38 digits."""
    return add(left, negated(right))


def negated(number: Decimal) -> Decimal:
    """The exact opposite. A unary minus would round to the 28 digits of Python's default."""
    return number.copy_negate() if number else ZERO


def quotient(total: Decimal, count: int) -> Decimal:
    """total / count to 12 places, half to even; zero for a count of zero."""
    if count == 0:
        return ZERO
    # In whole numbers, since a division that rounds to 38 digits first would round twice.
    smallest = round(Fraction(total) * 10**PLACES_MAX / count)
    sign, digits, _ = Decimal(smallest).as_tuple()
    return plain(Decimal((sign, digits, -PLACES_MAX)))


def rounded_whole(number: Decimal) -> Decimal:
    """The nearest whole number, half up (away from zero).

    So that taking a whole number away never changes how the rest is rounded, as half to even
    would: what is carried out of a closed period is whole.
    """
    return plain(number.quantize(ONE, rounding=ROUND_HALF_UP, context=_ROUNDING))


def significant_digits(number: Decimal) -> int:
    """How many digits a provider must keep to hold `number`."""
    return len(plain(number).as_tuple().digits)


def equal_as_read(ours: Decimal, theirs: Decimal, digits: int = 15) -> bool:
    """Whether a total that a provider returned as a float is ours.

    Equal within one unit of the `digits`-th significant digit, since the provider's float can
    hold no more; and where they differ by less than half of the smallest quantity there is, since
    no two totals lie so near (what is left of a sum that cancels out is such noise, not a total).
    """
    if ours == theirs:
        return True
    size = max(ours.copy_abs(), theirs.copy_abs())
    unit = Decimal((0, (1,), size.adjusted() - digits + 1))
    difference = _ROUNDING.subtract(ours, theirs).copy_abs()
    return difference <= unit or difference < _HALF_SMALLEST


def rest_as_read(theirs: Decimal, known: Decimal) -> Decimal:
    """What is left of a total that a provider returned as a float: to 38 digits, and no error,
    however far down the float's noise reaches."""
    return plain(_ROUNDING.subtract(theirs, known))
