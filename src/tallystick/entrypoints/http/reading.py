"""From a body to reports: which of the formats it is, told by its content type and its shape.

What cannot be read as events is refused as a whole, and nothing of it is kept. What can be read
but not counted is for the ingesting stage to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final, TypeVar
from urllib.parse import unquote

import msgspec

from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import key_of
from tallystick.domain.report import parse_report, tenants_named
from tallystick.entrypoints.http.problems import (
    NOTHING_MORE,
    Problem,
    too_large,
    unreadable,
)
from tallystick.stages.decoding import (
    REPORT_BYTES_MAX,
    UnreadableReport,
    decode,
    decode_objects,
)
from tallystick.stages.ingesting import Report, new_report
from tallystick.stages.tabulating import PlainReports, tabulated, tabulated_alone

T = TypeVar("T")

BATCH_MAX: Final = 10_000
IDEMPOTENCY_KEY_MAX: Final = 255

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
LINES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})

SPEC_VERSION: Final = b'"specversion"'
"""What a CloudEvent has, and nothing else that comes."""

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NATIVE: Final = frozenset({"TenantID", "ProductCode", "Quantity", "Timestamp"})
_FOREIGN: Final = frozenset({"specversion", "event", "transaction_id", "external_subscription_id"})


class Shape(StrEnum):
    """How the answer has to look."""

    EVENTS = "events"
    LAGO = "lago"
    LAGO_BATCH = "lago batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What a request says about its reports: where they come from, and what holds for each."""

    origin: str
    tenant: str = ""
    """The only tenant that the key may report for; '' for any."""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The reports of one body; `is_single` where it is one report itself, and no list."""

    shape: Shape
    reports: Sequence[Report]
    is_single: bool = False


@lru_cache(maxsize=64)
def media_type(content_type: str) -> str:
    """The type without parameters; the problem where it is one that we do not read."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.removeprefix("charset=").strip('"') for p in parameters if "charset=" in p]
    if any(charset not in ("utf-8", "utf8", "us-ascii") for charset in charsets):
        raise _unsupported(f"charset {charsets[0][:40]!r} is not read; send UTF-8")
    if kind in {JSON, CLOUD_EVENT, CLOUD_EVENTS} | LINES:
        return kind
    known = f"{JSON}, {CLOUD_EVENT}, {CLOUD_EVENTS}, application/x-ndjson"
    named = repr(kind[:80]) if kind else "none at all"
    raise _unsupported(f"Content-Type is {named}; send one of {known}")


def _unsupported(detail: str) -> Problem:
    return Problem(status=415, kind="unsupported-content", detail=detail)


def idempotency_key(header: str | None) -> str:
    """The key, quoted (as the draft standard says) or bare (as Stripe does); '' where none is."""
    if header is None:
        return ""
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not key or len(key) > IDEMPOTENCY_KEY_MAX or not key.isprintable():
        raise Problem(
            status=400,
            kind="invalid-parameter",
            detail=f"Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_MAX} printable characters",
        )
    return key


def read_events(body: bytes, kind: str, sender: Sender) -> Sent:
    """`POST /api/v1/events` with JSON of any shape."""
    _check_text(body)
    first = body.lstrip()[:1]
    if first == b"[" and kind != CLOUD_EVENT:
        return Sent(Shape.EVENTS, _plain(body, sender) or _reports(body, sender))
    if first == b"{" and kind != CLOUD_EVENTS:
        return _plain_alone(body, sender) or _alone(body, sender)
    wanted = {CLOUD_EVENT: "one JSON object", CLOUD_EVENTS: "a JSON array"}
    raise unreadable(f"the body must be {wanted.get(kind, 'a JSON object, or an array of them')}")


def read_lago_batch(body: bytes, sender: Sender) -> Sent:
    """`POST /api/v1/events/batch`: {"events": […]}."""
    _check_text(body)
    fields = _decoded(_OBJECT, body)
    if "events" not in fields:
        raise unreadable('the body must be {"events": […]}')
    raw = bytes(fields["events"])
    if not raw.lstrip().startswith(b"["):
        raise unreadable("/events must be a JSON array")
    return Sent(Shape.LAGO_BATCH, _reports(raw, sender))


def read_binary(body: bytes, headers: Mapping[str, str], sender: Sender) -> Sent:
    """A CloudEvent whose attributes are headers and whose data is the body."""
    attributes: dict[str, object] = {
        name[3:]: unquote(text) for name, text in headers.items() if name.startswith("ce-")
    }
    if body:
        _check_text(body)
        try:
            attributes["data"] = decode(body)
        except UnreadableReport as error:
            raise _refused(error) from error
    report = Report(origin=sender.origin, body=attributes)
    return Sent(Shape.EVENTS, _checked([report], sender, is_single=True), is_single=True)


def read_line_group(lines: Iterable[bytes], first: int, sender: Sender) -> tuple[Report, ...]:
    """Reports of NDJSON lines; `first` is the number of the first among the body's."""
    reports = [_element(line, sender) for line in lines]
    return _checked(reports, sender, first=first)


# ── Elements ──────────────────────────────────────────────────────────────────────────────────────


def _check_text(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise unreadable(f"the body must be UTF-8; byte {error.start} is not") from error


def _plain(body: bytes, sender: Sender) -> PlainReports | None:
    """Those of an array in columns, where that can be and nothing is wrong with any of them. They
    have keys of their own, so that none of them needs the sender's."""
    found = tabulated(body, cache(lambda: _reports(body, sender)))
    if found is None or len(found) > BATCH_MAX:
        return None
    is_own = not sender.tenant or found.tenants == {sender.tenant}
    return found if is_own else None


def _plain_alone(body: bytes, sender: Sender) -> Sent | None:
    """The one report of a body, where it can be put into columns with others."""
    if SPEC_VERSION not in body:
        return None
    found = tabulated_alone(body, lambda: _alone(body, sender).reports[0])
    if found is None or sender.tenant not in ("", found.tenant):
        return None
    return Sent(Shape.EVENTS, found, is_single=True)


def _alone(body: bytes, sender: Sender) -> Sent:
    """The one report of a body, whatever it is."""
    report = _single(body, sender)
    sent = report.body
    is_lago = isinstance(sent, dict) and isinstance(sent.get("event"), dict)
    checked = _checked([report], sender, is_single=True)
    return Sent(Shape.LAGO if is_lago else Shape.EVENTS, checked, is_single=True)


def _reports(body: bytes, sender: Sender) -> tuple[Report, ...]:
    """Those of an array. At once where that is possible; else each by itself, so that one that
    cannot be read holds up nobody."""
    found = decode_objects(body)
    if found is not None:
        _check_count(len(found))
        return _checked([_report(fields, sender) for fields in found], sender)
    elements: list[msgspec.Raw] = _decoded(_ARRAY, body)
    _check_count(len(elements))
    return _checked([_element(bytes(raw), sender) for raw in elements], sender)


def _check_count(count: int) -> None:
    if count > BATCH_MAX:
        raise too_large(f"the batch has {count} reports; send at most {BATCH_MAX} in one")


def _report(body: bytes | dict[str, object], sender: Sender) -> Report:
    return new_report(sender.origin, body, None, "", None)


def _decoded(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        return decoder.decode(body)
    except RecursionError as error:
        raise unreadable("the JSON is nested too deep; at most 32 levels") from error
    except msgspec.MsgspecError as error:
        raise unreadable(f"the body is no JSON that we read: {error}") from error


def _single(body: bytes, sender: Sender) -> Report:
    """The one report of a body. What is no JSON is refused, not kept; a number that is beyond all
    counting is JSON all the same, and a dead letter."""
    try:
        return Report(origin=sender.origin, body=_object_or(body, decode(body)))
    except UnreadableReport as error:
        if len(body) > REPORT_BYTES_MAX or not _is_json(body):
            raise _refused(error) from error
    return Report(origin=sender.origin, body=body)


def _is_json(body: bytes) -> bool:
    try:
        _OBJECT.decode(body)
    except (RecursionError, msgspec.MsgspecError):
        return False
    return True


def _refused(error: InvalidReport) -> Problem:
    first = error.errors[0]
    status, kind = (413, "too-large") if first.code == "too_large" else (400, "unreadable")
    return Problem(status=status, kind=kind, detail=first.detail, errors=error.errors)


def _element(raw: bytes, sender: Sender) -> Report:
    """One report of many: what cannot be read becomes a dead letter and holds up nobody."""
    try:
        return _report(_object_or(raw, decode(raw)), sender)
    except UnreadableReport:
        return _report(raw, sender)


def _object_or(raw: bytes, found: object) -> bytes | dict[str, object]:
    return found if isinstance(found, dict) else raw


# ── What holds for every report ───────────────────────────────────────────────────────────────────


def _checked(
    reports: list[Report], sender: Sender, *, first: int = 0, is_single: bool = False
) -> tuple[Report, ...]:
    """The reports with their fallback keys; the problem where the sender may not send one."""
    _check_keys(reports, sender, first=first, is_single=is_single)
    if sender.tenant:
        _check_tenants(reports, sender, first=first, is_single=is_single)
    if not sender.idempotency_key:
        return tuple(reports)
    return tuple(
        replace(report, fallback_key=key_of(sender.idempotency_key, str(first + index)))
        for index, report in enumerate(reports)
    )


def _check_keys(reports: list[Report], sender: Sender, *, first: int, is_single: bool) -> None:
    if sender.idempotency_key:
        return
    errors = [
        FieldError(
            pointer=f"{_at(first + index, is_single=is_single)}/EventID",
            code="missing",
            detail="is missing, and the request has no Idempotency-Key to make one from",
        )
        for index, report in enumerate(reports)
        if isinstance(report.body, dict) and _lacks_key(report.body)
    ]
    if errors:
        raise Problem(
            status=400,
            kind="idempotency-key-required",
            detail="without a key a retry would count twice: send EventID, or Idempotency-Key",
            errors=errors,
            more=_nothing_stored(first),
        )


def _lacks_key(body: dict[str, object]) -> bool:
    is_native = not _NATIVE.isdisjoint(body) and _FOREIGN.isdisjoint(body)
    return is_native and body.get("EventID") is None


def _check_tenants(reports: list[Report], sender: Sender, *, first: int, is_single: bool) -> None:
    """A key of one tenant reports for no other. Nothing says whether the other exists."""
    errors = [
        FieldError(
            pointer=_at(first + index, is_single=is_single),
            code="unknown_tenant",
            detail="names a tenant that this key does not have",
        )
        for index, report in enumerate(reports)
        if isinstance(report.body, dict) and not _is_of(report.body, sender.tenant)
    ]
    if errors:
        detail = f"this key reports for the tenant {sender.tenant!r} only"
        raise Problem(
            status=404,
            kind="not-found",
            detail=detail,
            errors=errors,
            more=_nothing_stored(first),
        )


def _is_of(body: dict[str, object], tenant: str) -> bool:
    try:
        return parse_report(body, 0, fallback_key="any").tenant == tenant
    except InvalidReport:
        return all(named == tenant for named in tenants_named(body))


def _at(index: int, *, is_single: bool) -> str:
    return "" if is_single else f"/{index}"


def _nothing_stored(first: int) -> Mapping[str, object]:
    """How much of a stream was stored before; of all other bodies nothing."""
    return {"lines_stored": first} if first else NOTHING_MORE
