"""Answers in the shape that Lago's clients expect."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from tallystick.domain.event import Event
from tallystick.domain.instant import format_instant
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.http.problems import Problem
from tallystick.ports import EventLog
from tallystick.stages.ingesting import Report

MILLISECOND: Final = 1_000


def lago_fields(report: Report) -> Mapping[str, object]:
    """The inner object of a Lago event, wrapped or bare."""
    body = report.body if isinstance(report.body, dict) else {}
    inner = body.get("event")
    return inner if isinstance(inner, dict) else body


def lago_event(report: Report, stored: Event | None, received_at: int) -> dict[str, object]:
    """What was sent, with the times that were stored; a repeated id gives what it first named."""
    sent = lago_fields(report)
    occurred_at = received_at if stored is None else stored.occurred_at
    created_at = received_at if stored is None else stored.received_at
    transaction = str(sent.get("transaction_id", ""))
    subscription = str(sent.get("external_subscription_id", ""))
    return {
        "lago_id": id_of(subscription, transaction),
        "transaction_id": transaction,
        "lago_customer_id": None,
        "lago_subscription_id": None,
        "external_subscription_id": subscription,
        "code": str(sent.get("code", "")) if stored is None else stored.code,
        "timestamp": _milliseconds(occurred_at),
        "properties": _legible(sent.get("properties")),
        "precise_total_amount_cents": sent.get("precise_total_amount_cents"),
        "created_at": _milliseconds(created_at),
    }


def stored_event(event: Event) -> dict[str, object]:
    """A stored event, however it came; its quantity is among the properties, as Lago has it."""
    properties = {**event.attributes(), "quantity": format_quantity(event.quantity)}
    return {
        "lago_id": id_of(event.tenant, event.key),
        "transaction_id": event.key,
        "lago_customer_id": None,
        "lago_subscription_id": None,
        "external_subscription_id": event.tenant,
        "code": event.code,
        "timestamp": _milliseconds(event.occurred_at),
        "properties": _legible(properties),
        "precise_total_amount_cents": None,
        "created_at": _milliseconds(event.received_at),
    }


def id_of(kind: str, name: str) -> str:
    """An id in the form of a UUID, the same for the same two texts."""
    text = f"{len(kind)}:{kind}{name}"
    d = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"{d[:8]}-{d[8:12]}-8{d[13:16]}-8{d[17:20]}-{d[20:32]}"


def _milliseconds(at: int) -> str:
    whole = format_instant(at - at % 1_000_000).removesuffix("Z")
    return f"{whole}.{at % 1_000_000 // MILLISECOND:03d}Z"


def _legible(properties: object) -> object:
    """Properties as JSON has them: decimals as texts, which keeps every digit."""
    if isinstance(properties, dict):
        return {str(name): _legible(value) for name, value in properties.items()}
    if isinstance(properties, list):
        return [_legible(value) for value in properties]
    if properties is None or isinstance(properties, str | int):
        return properties
    return str(properties)


def lago_refusal(code: str, sentence: str, details: object = None) -> Problem:
    """A refusal that carries Lago's own words beside ours."""
    more = {"error": "Unprocessable Entity", "code": code}
    return Problem(
        status=422,
        kind="not-countable",
        detail=sentence,
        more=more if details is None else {**more, "error_details": details},
    )


def repeated(reports: Sequence[Report], events: EventLog) -> list[int]:
    """Which of the reports have an id that is stored already, or stands earlier in the list."""
    seen: set[tuple[str, str]] = set()
    found = []
    for index, report in enumerate(reports):
        fields = lago_fields(report)
        place = (
            str(fields.get("external_subscription_id")),
            str(fields.get("transaction_id")),
        )
        if place in seen or events.event(*place) is not None:
            found.append(index)
        seen.add(place)
    return found


def taken(indices: Sequence[int], *, is_single: bool) -> Problem:
    """What Lago's own server says of an id that is used again."""
    fault = {"transaction_id": ["value_already_exist"]}
    details: object = fault if is_single else {str(index): fault for index in indices}
    sentence = "the transaction_id is used already (TALLYSTICK_LAGO_REFUSE_DUPLICATES is set)"
    return lago_refusal("validation_errors", sentence, details)
