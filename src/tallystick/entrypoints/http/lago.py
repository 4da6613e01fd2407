"""Answers in the shape that Lago's clients expect."""

import hashlib
from collections.abc import Mapping
from typing import Final

from tallystick.domain.event import Event
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.http.problems import Problem
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
        "lago_id": _id_of(subscription, transaction),
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


def _id_of(subscription: str, transaction: str) -> str:
    """An id in the form of a UUID, the same for the same event."""
    text = f"{len(subscription)}:{subscription}{transaction}"
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


def lago_refusal(code: str, sentence: str) -> Problem:
    """A refusal that carries Lago's own words beside ours."""
    return Problem(
        status=422,
        kind="not-countable",
        detail=sentence,
        more={"error": "Unprocessable Entity", "code": code},
    )
