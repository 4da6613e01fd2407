"""A batch in columns means what its reports mean one by one, on every store, to the last byte."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tallystick.domain.event import key_of
from tallystick.domain.meter import Aggregation, Filter, Meter, Operator, Span
from tallystick.domain.report import parse_report
from tallystick.domain.tenant import Tenant, Terms
from tallystick.ports import Store
from tallystick.stages.decoding import decode, decode_objects, encode
from tallystick.stages.ingesting import Outcome, Report, ingest, intake_of, kind_of
from tallystick.stages.tabulating import (
    PlainReport,
    PlainReports,
    tabulated,
    tabulated_alone,
    together,
)
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.sizes import STANDARD, Sizes
from tallystick.testing import factories
from tallystick.testing.contract.steps import aggregates, content, next_of
from tallystick.testing.factories import NOON
from tests.contract.test_sqlite import TINY

TENANTS = (
    Tenant(id="acme"),
    Tenant(id="globex", versions=(Terms(zone="Asia/Kathmandu"),)),
)
METERS = (
    Meter(id="requests", code="requests"),
    Meter(id="calls", code="calls", aggregation=Aggregation.COUNT),
    Meter(id="traffic", code="calls"),
    Meter(id="daily", code="calls", span=Span.DAY),
    Meter(id="peak", code="peak", aggregation=Aggregation.MAX),
    Meter(id="regional", code="regional", dimensions=("region",)),
    Meter(
        id="filtered",
        code="filtered",
        filters=(Filter("region", Operator.EQUAL, ("eu",)),),
    ),
    Meter(id="corrections", code="corrections", negatives=True),
)

SMALL = replace(TINY, segment_max=5, accounts_max=4, recent_max=8)

# ── What is sent ──────────────────────────────────────────────────────────────────────────────────

HOURS = ("09", "10", "11")
PLAIN_DATA = (
    {"quantity": 1},
    {"quantity": 0},
    {"quantity": 7, "region": "eu"},
    {"quantity": 7.25, "region": "us"},
    {"quantity": "0.000000000001", "plan": {"name": "ü", "seats": [1, 2.50, None]}},
    {"quantity": 999999999999999, "region": "eu"},
    {"region": "eu", "quantity": 3},
    {"plan": {"quantity": 1, "seats": 2}, "quantity": "4.5"},
    {"region": "eu", "quantity": 12, "plan": {"seats": 1, "quantity": 2}},
)
ODD_DATA = (
    {"quantity": -1},
    {"quantity": 1e15},
    {"quantity": True},
    {"quantity": None},
    {"plan": {"seats": 1, "quantity": 5}},
    {"plan": {"quantity": 5, "seats": 1}},
    {"region": "eu"},
    {"quantity": 1, "note": "\u0000"},
    {"quantity": 1, "note": "x" * 600},
    None,
    [],
    "5",
)
PLAIN_TIMES = tuple(
    f"2026-01-31T{hour}:{rest}"
    for hour in HOURS
    for rest in ("00:00Z", "15:07.5Z", "59:59.999999999Z")
)
ODD_TIMES = (
    "2026-01-31T10:30:00+05:45",
    "2026-01-31t10:30:00z",
    "2026-01-31T10:30:60Z",
    "2026-01-31T12:05:00.000001Z",
    "2026-01-31T10:30:00.Z",
    "0002-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9Z",
    "2026-01-31T10:30:0\u0661Z",
    "yesterday",
)
ODD_IDS = ("", "\u0000", "\ud800", "a\nb", "x" * 520, "1:a")
MORE = ({"data_base64": "eA=="}, {"traceparent": "00-1"}, {"specversion": "0.3"}, {"source": ""})

plain = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": st.integers(0, 40).map(str),
        "source": st.sampled_from(("api", "1:a", "ß")),
        "type": st.sampled_from(("requests", "calls", "calls")),
        "subject": st.sampled_from(("acme", "acme", "umbrella")),
        "time": st.sampled_from(PLAIN_TIMES),
        "data": st.sampled_from(PLAIN_DATA),
    },
    optional={"datacontenttype": st.just("application/json"), "dataschema": st.none()},
)
odd_field = st.one_of(
    st.sampled_from(ODD_DATA).map(lambda data: {"data": data}),
    st.sampled_from(ODD_TIMES).map(lambda time: {"time": time}),
    st.sampled_from(ODD_IDS).map(lambda own_id: {"id": own_id}),
    st.sampled_from(("globex", "nobody", " acme", "acme\t")).map(lambda name: {"subject": name}),
    st.sampled_from(("peak", "regional", "filtered", "corrections", "other")).map(
        lambda code: {"type": code}
    ),
    st.sampled_from(MORE),
)
odd = st.tuples(plain, odd_field).map(lambda both: {**both[0], **both[1]})
void = st.integers(0, 40).map(
    lambda number: {
        "tenant": "acme",
        "key": f"void {number}",
        "voids": f"3:api{len(str(number))}:{number}",
    }
)
batch = st.one_of(
    st.lists(plain, min_size=1, max_size=20),
    st.lists(st.one_of(plain, plain, odd), min_size=1, max_size=6),
    st.lists(void, min_size=1, max_size=2),
)


def written(reports: Sequence[object]) -> bytes:
    return json.dumps(reports).encode()


def read_one_by_one(body: bytes, origin: str) -> tuple[Report, ...]:
    found = decode_objects(body)
    each = [json.dumps(sent).encode() for sent in json.loads(body)] if found is None else found
    return tuple(Report(origin=origin, body=fields) for fields in each)


def read(body: bytes, origin: str) -> PlainReports | None:
    return tabulated(body, cache(lambda: read_one_by_one(body, origin)))


def read_alone(body: bytes, origin: str) -> PlainReports | None:
    """Each in a body of its own, then all in columns."""
    found = [_alone(json.dumps(sent).encode(), origin) for sent in json.loads(body)]
    plain = [one for one in found if one is not None]
    return together(plain) if len(plain) == len(found) else None


def _alone(body: bytes, origin: str) -> PlainReport | None:
    return tabulated_alone(body, lambda: Report(origin=origin, body=decode(body)))


WAYS = {"a batch": read, "each alone": read_alone}

# ── Where it is counted ───────────────────────────────────────────────────────────────────────────


def with_catalog(store: Store) -> Store:
    for setting in (*TENANTS, *METERS):
        store.catalog.save(setting, factories.override())
    return store


def in_memory(_: Path) -> Store:
    return with_catalog(MemoryStore())


def in_sqlite(folder: Path, sizes: Sizes) -> Store:
    return with_catalog(SqliteStore.open(folder / "tally.db", incarnation="first", sizes=sizes))


STORES: dict[str, Callable[[Path], Store]] = {
    "memory": in_memory,
    "sqlite": lambda folder: in_sqlite(folder, STANDARD),
    "sqlite, all small": lambda folder: in_sqlite(folder, SMALL),
}


def told(store: Store, reports: Sequence[Report]) -> tuple[Outcome, ...]:
    return tuple(ingest(reports, intake_of(store), NOON))


def seal_all(store: Store) -> None:
    for aggregate in aggregates(store):
        if aggregate.key.window.end <= NOON:
            store.ledger.append([next_of(store, aggregate.key)])


def listed(store: Store) -> dict[str, Sequence[object]]:
    """Everything there is; what is due in an order of its own, since each store has another."""
    found = content(store)
    return {**found, "aggregates due": sorted(found["aggregates due"], key=repr)}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("make", STORES.values(), ids=STORES.keys())
@settings(max_examples=60)
@given(batches=st.lists(batch, min_size=1, max_size=6), seals=st.sets(st.integers(0, 5)))
def test_a_batch_in_columns_is_counted_as_its_reports_are_one_by_one(make, way, batches, seals):
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        in_columns, by_themselves = make(Path(one)), in_memory(Path(other))
        for number, reports in enumerate(batches):
            body, origin = written(reports), f"test {number}"
            ordinary = read_one_by_one(body, origin)
            sheet = way(body, origin)
            event("in columns" if sheet else "one by one")
            assert told(in_columns, sheet or ordinary) == told(by_themselves, ordinary)
            if number in seals:
                seal_all(in_columns)
                seal_all(by_themselves)
        assert listed(in_columns) == listed(by_themselves)
        in_columns.close()


# ── Cases that a draw may miss ────────────────────────────────────────────────────────────────────


def sent(number: int, quantity: object = 1, **more: object) -> dict[str, object]:
    usual = {
        "specversion": "1.0",
        "id": str(number),
        "source": "api",
        "type": "requests",
        "subject": "acme",
        "time": "2026-01-31T10:30:00Z",
        "data": {"quantity": quantity},
    }
    return usual | more


def counted(store: Store, *reports: dict[str, object]) -> list[str]:
    """What became of each, in columns."""
    found = read(written(reports), "a test")
    assert found is not None
    return list(map(kind_of, told(store, found)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore.open(tmp_path / "tally.db", incarnation="first")
    yield with_catalog(found)
    found.close()


def total(store: Store) -> Decimal:
    return sum((a.value for a in aggregates(store)), start=Decimal(0))


def test_what_a_sheet_repeats_is_not_added_again(store):
    first = counted(store, sent(1, 5), sent(1, 5), sent(2, 7))
    again = counted(store, sent(1, 5), sent(2, 8), sent(3, 11), sent(3, 12))

    assert first == ["recorded", "duplicate", "recorded"]
    assert again == ["duplicate", "conflict", "recorded", "conflict"]
    assert total(store) == 5 + 7 + 11
    assert [letter.body for letter in store.dead_letters.list().elements] == [
        encode(sent(2, 8)),
        encode(sent(3, 12)),
    ]


def test_a_sheet_knows_of_a_void_that_came_before_its_event(store):
    void = {"tenant": "acme", "key": "v", "voids": key_of("api", "1")}
    assert told(store, [Report(origin="a test", body=void)])

    assert counted(store, sent(1, 5), sent(2, 7)) == ["recorded", "recorded"]
    assert total(store) == 7


def test_what_a_sheet_adds_to_a_sealed_window_is_late(store):
    counted(store, sent(1))
    seal_all(store)

    assert counted(store, sent(2), sent(3, time="2026-01-31T11:30:00Z")) == ["late", "recorded"]


def test_the_future_of_one_report_is_told_of_that_one_alone(store):
    future = sent(2, time="2026-01-31T12:05:00.000001Z")

    assert counted(store, sent(1), future) == ["recorded", "dead_letter"]
    assert total(store) == 1


def test_a_total_that_may_overflow_is_folded_step_by_step(store):
    usual = factories.recording(factories.event("e"), METERS[0])
    nearly = replace(usual.contributions[0], value=Decimal(10**38 - 3))
    store.events.record([replace(usual, contributions=(nearly,))], NOON)

    became = counted(store, sent(1, 1), sent(2, 2), sent(3, 1), sent(4, 1))

    assert became == ["recorded", "dead_letter", "recorded", "dead_letter"]
    assert [one.value for one in aggregates(store)] == [Decimal(10**38 - 1)]


def test_an_event_of_a_sheet_tells_its_fingerprint_without_keeping_it(store):
    event = parse_report(decode(json.dumps(sent(1, 2.50))), NOON)

    counted(store, sent(1, 2.50), sent(2))

    with closing(apsw.Connection(str(store.path))) as db:
        assert db.execute("SELECT count, fingerprints FROM segment_part").fetchall() == [(2, b"")]
    assert store.events.event("acme", event.key) == event


OTHERS = (
    sent(1, 6),
    sent(1, 5, type="calls"),
    sent(1, 5, time="2026-01-31T10:30:00.000001Z"),
    sent(1, data={"quantity": 5, "region": "eu"}),
)


@pytest.mark.parametrize("other", OTHERS)
def test_a_known_key_with_anything_else_beside_it_is_a_conflict(store, other):
    counted(store, sent(1, 5))

    assert counted(store, other, sent(1, "5.0")) == ["conflict", "duplicate"]
    assert told(store, [Report(origin="a test", body=other)])[0].receipt == "conflict"


def test_a_known_key_is_told_without_reading_what_the_others_of_its_segment_changed(
    store, monkeypatch
):
    counted(store, sent(1, 5), sent(2, 7))
    monkeypatch.setattr("tallystick.stores.sqlite.segments.unpack_body", pytest.fail)

    assert counted(store, sent(2, 7), sent(1, 6)) == ["duplicate", "conflict"]


def test_several_bodies_are_one_sheet_and_each_report_keeps_its_origin(store):
    bodies = [read(written([sent(n), sent(n + 1)]), f"body {n}") for n in (0, 10, 20)]
    bodies[1:1] = [_alone(json.dumps(sent(n)).encode(), f"body {n}") for n in (5, 6)]
    reports = together([found for found in bodies if found is not None])

    assert [kind_of(one) for one in told(store, reports)] == ["recorded"] * 8
    origins = [f"body {n}" for n in (0, 0, 5, 6, 10, 10, 20, 20)]
    assert [report.origin for report in reports] == origins
    assert [report.body for report in reports[1:5]] == [sent(n) for n in (1, 5, 6, 10)]


@pytest.mark.parametrize("odd_one", [{"data": {"quantity": -1}}, {"traceparent": "00"}, {"id": ""}])
def test_a_batch_with_one_report_of_another_kind_is_not_read_in_columns(odd_one):
    assert read(written([sent(1), sent(2)]), "a test") is not None
    assert read(written([sent(1), sent(2, **odd_one)]), "a test") is None
    assert _alone(json.dumps(sent(2, **odd_one)).encode(), "a test") is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"quantity":5,"quantity":7}',
        b'{"quantity":5,"region":"eu","quantity":7}',
        b'{"region":"eu","quantity":5,"quantity":7}',
        b'{"quantity":5,"quantity":6,"region":"eu","quantity":7}',
    ],
)
def test_a_quantity_that_is_repeated_is_its_last_in_columns_too(store, data):
    body = written([sent(1)]).replace(b'{"quantity": 1}', data)
    found = read(body, "a test")

    assert found is not None
    assert [kind_of(one) for one in told(store, found)] == ["recorded"]
    assert total(store) == 7


def test_quantities_too_far_apart_for_one_unit_are_counted_one_by_one(store):
    apart = [sent(1, 999_999_999_999_999), sent(2, "0.000000000001")]
    one, other = (read(written([each]), "a test") for each in apart)

    assert read(written(apart), "a test") is None
    assert one is not None
    assert other is not None
    assert [kind_of(each) for each in told(store, together([one, other]))] == ["recorded"] * 2
    assert total(store) == Decimal("999999999999999.000000000001")


def test_a_repeated_field_of_a_report_in_columns_is_its_last(store):
    body = written([sent(1)]).replace(b'"subject"', b'"subject": "nobody", "subject"')
    found = read(body, "a test")

    assert found is not None
    assert [kind_of(one) for one in told(store, found)] == ["recorded"]
    assert total(store) == 1
