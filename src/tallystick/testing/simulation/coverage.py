"""What a world is meant to meet, by name, so that a draw that never happens is seen.

Most is counted where it happens: by the provider, the workers, the witness and the world. What a
plan alone says is counted here.
"""

from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from tallystick.domain.instant import HOUR, to_datetime
from tallystick.domain.meter import WHOLE
from tallystick.testing.simulation.plan import Plan
from tallystick.testing.simulation.settings import Customer

SITUATIONS: Final = MappingProxyType(
    {
        "aggregation sum": "a sum",
        "aggregation count": "a count",
        "aggregation min": "a minimum",
        "aggregation max": "a maximum",
        "aggregation latest": "a latest value",
        "aggregation unique_count": "a unique count",
        "aggregation average": "an average",
        "span hour": "a meter over the hour",
        "span day": "over the tenant's day",
        "span period": "over its billing period",
        "dimension set": "usage apart by a dimension",
        "mapped dimension set": "a mapping that names one dimension value",
        "filtered": "a meter with a filter",
        "tenants of one customer": "several tenants that share a customer and its slots",
        "clocks change": "a zone's clocks change within the run",
        "zone of a part of an hour": "a zone whose midnight lies inside a UTC hour",
        "period ends": "a billing period ends within the run",
        "period starts inside an hour": "a period that starts inside a UTC hour",
        "anchor on day 31": "a month's anchor on day 31",
        "billed by the year": "a period longer than the provider looks back",
        "zone changed": "a tenant's zone changes, from its next period on",
        "anchor changed": "its anchor or interval changes, from its next period on",
        "meter changed": "a meter's definition changes, from the next period on",
        "mapping changed": "a mapping changes at an hour within the run",
        "mapping made late": "a mapping that is made after usage came",
        "receipt recorded": "an event, counted",
        "receipt duplicate": "the same event again",
        "receipt conflict": "another event under the same key",
        "receipt late": "an event into a window that was sealed",
        "void": "a void",
        "void before its event": "a void that comes before its event",
        "void again": "a second void of one event",
        "negative quantity": "a negative quantity",
        "reported a month late": "usage from before the run, up to 60 days back",
        "sheet": "a batch in columns",
        "sheet of several": "one of several events",
        "sheet of fifty": "one of fifty events or more",
        "sheet of several cells": "one of several tenants, codes or hours",
        "sheet with duplicates": "one with events that were there before, or twice in it",
        "sheet that repeats itself": "one with the same key twice in it",
        "sheet again": "one of several events, all of which were there before",
        "sheet with a conflict": "one with another event under a known key",
        "late sheet": "one with an event into a window that was sealed",
        "sheet past a void": "one with an event that a void named before it came",
        "void of a sheet's event": "a void of an event that came in columns",
        "entry seal": "a first Entry",
        "entry correction": "a correction",
        "entry release": "a release of what was held",
        "entry carry": "a carry into another period",
        "slot lowered": "an Entry that lowers a slot",
        "held: no mapping": "held: nobody maps it",
        "held: before publish_from": "held: before publish_from",
        "held: a billing period starts inside this UTC hour": "held: a cut hour",
        "held: the slot is closed": "held: its slot was closed",
        "slot closed by age": "a slot that closes by the provider's 35 days",
        "sent to fake.hour_meter": "an absolute value for an hour, sent",
        "sent to fake.sum_meter": "a difference to a sum, sent",
        "sent to fake.usage_record": "an absolute whole number, read by the period, sent",
        "sent to fake.one_record": "the one record of an hour, sent",
        "moved to a later slot": "what came too late for it, moved to a later hour of the bill",
        "resent": "a publication sent again as it was",
        "publication confirmed": "confirmed by a reading",
        "publication rejected": "known not to have counted",
        "absence proven": "an absence proven by two readings",
        "publication superseded": "set again without a verdict",
        "settled by a person": "settled by a person",
        "turn while all is paused": "a turn of a worker while all is paused",
        "turn while a tenant is paused": "one while a tenant is paused",
        "turn while a destination is held": "one while reconcile holds a destination",
        "reconciled": "a worker's reconciliation",
        "repaired": "a worker's repair",
        "restored": "the store is lost, and an older copy takes its place",
        "changed behind our back": "somebody else writes into the provider's books",
        "lands": "a request that lands",
        "lost": "a request that is lost",
        "answer_lost": "an answer that is lost",
        "late": "a request that lands minutes later",
        "busy": "429",
        "failed": "500, nothing counted",
        "failed_after": "500, and counted",
        "swallowed": "2xx, and not counted; most are reported as errors later",
        "webhook": "the provider tells of late refusals by itself",
        "refused": "a refusal",
        "refused: no such customer": "a refusal for its customer",
        "outage": "no connection for hours",
        "denied": "a key that is not accepted for hours",
        "unread": "totals that cannot be read",
        "shown late": "a total that is shown as of earlier, up to 47 hours",
        "crash": "a worker that dies at a call",
        "sleep": "a worker that stops at a call",
        "woke hours later": "one that wakes two hours later or more",
        "store_before": "a store call that fails before it is done",
        "store_after": "one that fails after it was done",
        "clock jumped ahead": "a worker's clock that jumps ahead",
        "clock jumped back": "one that jumps back",
        "no worker for hours": "hours without any worker",
    }
)
"""Name, and what happens. Counted besides: `reopened`, where a world runs on files, and the race
`given back to a spent slot`, in one world of a thousand."""


def planned(plan: Plan) -> Iterator[str]:
    """What the plan alone says, each once."""
    for customer in plan.customers:
        yield from _timed(customer, plan)
    if len({c.name for c in plan.customers}) < len(plan.customers):
        yield "tenants of one customer"
    if any(m.filters for m in plan.meters):
        yield "filtered"
    if any(m.group != WHOLE for _, m in plan.mappings):
        yield "mapped dimension set"
    if any(at > plan.start for at, _ in plan.mappings):
        yield "mapping made late"
    if len({(m.tenant, m.meter) for _, m in plan.mappings}) < len(plan.mappings):
        yield "mapping changed"
    if any(e.occurred_at < plan.start for r in plan.reports for e in r.events):
        yield "reported a month late"
    if plan.away:
        yield "no worker for hours"


def _timed(customer: Customer, plan: Plan) -> Iterator[str]:
    calendar, end = customer.calendar, plan.start + plan.hours * HOUR
    period = calendar.period(plan.start)
    if period.end < end:
        yield "period ends"
    if period.start % HOUR:
        yield "period starts inside an hour"
    if calendar.unit == "month" and to_datetime(calendar.anchor).day == 31:
        yield "anchor on day 31"
    if calendar.unit == "year":
        yield "billed by the year"
    offsets = [_offset(calendar.zone, at) for at in (plan.start, end)]
    if offsets[0] != offsets[1]:
        yield "clocks change"
    if offsets[0] % timedelta(hours=1):
        yield "zone of a part of an hour"
    if calendar.then is not None and calendar.then[0] < end:
        other = calendar.then[1]
        same = (other.anchor, other.unit) == (calendar.anchor, calendar.unit)
        yield "zone changed" if same else "anchor changed"
    if any(at < period.end < end for at, _ in plan.versions):
        yield "meter changed"


def _offset(zone: str, at: int) -> timedelta:
    return to_datetime(at).astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
