"""JSON text to values: numbers exact (int or Decimal), bounded in size and depth, in one place.

What cannot be read is an UnreadableReport; whether what was read can be counted is decided by
`domain.report`.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from tallystick.domain.errors import FieldError, InvalidReport

REPORT_BYTES_MAX: Final = 1024 * 1024
BODY_KEPT_MAX: Final = 4 * 1024
"""How much is kept of a body that is too large to be read."""

_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, object]], float_hook=Decimal)
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class UnreadableReport(InvalidReport):
    """The report is no JSON that we read."""


def decode(raw: bytes | str) -> object:
    """The value of one JSON text; a repeated field's last value counts. UnreadableReport if none.

    Numbers are int or Decimal, never a float.
    """
    if len(raw) > REPORT_BYTES_MAX:
        raise too_large(len(raw))
    try:
        return _DECODER.decode(raw)
    except UnicodeError as error:
        raise unreadable("invalid_utf8", "the text must be UTF-8; encode it so") from error
    except RecursionError as error:
        raise unreadable("too_deep", "the JSON is nested too deep; at most 32 levels") from error
    except InvalidOperation as error:
        raise unreadable("invalid_number", "a number's exponent is beyond any number") from error
    except msgspec.MsgspecError as error:
        raise unreadable("invalid_json", f"send one JSON object: {error}") from error


def decode_objects(raw: bytes) -> list[dict[str, object]] | None:
    """All elements of a JSON array at once, each what `decode` makes of it; None where one of them
    may be no object that can be read, and each has to be looked at alone."""
    if len(raw) > REPORT_BYTES_MAX:
        return None
    try:
        return _OBJECTS.decode(raw)
    except (UnicodeError, RecursionError, InvalidOperation, msgspec.MsgspecError):
        return None


def encode(value: object) -> str:
    """JSON text of a parsed report, decimals as numbers: what a dead letter keeps of it."""
    try:
        return _ENCODER.encode(value).decode()
    except (UnicodeError, TypeError, msgspec.MsgspecError):
        # Half a surrogate pair, or what no JSON has: escaped and as text, so that it is kept.
        return json.dumps(value, default=str)


def too_large(size: int) -> UnreadableReport:
    return unreadable(
        "too_large", f"the report has {size} bytes; send at most {REPORT_BYTES_MAX} in one"
    )


def unreadable(code: str, detail: str) -> UnreadableReport:
    return UnreadableReport(FieldError(pointer="", code=code, detail=detail))
