"""Accepting meter events: what is refused at once, what only later, and what counts twice."""

from dataclasses import dataclass, replace

from . import thin_events
from .answers import Refusal, error_answer, invalid
from .books import Books, SeenIdentifier
from .params import Params, integer, limited, only, required, text, texts
from .quantities import parsed, significant_digits
from .records import Meter, MeterFault, ReceivedEvent

MESSAGES = {
    "archived_meter": "The meter is archived.",
    "meter_event_customer_not_found": "The customer provided in the event payload was not found.",
    "meter_event_invalid_value": "The value provided in the event payload is not a number.",
    "meter_event_no_customer_defined": "The event payload names no customer.",
    "meter_event_value_not_found": "The event payload has no value.",
    "no_meter": "No active meter found with this event name",
    "timestamp_in_future": "The timestamp must be at most 5 minutes in the future.",
    "timestamp_too_far_in_past": "The timestamp must be within the past 35 calendar days.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A meter event as the caller sent it."""

    event_name: str
    payload: dict[str, str]
    identifier: str | None
    timestamp: int


def parsed_report(params: Params, now: int) -> Report:
    """Read the parameters of `POST /v1/billing/meter_events`, or refuse them."""
    only(params, "event_name", "payload", "identifier", "timestamp")
    event_name = required(params, "event_name")
    limited(params, "event_name", 100)
    payload = texts(params, "payload")
    if not payload:
        raise invalid("Missing required param: payload.", code="parameter_missing", param="payload")
    timestamp = integer(params, "timestamp")
    identifier = limited(params, "identifier", 100)
    return Report(event_name, payload, identifier, now if timestamp is None else timestamp)


def active_meter(books: Books, event_name: str) -> Meter | None:
    """The meter an event of that name goes to."""
    meter = books.meters.get(books.meter_by_event_name.get(event_name, ""))
    return meter if meter is not None and meter.status == "active" else None


def receive(
    books: Books,
    report: Report,
    now: int,
    *,
    idempotency_key: str | None = None,
    rejected: str | None = None,
) -> ReceivedEvent:
    """Accept the event, or refuse it; an accepted one may still be reported as wrong.

    `rejected` orders the asynchronous error of an otherwise good event.
    """
    meter = active_meter(books, report.event_name)
    _refuse_at_once(books, report, meter, now)
    identifier = report.identifier or books.new_id("mevt")
    _take_identifier(books, report.event_name, identifier, now)
    code = rejected or _fault_found_later(books, report, meter, now)
    event = _event(books, report, meter, identifier, now=now, code=code)
    event = replace(event, idempotency_key=idempotency_key)
    books.keep_event(event)
    if code is not None:
        unknown = code == "no_meter" or meter is None
        fault = MeterFault(
            sequence=event.sequence,
            code=code,
            message=MESSAGES.get(code, code),
            request=identifier,
            meter=None if unknown or meter is None else meter.id,
        )
        thin_events.report(books, fault, now)
    return event


def _event(
    books: Books,
    report: Report,
    meter: Meter | None,
    identifier: str,
    *,
    now: int,
    code: str | None,
) -> ReceivedEvent:
    value = report.payload.get(meter.value_key) if meter else None
    return ReceivedEvent(
        sequence=len(books.received),
        event_name=report.event_name,
        identifier=identifier,
        timestamp=report.timestamp,
        received_at=now,
        payload=report.payload,
        meter=meter.id if meter else None,
        customer=report.payload.get(meter.customer_key) if meter else None,
        value=None if value is None else parsed(value),
        rejected=code,
    )


def _refuse_at_once(books: Books, report: Report, meter: Meter | None, now: int) -> None:
    if meter is None and books.settings.unknown_meter == "answer":
        raise invalid(MESSAGES["no_meter"], param="event_name")
    code = _timestamp_fault(books, report.timestamp, now)
    if code is not None and books.settings.timestamp_refusal == "answer":
        raise invalid(MESSAGES[code], code=code, param="timestamp")
    value = report.payload.get(meter.value_key, "") if meter else ""
    digits_max = books.settings.value_digits_max
    if parsed(value) is not None and significant_digits(value) > digits_max:
        raise invalid(
            f"The meter event value has more than {digits_max} significant digits.",
            code="meter_event_value_too_many_digits",
            param="payload",
        )


def _timestamp_fault(books: Books, timestamp: int, now: int) -> str | None:
    if timestamp < now - books.settings.oldest_event_seconds:
        return "timestamp_too_far_in_past"
    if timestamp > now + books.settings.newest_event_seconds:
        return "timestamp_in_future"
    return None


def _fault_found_later(books: Books, report: Report, meter: Meter | None, now: int) -> str | None:
    if meter is None:
        return "no_meter"
    customer = text(report.payload, meter.customer_key)
    value = text(report.payload, meter.value_key)
    if customer is None:
        return "meter_event_no_customer_defined"
    if customer not in books.customers:
        return "meter_event_customer_not_found"
    if value is None and meter.formula != "count":
        return "meter_event_value_not_found"
    if value is not None and parsed(value) is None and meter.formula != "count":
        return "meter_event_invalid_value"
    return _timestamp_fault(books, report.timestamp, now)


def _scope(books: Books, event_name: str) -> str:
    return event_name if books.settings.identifier_scope == "event_name" else ""


def _take_identifier(books: Books, event_name: str, identifier: str, now: int) -> None:
    key = (_scope(books, event_name), identifier)
    seen = books.identifiers.get(key)
    if seen is not None and now - seen.at < books.settings.identifier_seconds:
        message = f"An event already exists with identifier {identifier}."
        headers = {"Stripe-Should-Retry": "false"}
        raise Refusal(error_answer(400, "invalid_request_error", message, headers=headers))
    books.identifiers[key] = SeenIdentifier(now, len(books.received))


def cancel(books: Books, params: Params, now: int) -> tuple[str, str]:
    """Undo an event by its identifier, within a day of its receipt; a finalised invoice stays."""
    only(params, "event_name", "type", "cancel")
    event_name = required(params, "event_name")
    if text(params, "type") != "cancel":
        raise invalid("Invalid type: must be cancel", param="type")
    identifier = required(params_cancel(params), "identifier")
    seen = books.identifiers.get((_scope(books, event_name), identifier))
    if seen is None or books.received[seen.sequence].event_name != event_name:
        raise invalid(f"No event found with identifier {identifier}.", param="cancel[identifier]")
    event = books.received[seen.sequence]
    if now - event.received_at >= books.settings.cancel_seconds:
        message = "Meter events can only be cancelled within 24 hours of being received."
        raise invalid(message, param="cancel[identifier]")
    if event.cancelled_at is None:
        books.received[seen.sequence] = replace(event, cancelled_at=now)
    return event_name, identifier


def params_cancel(params: Params) -> Params:
    """The nested `cancel` hash."""
    nested = params.get("cancel")
    return nested if isinstance(nested, dict) else {}
