"""A report: what a service sent, in any of four shapes, and the Event that it means.

The shapes are told apart by their fields: CloudEvents 1.0 (`specversion`), Lago
(`transaction_id`), the native body (`TenantID`) and our plain form (`tenant`). Either the whole
report is understood, or InvalidReport names everything that is wrong with it at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import (
    KEY_LENGTH_MAX,
    Event,
    canonical_json,
    fingerprint_of,
    key_of,
)
from tallystick.domain.instant import DAY, EARLIEST, LATEST, SECOND, parse_instant
from tallystick.domain.quantity import ONE, ZERO, QuantityError, format_quantity, parse_quantity
from tallystick.domain.tenant import NAME_LENGTH_MAX

PROPERTIES_BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 32
MILLISECOND: Final = 1_000

_MILLISECONDS_MIN: Final = 100_000_000_000
"""1973: what is smaller was meant as seconds."""

_OLDEST: Final = EARLIEST + 400 * DAY
"""Room to compute a day and a billing period around any instant."""

_NATIVE: Final = frozenset({"TenantID", "ProductCode", "Quantity", "Timestamp", "EventID"})
_PLAIN: Final = frozenset(
    {"tenant", "code", "key", "quantity", "occurred_at", "recorded_at", "properties", "voids"}
)
_CONTAINERS: Final = frozenset({dict, list, tuple})
_LAGO: Final = frozenset({"transaction_id", "external_subscription_id"})


@dataclass(slots=True, kw_only=True)
class _Sent:
    """What was understood of a report so far; None and {} stand for what was not sent."""

    tenant: str = ""
    key: str = ""
    code: str = ""
    quantity: Decimal | None = None
    occurred_at: int | None = None
    recorded_at: int | None = None
    properties: str = "{}"
    voids: str | None = None

    def occurred(self, received_at: int) -> int:
        """When it occurred, as far as anybody knows."""
        known = self.recorded_at if self.occurred_at is None else self.occurred_at
        return received_at if known is None else known


def parse_report(body: object, received_at: int, *, fallback_key: str = "") -> Event:
    """The Event that one parsed body (numbers as int or Decimal) means.

    A missing time is that of the plain form's `recorded_at` (when a client took it, perhaps long
    before it could send it), else of receipt; a missing quantity is 1. None of these is in the
    fingerprint, or a client that records the same key again would make a conflict.
    `fallback_key` is the key of a native body that has no EventID. Raises InvalidReport.
    """
    if not isinstance(body, dict):
        raise InvalidReport(
            FieldError(pointer="", code="not_an_object", detail="a report must be a JSON object")
        )
    fields = _Fields(body)
    sent = _read(fields, fallback_key)
    if fields.errors:
        raise InvalidReport(*fields.errors)
    return _event(sent, received_at)


def _event(sent: _Sent, received_at: int) -> Event:
    default = ONE if sent.voids is None else ZERO
    return Event(
        tenant=sent.tenant,
        key=sent.key,
        code=sent.code,
        quantity=default if sent.quantity is None else sent.quantity,
        occurred_at=sent.occurred(received_at),
        received_at=received_at,
        properties=sent.properties,
        fingerprint=_fingerprint(sent),
        voids=sent.voids,
    )


def _fingerprint(sent: _Sent) -> str:
    """Over what was sent: a quantity by its value, a time as its instant, properties canonical."""
    recipe: dict[str, object] = {"code": sent.code}
    if sent.quantity is not None:
        recipe["quantity"] = format_quantity(sent.quantity)
    if sent.occurred_at is not None:
        recipe["occurred_at"] = sent.occurred_at
    if sent.properties != "{}":
        recipe["properties"] = sent.properties
    if sent.voids is not None:
        recipe["voids"] = sent.voids
    return fingerprint_of(recipe)


# ── The shapes ────────────────────────────────────────────────────────────────────────────────────


def _read(fields: "_Fields", fallback_key: str) -> _Sent:
    body = fields.body
    if "specversion" in body or ("source" in body and "type" in body):
        return _read_cloud_event(fields)
    inner = body.get("event")
    if isinstance(inner, dict):
        return _read_lago(fields.within("event", inner))
    if not _LAGO.isdisjoint(body):
        return _read_lago(fields)
    if not _NATIVE.isdisjoint(body):
        return _read_native(fields, fallback_key)
    return _read_plain(fields)


def _read_native(fields: "_Fields", fallback_key: str) -> _Sent:
    fields.refuse_others(_NATIVE)
    return _Sent(
        tenant=fields.name("TenantID"),
        key=fields.key("EventID", fallback_key),
        code=fields.name("ProductCode"),
        quantity=fields.quantity("Quantity"),
        occurred_at=fields.epoch("Timestamp", MILLISECOND),
    )


def _read_cloud_event(fields: "_Fields") -> _Sent:
    if fields.body.get("specversion") != "1.0":
        fields.wrong("specversion", "unsupported", "must be the text '1.0'")
    if fields.body.get("data_base64") is not None:
        fields.wrong("data_base64", "unsupported", "is not read; send JSON in /data")
    source, own_id = fields.key("source"), fields.key("id")
    key = key_of(source, own_id)
    if len(key) > KEY_LENGTH_MAX:
        fields.wrong("id", "too_long", f"and /source together exceed {KEY_LENGTH_MAX} characters")
    contents = fields.object("data")
    return _Sent(
        tenant=fields.name("subject"),
        key=key,
        code=fields.name("type"),
        quantity=contents.quantity("quantity"),
        occurred_at=fields.time("time"),
        properties=contents.canonical(leaving_out="quantity"),
    )


def _read_lago(fields: "_Fields") -> _Sent:
    properties = fields.object("properties")
    return _Sent(
        tenant=fields.name("external_subscription_id"),
        key=fields.key("transaction_id"),
        code=fields.name("code"),
        quantity=properties.quantity("quantity"),
        occurred_at=fields.epoch("timestamp", SECOND),
        properties=properties.canonical(leaving_out="quantity"),
    )


def _read_plain(fields: "_Fields") -> _Sent:
    fields.refuse_others(_PLAIN)
    voids = fields.key("voids") if fields.body.get("voids") is not None else None
    key = fields.key("key")
    if voids is not None:
        _check_void(fields, key, voids)
    return _Sent(
        tenant=fields.name("tenant"),
        key=key,
        code=fields.name("code") if voids is None or fields.body.get("code") else "",
        quantity=fields.quantity("quantity"),
        occurred_at=fields.time("occurred_at"),
        recorded_at=fields.time("recorded_at"),
        properties=fields.object("properties").canonical(),
        voids=voids,
    )


def _check_void(fields: "_Fields", key: str, voids: str) -> None:
    if fields.body.get("quantity") is not None:
        fields.wrong("quantity", "unexpected", "must be left out: a void takes the whole event out")
    if voids == key and voids:
        fields.wrong("voids", "voids_itself", "names the void's own key; name the event's key")


# ── The fields ────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Fields:
    """One object of a report, read field by field; what is wrong is collected in `errors`."""

    body: dict[str, object]
    prefix: str = ""
    errors: list[FieldError] = field(default_factory=list)

    def within(self, name: str, body: dict[str, object]) -> "_Fields":
        """An inner object, whose errors are this report's."""
        return _Fields(body, f"{self.prefix}/{name}", self.errors)

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
        try:
            number = parse_quantity(found)
        except QuantityError:
            self.wrong(name, "invalid_time", f"must be {_epoch_of(unit)}; found {_sample(found)}")
            return None
        if unit == MILLISECOND and number < _MILLISECONDS_MIN:
            self.wrong(name, "invalid_time", "looks like seconds; send milliseconds since 1970")
            return None
        return self._within_calendar(name, int(number * unit))

    def _within_calendar(self, name: str, instant: int) -> int | None:
        if _OLDEST <= instant <= LATEST:
            return instant
        self.wrong(name, "invalid_time", "must lie between the years 3 and 9999")
        return None

    def object(self, name: str) -> "_Fields":
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
        if not body:
            return "{}"
        if leaving_out in body:
            body = {k: v for k, v in body.items() if k != leaving_out}
        is_flat = _CONTAINERS.isdisjoint(map(type, body.values()))
        if not is_flat and _is_deeper(body, DEPTH_MAX):
            self.wrong("", "too_deep", f"is nested more than {DEPTH_MAX} levels deep")
            return "{}"
        try:
            text = canonical_json(body)
            size = len(text.encode())
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
