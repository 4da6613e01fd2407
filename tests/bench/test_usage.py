"""What fills a store beforehand is what the server would have stored of the same events."""

from bench.table.usage import (
    FILLED,
    LIVE,
    ORDERED,
    Usage,
    expected_total,
    many,
    rules_of,
    set_up_catalog,
)
from tallystick.domain.instant import HOUR, floor_hour, parse_instant
from tallystick.stages.decoding import decode
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.totalling import By, totals
from tallystick.stores.memory import MemoryStore

AT = parse_instant("2026-11-22T10:30:00Z")
USAGE = Usage(at=AT, live_at=AT)
NUMBERS = [space + number for space in (FILLED, LIVE, ORDERED) for number in range(300)]


def test_a_fill_is_what_was_ingested():
    sent, filled = (MemoryStore(incarnation=name) for name in ("sent", "filled"))
    for store in (sent, filled):
        set_up_catalog(store)
    bodies = decode(many([USAGE.event(number) for number in NUMBERS]))

    ingest([Report(origin="test", body=body) for body in bodies], intake_of(sent), AT)
    filled.events.record(USAGE.sheet(rules_of(filled), NUMBERS), AT)

    assert filled.events.events().elements == sent.events.events().elements
    found = filled.events.aggregates().elements
    assert found == sent.events.aggregates().elements
    assert [filled.events.changes(a.key) for a in found] == [
        sent.events.changes(a.key) for a in found
    ]


def test_each_number_is_an_event_of_its_own_and_always_the_same():
    events = [USAGE.event(number) for number in NUMBERS]

    assert len(set(events)) == len(NUMBERS)
    assert events == [Usage(at=AT, live_at=AT).event(number) for number in NUMBERS]


def test_live_events_occur_in_this_hour_and_stored_ones_before_it():
    for number in NUMBERS:
        occurred = USAGE.occurred(number)

        assert (occurred >= floor_hour(AT)) == (number >= LIVE)
        assert floor_hour(AT) - 25 * HOUR < occurred <= AT


def test_the_expected_total_is_what_a_store_counts():
    store = MemoryStore(incarnation="counted")
    set_up_catalog(store)
    store.events.record(USAGE.sheet(rules_of(store), NUMBERS[:500]), AT)

    counted = sum(total.quantity for total in totals(store, By.TOTAL))

    assert counted == expected_total(NUMBERS[:500])
