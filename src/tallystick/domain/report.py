"""A report: what a service sent, in any of five shapes, and the Event that it means.

The shapes are told apart by their fields: CloudEvents 1.0 (`specversion`), EventBridge's envelope
(`detail-type`) around the native body, Lago (`transaction_id`), the native body (`TenantID`) and
our plain form (`tenant`). Either the whole report is understood, or InvalidReport names everything
that is wrong with it at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tallystick.domain.envelope import BILLING, DETAIL_TYPE
from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import (
    KEY_LENGTH_MAX,
    Event,
    fingerprint_of_report,
    key_of,
    new_event,
)
from tallystick.domain.fields import MILLISECOND, Fields
from tallystick.domain.instant import SECOND
from tallystick.domain.quantity import ONE, ZERO

_NATIVE: Final = frozenset({"TenantID", "ProductCode", "Quantity", "Timestamp", "EventID"})
_PLAIN: Final = frozenset(
    {"tenant", "code", "key", "quantity", "occurred_at", "recorded_at", "properties", "voids"}
)
_LAGO: Final = frozenset({"transaction_id", "external_subscription_id"})
_TENANT: Final = ("tenant", "TenantID", "subject", "external_subscription_id")
_INSIDE: Final = ("event", "detail")
"""Where a shape has the report within another object."""


@dataclass(slots=True)
class _Sent:
    """What was understood of a report so far; None and {} stand for what was not sent.

    It is made for every report, and by place that takes half the time that names would.
    """

    tenant: str = ""
    key: str = ""
    code: str = ""
    quantity: Decimal | None = None
    occurred_at: int | None = None
    properties: str = "{}"
    recorded_at: int | None = None
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
    An envelope stands in for what its detail leaves out: its `id` for the EventID, its `time` for
    the time; without a ProductCode the Event has no code, and whoever counts it finds the tenant's
    only one. `fallback_key` is the key of a native body that has no EventID. Raises InvalidReport.
    """
    if not isinstance(body, dict):
        raise InvalidReport(
            FieldError(pointer="", code="not_an_object", detail="a report must be a JSON object")
        )
    fields = Fields(body)
    sent = _read(fields, fallback_key)
    if fields.errors:
        raise InvalidReport(*fields.errors)
    return _event(sent, received_at)


def _event(sent: _Sent, received_at: int) -> Event:
    default = ONE if sent.voids is None else ZERO
    quantity = default if sent.quantity is None else sent.quantity
    # Over what was sent: a quantity by its value, a time as its instant, properties canonical.
    fingerprint = fingerprint_of_report(
        sent.code,
        quantity=sent.quantity,
        occurred_at=sent.occurred_at,
        properties=sent.properties,
        voids=sent.voids,
    )
    return new_event(
        sent.tenant,
        sent.key,
        sent.code,
        quantity,
        sent.occurred(received_at),
        received_at,
        sent.properties,
        fingerprint,
        sent.voids,
    )


# ── The shapes ────────────────────────────────────────────────────────────────────────────────────


def _read(fields: Fields, fallback_key: str) -> _Sent:
    body = fields.body
    if "specversion" in body or ("source" in body and "type" in body):
        return _read_cloud_event(fields)
    if DETAIL_TYPE in body:
        return _read_envelope(fields)
    inner = body.get("event")
    if isinstance(inner, dict):
        return _read_lago(fields.within("event", inner))
    if not _LAGO.isdisjoint(body):
        return _read_lago(fields)
    if not _NATIVE.isdisjoint(body):
        return _read_native(fields, fallback_key)
    return _read_plain(fields)


def _read_envelope(fields: Fields) -> _Sent:
    if fields.body[DETAIL_TYPE] != BILLING:
        fields.wrong(DETAIL_TYPE, "unsupported", f"must be {BILLING!r} for a report of usage")
        return _Sent()
    detail, own_id = fields.object("detail"), fields.body.get("id")
    if fields.errors:
        return _Sent()
    names_code = detail.body.get("ProductCode") is not None
    sent = _read_native(detail, own_id if isinstance(own_id, str) else "", names_code=names_code)
    return replace(sent, recorded_at=fields.time("time"))


def _read_native(fields: Fields, fallback_key: str, *, names_code: bool = True) -> _Sent:
    fields.refuse_others(_NATIVE)
    return _Sent(
        fields.name("TenantID"),
        fields.key("EventID", fallback_key),
        fields.name("ProductCode") if names_code else "",
        fields.quantity("Quantity"),
        fields.epoch("Timestamp", MILLISECOND),
    )


def _read_cloud_event(fields: Fields) -> _Sent:
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
        fields.name("subject"),
        key,
        fields.name("type"),
        contents.quantity("quantity"),
        fields.time("time"),
        contents.canonical(leaving_out="quantity"),
    )


def _read_lago(fields: Fields) -> _Sent:
    properties = fields.object("properties")
    return _Sent(
        fields.name("external_subscription_id"),
        fields.key("transaction_id"),
        fields.name("code"),
        properties.quantity("quantity"),
        fields.epoch("timestamp", SECOND),
        properties.canonical(leaving_out="quantity"),
    )


def _read_plain(fields: Fields) -> _Sent:
    fields.refuse_others(_PLAIN)
    voids = fields.key("voids") if fields.body.get("voids") is not None else None
    key = fields.key("key")
    if voids is not None:
        _check_void(fields, key, voids)
    tenant = fields.name("tenant")
    code = fields.name("code") if voids is None or fields.body.get("code") else ""
    quantity, occurred_at = fields.quantity("quantity"), fields.time("occurred_at")
    recorded_at = fields.time("recorded_at")
    properties = fields.object("properties").canonical()
    return _Sent(tenant, key, code, quantity, occurred_at, properties, recorded_at, voids)


def _check_void(fields: Fields, key: str, voids: str) -> None:
    if fields.body.get("quantity") is not None:
        fields.wrong("quantity", "unexpected", "must be left out: a void takes the whole event out")
    if voids == key and voids:
        fields.wrong("voids", "voids_itself", "names the void's own key; name the event's key")


# ── Before a report is understood ─────────────────────────────────────────────────────────────────


def tenants_named(body: dict[str, object]) -> Iterator[object]:
    """What stands where the shapes name the tenant, whether or not the rest can be meant."""
    inside = [inner for name in _INSIDE if isinstance(inner := body.get(name), dict)]
    for fields in (*inside, body):
        yield from (fields[name] for name in _TENANT if fields.get(name) is not None)
