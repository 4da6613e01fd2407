"""Targets: reports in every format, from the bytes of a request to what was counted."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.envelope import DETAIL_TYPE, is_onboarding, parse_onboarding
from tallystick.domain.errors import InvalidReport, InvalidSetting
from tallystick.domain.event import Event
from tallystick.domain.instant import parse_instant
from tallystick.domain.meter import Aggregation, Filter, Meter, Operator, measured, value_at
from tallystick.domain.quantity import PLACES_MAX, WHOLE_DIGITS_MAX, format_quantity
from tallystick.domain.report import parse_report
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.reading import (
    CLOUD_EVENT,
    CLOUD_EVENTS,
    JSON,
    Sender,
    Sent,
    read_binary,
    read_events,
    read_lago_batch,
    read_line_group,
)
from tallystick.ports import Override
from tallystick.stages.decoding import UnreadableReport, decode, encode
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stores.memory import MemoryStore
from tests.fuzz.refusals import check_problem, check_report

NOW: Final = parse_instant("2026-01-31T12:00:00Z")
AUDIT: Final = Override(at=NOW, who="ada", why="a test", action="save", subject="it")
SENDERS: Final = (
    Sender(origin="fuzz"),
    Sender(origin="fuzz", tenant="acme"),
    Sender(origin="fuzz", idempotency_key="k"),
)
READERS: Final[tuple[Callable[[bytes, Sender], Sent], ...]] = (
    lambda body, sender: read_events(body, JSON, sender),
    lambda body, sender: read_events(body, CLOUD_EVENT, sender),
    lambda body, sender: read_events(body, CLOUD_EVENTS, sender),
    read_lago_batch,
)
LAGO: Final = frozenset({"transaction_id", "external_subscription_id"})
NATIVE: Final = frozenset({"TenantID", "ProductCode", "Quantity", "Timestamp", "EventID"})
METERS: Final = (
    Meter(id="calls", code="calls", aggregation=Aggregation.COUNT),
    Meter(id="sum", code="calls", dimensions=("model",), negatives=True),
    Meter(id="users", code="calls", aggregation=Aggregation.UNIQUE_COUNT, value_path="$.user.id"),
    Meter(id="peak", code="calls", aggregation=Aggregation.MAX, value_path="properties.load"),
)


def one_report(raw: bytes) -> None:
    """One JSON text to an event: exact, and the same event when it is sent again as we keep it."""
    try:
        body = decode(raw)
    except UnreadableReport as error:
        check_report(error)
        return
    _check_onboarding(body)
    try:
        event = parse_report(body, NOW, fallback_key="k")
    except InvalidReport as error:
        check_report(error)
        return
    _check_event(event)
    _check_quantity(raw, event)
    again = parse_report(decode(encode(body)), NOW, fallback_key="k")
    assert again == event


def _check_onboarding(body: object) -> None:
    try:
        found = parse_onboarding(body, NOW)
    except InvalidReport as error:
        check_report(error)
        return
    assert is_onboarding(body)
    assert found.tenant
    assert found.destination
    assert parse_onboarding(decode(encode(body)), NOW) == found


def _check_event(event: Event) -> None:
    assert event.quantity.is_finite()
    assert abs(event.quantity) < 10**WHOLE_DIGITS_MAX
    assert -int(event.quantity.as_tuple().exponent) <= PLACES_MAX
    assert Decimal(format_quantity(event.quantity)) == event.quantity
    assert "\0" not in event.tenant + event.key + event.code
    event.properties.encode()
    json.loads(event.properties)


def _check_quantity(raw: bytes, event: Event) -> None:
    """The quantity is what Python's own decimal reads from the text, to the last digit."""
    found = json.loads(raw, parse_float=Decimal)
    inner = found.get("event")
    if "specversion" in found or ("source" in found and "type" in found):
        place, name = found.get("data"), "quantity"
    elif DETAIL_TYPE in found:
        place, name = found.get("detail"), "Quantity"
    elif isinstance(inner, dict):
        place, name = inner.get("properties"), "quantity"
    elif LAGO & found.keys():
        place, name = found.get("properties"), "quantity"
    else:
        place, name = found, "Quantity" if NATIVE & found.keys() else "quantity"
    sent = place.get(name) if isinstance(place, dict) else None
    default = 0 if event.voids is not None else 1
    assert event.quantity == (default if sent is None else Decimal(str(sent)))


def request_body(raw: bytes) -> None:
    """A body of any JSON format, read and counted: one outcome for each report."""
    if not raw:
        return
    choice, body = raw[0], raw[1:]
    read = READERS[choice % len(READERS)]
    sender = SENDERS[choice // len(READERS) % len(SENDERS)]
    try:
        sent = read(body, sender)
    except Problem as problem:
        check_problem(problem)
        return
    _count(sent.reports)


def _count(sent: tuple[Report, ...]) -> None:
    """Every report is counted or a dead letter, and sent again it changes nothing."""
    store = MemoryStore("here")
    store.catalog.save(Tenant(id="acme"), AUDIT)
    for meter in METERS:
        store.catalog.save(meter, AUDIT)
    intake = intake_of(store)
    outcomes = ingest(sent, intake, NOW)
    assert len(outcomes) == len(sent)
    before = store.events.aggregates(tenant="acme").elements
    again = ingest(sent, intake, NOW)
    assert [isinstance(o, DeadLetter) for o in again] == [
        isinstance(o, DeadLetter) for o in outcomes
    ]
    assert store.events.aggregates(tenant="acme").elements == before


def binary_event(raw: bytes) -> None:
    """A CloudEvent in binary mode: header lines, a blank line, the body."""
    head, _, body = raw.partition(b"\n\n")
    pairs = (line.partition(b":") for line in head.split(b"\n"))
    headers = {n.decode("latin-1").lower(): v.decode("latin-1") for n, _, v in pairs}
    try:
        sent = read_binary(body, headers, SENDERS[0])
    except Problem as problem:
        check_problem(problem)
        return
    _count(sent.reports)


def lines_of_a_stream(raw: bytes) -> None:
    """NDJSON: one report a line."""
    lines = [line for line in raw.split(b"\n") if line.strip()]
    try:
        found = read_line_group(lines, 0, SENDERS[0])
    except Problem as problem:
        check_problem(problem)
        return
    assert len(found) == len(lines)
    _count(found)


def paths_and_filters(raw: bytes) -> None:
    """A meter's paths and filters on an event: path, operator, operand and properties by line."""
    path, name, operand, properties = (raw.split(b"\n", 3) + [b""] * 4)[:4]
    operators = tuple(Operator)
    operator = operators[(name[0] if name else 0) % len(operators)]
    try:
        body = {"tenant": "acme", "code": "calls", "key": "k", "properties": decode(properties)}
        event = parse_report(body, NOW)
        text, compared = path.decode(), operand.decode()
        condition = Filter(text, operator, (compared,))
    except (InvalidReport, InvalidSetting, UnicodeDecodeError):
        return
    for aggregation in Aggregation:
        meter = Meter(
            id="m",
            code="calls",
            aggregation=aggregation,
            value_path=text,
            filters=(condition,),
            dimensions=(text,),
        )
        _check_meter(meter, event, operator)


def _check_meter(meter: Meter, event: Event, operator: Operator) -> None:
    found = value_at(event, meter.value_path)
    if meter.matches(event):
        assert found is not None or operator in (Operator.NOT_EQUAL, Operator.NOT_IN)
    assert len(meter.groups(event)) == 2
    try:
        value, member = measured(meter, event)
    except InvalidReport as error:
        check_report(error)
        return
    assert value.is_finite()
    assert bool(member) == (meter.aggregation is Aggregation.UNIQUE_COUNT)
