"""An event: an immutable report that a tenant used something, and what identifies it.

The key is the caller's identity of the event, unique within a tenant for ever. The fingerprint is
a hash of what the caller sent, in canonical form, and never of what we defaulted: it tells a
duplicate (same key, same content) from a conflict (same key, other content).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Final

from tallystick.domain.mint import mint
from tallystick.domain.quantity import ONE, format_quantity, is_ordinary

KEY_LENGTH_MAX: Final = 512

_FAR_DIGITS: Final = 60
_FAR: Final = 10 ** (_FAR_DIGITS - 1)
_LENGTH: Final = re.compile(r"([0-9]{1,9}):")
_DECODER: Final = json.JSONDecoder(parse_float=Decimal)
_quoted: Final = json.encoder.encode_basestring
"""What json.dumps does with a text where it need not be ASCII, without its detours."""


class Receipt(StrEnum):
    """What became of one report. All but CONFLICT mean: it is counted, once."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    LATE = "late"
    """Recorded, into a window that was already sealed: a correction follows."""
    CONFLICT = "conflict"
    """The key is taken by other content: kept as a dead letter, not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One report of usage, or (with `voids`) the cancellation of an earlier one by its key.

    `properties` is canonical JSON text, so that an event is immutable and compares by value.
    `received_at` takes no part in identity.
    """

    tenant: str
    key: str
    code: str
    quantity: Decimal = ONE
    occurred_at: int
    received_at: int
    properties: str = "{}"
    fingerprint: str
    voids: str | None = None

    def attributes(self) -> Mapping[str, object]:
        """The properties as values."""
        return _parsed(self.properties)


new_event: Final = mint(Event)
"""All fields in their order: for one report among thousands."""


@lru_cache(maxsize=1024)
def _parsed(properties: str) -> dict[str, object]:
    parsed = _DECODER.decode(properties)
    return parsed if isinstance(parsed, dict) else {}


def key_of(*parts: str) -> str:
    """One key from several parts, each preceded by its length, so that no two lists collide.

    A single part is its own key, unless it reads like such a list: ('a',) is 'a'; ('a', 'bc') is
    '1:a2:bc'; ('1:a',) is '3:1:a'.
    """
    if len(parts) == 1 and not _is_list_of_parts(parts[0]):
        return parts[0]
    return "".join(map(numbered, parts))


def numbered(part: str) -> str:
    """One of several parts of a key, as it stands there."""
    return f"{len(part)}:{part}"


def _is_list_of_parts(text: str) -> bool:
    rest = text
    while match := _LENGTH.match(rest):
        end = match.end() + int(match[1])
        if len(rest) < end:
            return False
        rest = rest[end:]
    return not rest and bool(text)


def fingerprint_of(sent: Mapping[str, object]) -> str:
    """The hash of what was sent: 32 hex digits of SHA-256 over its canonical JSON."""
    return _digest(canonical_json(sent))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fingerprint_of_report(
    code: str,
    *,
    quantity: Decimal | None,
    occurred_at: int | None,
    properties: str,
    voids: str | None,
) -> str:
    """The fingerprint of a report that sent these; None and '{}' stand for what it did not send.

    What `fingerprint_of` makes of the same fields, for a third of the time: their order is known.
    """
    text = f'{{"code":{_quoted(code)}'
    if occurred_at is not None:
        text += f',"occurred_at":{occurred_at}'
    if properties != "{}":
        text += f',"properties":{_quoted(properties)}'
    if quantity is not None:
        text += f',"quantity":"{format_quantity(quantity)}"'
    if voids is not None:
        text += f',"voids":{_quoted(voids)}'
    return _digest(text + "}")


def canonical_json(value: object) -> str:
    """One text for each value: keys sorted, no blanks, 5 = 5.0 = 5e0, no float.

    Raises TypeError for a value that JSON does not have, a float among them.
    """
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -_FAR < value < _FAR else _decimal_text(Decimal(value))
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if type(value) is dict or isinstance(value, Mapping):
        return _object_text(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join([canonical_json(inner) for inner in value]) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _object_text(value: Mapping[object, object]) -> str:
    pairs = sorted([(str(k), v) for k, v in value.items()], key=itemgetter(0))
    # Most members are texts, and need no look at what else they could be.
    members = [
        f"{_quoted(k)}:{_quoted(v) if type(v) is str else canonical_json(v)}" for k, v in pairs
    ]
    return "{" + ",".join(members) + "}"


def _decimal_text(value: Decimal) -> str:
    """Every digit, no trailing zeros: fixed point, or digits and exponent where that is far."""
    if is_ordinary(value):
        return str(value)
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise TypeError("NaN and infinity have no canonical form")
    stripped = "".join(map(str, digits)).rstrip("0")
    if not stripped:
        return "0"
    exponent += len(digits) - len(stripped)
    minus = "-" if sign else ""
    if -_FAR_DIGITS < exponent + len(stripped) < _FAR_DIGITS:
        return minus + format(Decimal(f"{stripped}E{exponent}"), "f")
    return f"{minus}{stripped}E{exponent}"
