"""Reports of events that were accepted and then found wrong: Stripe's thin v2 events."""

from .answers import Body
from .books import Books
from .clock import rfc3339
from .records import MeterFault, ThinEvent

ERROR_REPORT = "v1.billing.meter.error_report_triggered"
NO_METER = "v1.billing.meter.no_meter_found"
_THIN = ("id", "object", "type", "created", "livemode", "context", "reason", "related_object")


def report(books: Books, fault: MeterFault, now: int) -> None:
    """Report at once, or with the other errors of the meter when the validation window ends."""
    window = books.settings.report_window_seconds
    if window == 0:
        _publish(books, fault.meter, (now, now), (fault,))
        return
    start = now // window * window
    waiting = books.open_reports.setdefault((fault.meter, start), [])
    if not waiting:
        books.plan(start + window, "report", f"{fault.meter or ''}|{start}")
    waiting.append(fault)


def close_window(books: Books, reference: str) -> None:
    """The validation window is over: publish what was found in it."""
    meter, _, start = reference.rpartition("|")
    key = (meter or None, int(start))
    end = key[1] + books.settings.report_window_seconds
    _publish(books, key[0], (key[1], end), tuple(books.open_reports.pop(key)))


def _publish(
    books: Books, meter: str | None, span: tuple[int, int], faults: tuple[MeterFault, ...]
) -> None:
    event = ThinEvent(
        id=books.new_id("evt"),
        created=span[1],
        type=NO_METER if meter is None else ERROR_REPORT,
        meter=meter,
        start=span[0],
        end=span[1],
        faults=faults,
    )
    books.thin_events[event.id] = event
    books.announce(event.type, event, event.created)


def notification(books: Books, event: ThinEvent, *, livemode: bool) -> Body:
    """What a webhook carries of the event: thin, without its data."""
    body = rendered(books, event, livemode=livemode)
    return {name: body[name] for name in _THIN if name in body}


def rendered(books: Books, event: ThinEvent, *, livemode: bool) -> Body:
    """The event with its data, as `GET /v2/core/events/:id` answers it."""
    body: Body = {
        "id": event.id,
        "object": "v2.core.event",
        "type": event.type,
        "created": rfc3339(event.created),
        "livemode": livemode,
        "context": None,
        "changes": None,
        "reason": None,
        "snapshot_event": None,
        "data": {
            "developer_message_summary": _summary(event),
            "reason": _reason(event.faults, books.settings.report_samples_max),
            "validation_start": rfc3339(event.start),
            "validation_end": rfc3339(event.end),
        },
    }
    if event.meter is not None:
        url = f"/v1/billing/meters/{event.meter}"
        body["related_object"] = {"id": event.meter, "type": "billing.meter", "url": url}
    return body


def _summary(event: ThinEvent) -> str:
    count = len(event.faults)
    return f"There {'is' if count == 1 else 'are'} {count} invalid event{'s' * (count != 1)}"


def _reason(faults: tuple[MeterFault, ...], samples_max: int) -> Body:
    by_code: dict[str, list[MeterFault]] = {}
    for fault in faults:
        by_code.setdefault(fault.code, []).append(fault)
    return {
        "error_count": len(faults),
        "error_types": [
            {
                "code": code,
                "error_count": len(found),
                "sample_errors": [_sample(fault) for fault in found[:samples_max]],
            }
            for code, found in by_code.items()
        ],
    }


def _sample(fault: MeterFault) -> Body:
    return {"error_message": fault.message, "request": {"identifier": fault.request}}
