"""The fields of a report, read one by one: what each must be, and what is said of one that is not.

Everything that is wrong is collected, so that whoever sent it learns all of it at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tallystick.domain.errors import FieldError
from tallystick.domain.event import KEY_LENGTH_MAX, canonical_json
from tallystick.domain.instant import DAY, EARLIEST, LATEST, parse_instant
from tallystick.domain.quantity import WHOLE_DIGITS_MAX, QuantityError, parse_quantity
from tallystick.domain.tenant import NAME_LENGTH_MAX

PROPERTIES_BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 32
MILLISECOND: Final = 1_000

_MILLISECONDS_MIN: Final = 100_000_000_000
"""1973: what is smaller was meant as seconds."""

_OLDEST: Final = EARLIEST + 400 * DAY
"""Room to compute a day and a billing period around any instant."""

_WHOLE: Final = 10**WHOLE_DIGITS_MAX
_CONTAINERS: Final = frozenset({dict, list, tuple})


@dataclass(slots=True)
class Fields:
    """One object of a report, read field by field; what is wrong is collected in `errors`."""

    body: dict[str, object]
    prefix: str = ""
    errors: list[FieldError] = field(default_factory=list)

    def within(self, name: str, body: dict[str, object]) -> "Fields":
        """An inner object, whose errors are this report's."""
        return Fields(body, f"{self.prefix}/{name}", self.errors)

    def wrong(self, name: str, code: str, detail: str) -> None:
        pointer = f"{self.prefix}/{_escaped(name)}" if name else self.prefix
        self.errors.append(FieldError(pointer=pointer, code=code, detail=f"{pointer} {detail}"))

    def name(self, name: str) -> str:
        """A tenant or a code: printable, since people read and type it."""
        text = self.body.get(name)
        if isinstance(text, str) and 0 < len(text) <= NAME_LENGTH_MAX:
            if text.isprintable() and text == text.strip():
                return text
            self.wrong(name, "invalid", "must be printable, without blanks at its ends")
        else:
            self._wrong_text(name, text, NAME_LENGTH_MAX)
        return ""

    def key(self, name: str, fallback: str = "") -> str:
        text = self.body.get(name)
        if text is None and fallback:
            text = fallback
        if isinstance(text, str) and 0 < len(text) <= KEY_LENGTH_MAX:
            if text.isprintable() or _is_storable(text):
                return text
            self.wrong(name, "invalid", "must not contain NUL or half of a surrogate pair")
        else:
            self._wrong_text(name, text, KEY_LENGTH_MAX)
        return ""

    def _wrong_text(self, name: str, found: object, limit: int) -> None:
        if found is None:
            self.wrong(name, "missing", f"is missing; send a text of 1 to {limit} characters")
        elif not isinstance(found, str):
            self.wrong(name, "invalid_type", f"must be a text, not {_kind(found)}")
        elif not found:
            self.wrong(name, "empty", f"is empty; send a text of 1 to {limit} characters")
        else:
            self.wrong(name, "too_long", f"has {len(found)} characters; at most {limit} are kept")

    def quantity(self, name: str) -> Decimal | None:
        found = self.body.get(name)
        if found is None:
            return None
        try:
            return parse_quantity(found)
        except QuantityError as error:
            self.wrong(name, "invalid_quantity", f"{error}; found {_sample(found)}")
        return None

    def time(self, name: str) -> int | None:
        """RFC 3339 text."""
        found = self.body.get(name)
        if found is None:
            return None
        if not isinstance(found, str):
            self.wrong(name, "invalid_type", f"must be RFC 3339 text, not {_kind(found)}")
            return None
        try:
            instant = parse_instant(found)
        except (ValueError, OverflowError) as error:
            self.wrong(name, "invalid_time", f"is {error}; found {_sample(found)}")
            return None
        return self._within_calendar(name, instant)

    def epoch(self, name: str, unit: int) -> int | None:
        """A number of `unit` since 1970, fractions and decimal strings allowed, or RFC 3339."""
        found = self.body.get(name)
        if isinstance(found, str) and found[4:5] == "-":
            return self.time(name)
        if found is None:
            return None
        number: int | Decimal
        try:
            # Nearly all are whole, and such a number is exact without being made a Decimal.
            number = found if type(found) is int and 0 < found < _WHOLE else parse_quantity(found)
        except QuantityError:
            self.wrong(name, "invalid_time", f"must be {_epoch_of(unit)}; found {_sample(found)}")
            return None
        if unit == MILLISECOND and number < _MILLISECONDS_MIN:
            self.wrong(name, "invalid_time", "looks like seconds; send milliseconds since 1970")
            return None
        return self._within_calendar(name, int(number * unit))

    def _within_calendar(self, name: str, instant: int) -> int | None:
        if is_within_calendar(instant):
            return instant
        self.wrong(name, "invalid_time", "must lie between the years 3 and 9999")
        return None

    def object(self, name: str) -> "Fields":
        """The object in a field; an empty one where there is none."""
        found = self.body.get(name)
        if isinstance(found, dict):
            return self.within(name, found)
        if found is not None:
            self.wrong(name, "invalid_type", f"must be a JSON object, not {_kind(found)}")
        return self.within(name, {})

    def canonical(self, leaving_out: str = "") -> str:
        """The object as canonical JSON, which is how an Event keeps its properties."""
        body = self.body
        if len(body) == (leaving_out in body):
            return "{}"
        if leaving_out in body:
            body = {k: v for k, v in body.items() if k != leaving_out}
        is_flat = _CONTAINERS.isdisjoint(map(type, body.values()))
        if not is_flat and _is_deeper(body, DEPTH_MAX):
            self.wrong("", "too_deep", f"is nested more than {DEPTH_MAX} levels deep")
            return "{}"
        try:
            text = canonical_json(body)
            size = len(text) if text.isascii() else len(text.encode())
        except (TypeError, ValueError) as error:
            self.wrong("", "invalid", f"holds what JSON cannot keep exactly: {error}")
            return "{}"
        if size > PROPERTIES_BYTES_MAX:
            self.wrong(
                "", "too_large", f"has {size} bytes; at most {PROPERTIES_BYTES_MAX} are kept"
            )
        elif "\\u0000" in text and _holds_nul(body):
            self.wrong("", "invalid", "must not contain the character NUL")
        return text

    def refuse_others(self, known: frozenset[str]) -> None:
        """A misspelt field must not become a default that is billed."""
        if known.issuperset(self.body):
            return
        for name in self.body:
            if name not in known:
                allowed = ", ".join(sorted(known))
                self.wrong(str(name)[:64], "unknown_field", f"is none of the fields {allowed}")


def is_within_calendar(instant: int) -> bool:
    return _OLDEST <= instant <= LATEST


def _escaped(name: str) -> str:
    """A field's name inside a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_deeper(value: object, levels: int) -> bool:
    """Whether containers are nested deeper; level by level, so that no bomb fills the stack."""
    containers = [value]
    for _ in range(levels):
        containers = [
            m for c in containers for m in _members(c) if isinstance(m, dict | list | tuple)
        ]
        if not containers:
            return False
    return True


def _members(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, list | tuple) else ()


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(k) or _holds_nul(v) for k, v in value.items())
    return isinstance(value, list | tuple) and any(map(_holds_nul, value))


def _kind(found: object) -> str:
    """What JSON calls the type."""
    if isinstance(found, bool):
        return "true or false"
    if isinstance(found, int | Decimal):
        return "a number"
    if isinstance(found, str):
        return "a text"
    return "an object" if isinstance(found, dict) else "a list"


def _sample(found: object) -> str:
    """The beginning of what was found; never all of it, and never a huge number in full."""
    if isinstance(found, int) and abs(found) >= 10**40:
        return "a number of more than 40 digits"
    text = repr(found) if isinstance(found, str) else str(found)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _epoch_of(unit: int) -> str:
    words = "milliseconds" if unit == MILLISECOND else "seconds"
    return f"{words} since 1970 or RFC 3339 text with an offset"
