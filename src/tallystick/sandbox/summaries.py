"""Reading a meter back: totals per customer and window, as late as the sandbox is told to be."""

from .answers import Body, invalid, missing_reference
from .books import Books
from .catalogue import found_meter
from .params import Params, choice, only, required, required_integer
from .records import Meter
from .totals import Span, counting_events, grouped

_PARAMETERS = (
    "customer",
    "start_time",
    "end_time",
    "value_grouping_window",
    "limit",
    "starting_after",
    "ending_before",
)
_WINDOWS = {"hour": 3_600, "day": 86_400}


def summaries(
    books: Books, identity: str, params: Params, now: int, *, lag: int, livemode: bool
) -> list[Body]:
    """Every summary asked for, newest window first; the caller cuts pages out of it."""
    meter = found_meter(books, identity)
    only(params, *_PARAMETERS)
    customer = required(params, "customer")
    if customer not in books.customers:
        raise missing_reference("customer", customer, "customer")
    window = choice(params, "value_grouping_window", ("hour", "day"))
    seconds = _WINDOWS.get(window or "")
    span = _span(params, seconds)
    read = span if books.settings.summary_end == "exclusive" else (span[0], span[1] + 1)
    events = counting_events(books, meter, customer, read, received_until=now - lag)
    return [
        _rendered(meter, customer, place, float(value), livemode=livemode)
        for place, value in grouped(meter, events, span, seconds)
    ]


def _span(params: Params, window: int | None) -> Span:
    start = required_integer(params, "start_time")
    end = required_integer(params, "end_time")
    if end <= start:
        raise invalid("end_time must be after start_time.", param="end_time")
    step, words = {
        None: (60, "minute boundaries"),
        3_600: (3_600, "UTC hour boundaries"),
        86_400: (86_400, "UTC day boundaries"),
    }[window]
    for name, value in (("start_time", start), ("end_time", end)):
        if value % step:
            raise invalid(f"The {name} must align with {words}.", param=name)
    return start, end


def _rendered(meter: Meter, customer: str, span: Span, value: float, *, livemode: bool) -> Body:
    return {
        "id": f"mtrusg_{meter.id}_{customer}_{span[0]}_{span[1]}",
        "object": "billing.meter_event_summary",
        "aggregated_value": value,
        "start_time": span[0],
        "end_time": span[1],
        "livemode": livemode,
        "meter": meter.id,
    }
