"""Every report is counted, a duplicate, or a dead letter with a reason."""

import json
from decimal import Decimal

import pytest

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.event import Receipt
from tallystick.domain.instant import MINUTE
from tallystick.domain.meter import Filter, Meter, Operator
from tallystick.domain.quantity import format_quantity
from tallystick.domain.tenant import Tenant
from tallystick.ports import Recorded
from tallystick.stages.decoding import too_large
from tallystick.stages.ingesting import Intake, Outcome, Report, ingest, intake_of, replay
from tallystick.stores.memory import MemoryStore
from tallystick.testing import factories
from tallystick.testing.factories import NOON

REQUESTS = Meter(id="requests", code="requests")


def store_with(*changed: Tenant | Meter) -> MemoryStore:
    store = MemoryStore()
    for change in changed:
        store.catalog.save(change, factories.override())
    return store


@pytest.fixture
def store() -> MemoryStore:
    return store_with(Tenant(id="acme"), REQUESTS)


@pytest.fixture
def intake(store: MemoryStore) -> Intake:
    return intake_of(store)


def body(key: str = "k", **changed: object) -> dict[str, object]:
    fields = {
        "tenant": "acme",
        "code": "requests",
        "key": key,
        "quantity": 5,
        "occurred_at": "2026-01-31T10:30:00Z",
    }
    return {k: v for k, v in {**fields, **changed}.items() if v is not None}


def report(key: str = "k", **changed: object) -> Report:
    return Report(origin=f"test:{key}", body=json.dumps(body(key, **changed)).encode())


def one(report: Report, intake: Intake) -> Outcome:
    (outcome,) = ingest([report], intake, NOON)
    return outcome


def letter(report: Report, intake: Intake) -> DeadLetter:
    outcome = one(report, intake)
    assert isinstance(outcome, DeadLetter)
    return outcome


def receipt(report: Report, intake: Intake) -> Receipt:
    outcome = one(report, intake)
    assert isinstance(outcome, Recorded)
    return outcome.receipt


def total(store: MemoryStore) -> str:
    return format_quantity(
        sum((a.value for a in store.events.aggregates().elements), start=Decimal(0))
    )


def test_a_report_is_recorded_once_however_often_it_comes(store, intake):
    assert receipt(report(), intake) is Receipt.RECORDED
    assert receipt(report(), intake) is Receipt.DUPLICATE

    assert total(store) == "5"


def test_a_retry_without_a_time_is_a_duplicate_however_late_it_comes(store, intake):
    anonymous = report(occurred_at=None)

    ingest([anonymous], intake, NOON)
    (again,) = ingest([anonymous], intake, NOON + 600 * MINUTE)

    assert isinstance(again, Recorded)
    assert again.receipt is Receipt.DUPLICATE


def test_the_same_key_with_other_content_is_a_conflict_and_kept(store, intake):
    ingest([report()], intake, NOON)

    assert receipt(report(quantity=6), intake) is Receipt.CONFLICT
    (kept,) = store.dead_letters.list().elements
    assert (kept.reason, kept.tenant, total(store)) == (Reason.CONFLICT, "acme", "5")


def test_a_bad_report_does_not_hold_up_its_neighbours(store, intake):
    bad = [
        report("no tenant", tenant=""),
        report("absent tenant", tenant=None),
        report("unknown tenant", tenant="nobody"),
        report("unknown code", code="nothing"),
        report("negative", quantity=-1),
        report("nan", quantity="NaN"),
        report("bomb", quantity="1e999999999"),
        report("forty digits", quantity="9" * 40),
        report("naive", occurred_at="2026-01-31T10:30:00"),
        report("impossible", occurred_at="2026-02-30T10:30:00Z"),
        report("future", occurred_at="2026-01-31T12:05:00.000001Z"),
        report("list", code=[]),
        Report(origin="test:utf8", body=b'{"tenant": "\xff"}'),
        Report(origin="test:json", body=b"{"),
        Report(origin="test:large", body=b"x" * 2_000_000),
    ]
    among_good = [
        r for pair in zip(bad, map(report, map(str, range(99))), strict=False) for r in pair
    ]

    outcomes = ingest(among_good, intake, NOON)

    assert [type(o) for o in outcomes] == [DeadLetter, Recorded] * len(bad)
    assert total(store) == str(5 * len(bad))
    assert len(store.dead_letters.list().elements) == len(bad)


@pytest.mark.parametrize(
    ("bad", "reason", "pointer", "detail"),
    [
        (report(tenant=""), Reason.INVALID, "/tenant", "send a text"),
        (report(tenant="nobody"), Reason.UNKNOWN_TENANT, "/tenant", "tallystick tenants add"),
        (report(code="nothing"), Reason.UNKNOWN_CODE, "/code", "tallystick meters add"),
        (report(quantity=-1), Reason.INVALID, "/quantity", "takes no negatives"),
        (
            report(occurred_at="2026-01-31T12:05:00.000001Z"),
            Reason.FUTURE,
            "/occurred_at",
            "5 minutes ahead",
        ),
        (Report(origin="o", body=b'"\xff"'), Reason.UNREADABLE, "", "UTF-8"),
    ],
)
def test_a_dead_letter_names_the_field_and_what_to_do(intake, bad, reason, pointer, detail):
    dead = letter(bad, intake)

    assert (dead.reason, dead.origin, dead.received_at) == (reason, bad.origin, NOON)
    assert dead.errors[0].pointer == pointer
    assert detail in dead.errors[0].detail


def test_five_minutes_ahead_is_still_accepted(intake):
    assert receipt(report(occurred_at="2026-01-31T12:05:00Z"), intake) is Receipt.RECORDED


def test_any_past_is_counted(intake):
    assert receipt(report(occurred_at="1987-01-31T12:05:00Z"), intake) is Receipt.RECORDED


def test_a_value_path_that_is_not_there_is_named():
    intake = intake_of(
        store_with(Tenant(id="acme"), Meter(id="air", code="requests", value_path="air.time"))
    )

    dead = letter(report(properties={"air": {"tim": 5}}), intake)

    assert (dead.reason, dead.errors[0].pointer) == (Reason.INVALID, "/air/time")
    assert "change the meter's path" in dead.errors[0].detail


def test_a_report_whose_reader_refused_it_is_a_dead_letter(intake):
    refused = Report(origin="f:1", body="{…", refused=too_large(50_000_000))

    dead = letter(refused, intake)

    assert (dead.reason, dead.body) == (Reason.UNREADABLE, "{…")
    assert "50000000 bytes" in dead.errors[0].detail


def test_of_a_report_too_large_to_be_read_only_the_beginning_is_kept(intake):
    dead = letter(Report(origin="f:1", body=b"x" * 5_000_000), intake)

    assert (len(dead.body), dead.errors[0].code) == (4096, "too_large")


def test_a_total_that_would_overflow_becomes_a_dead_letter(store):
    class Overflowing:
        def record(self, batch, now):
            return tuple(Recorded(Receipt.RECORDED, refused=Reason.OVERFLOW) for _ in batch)

    store.events = Overflowing()

    dead = letter(report(), intake_of(store))

    assert (dead.reason, dead.errors[0].code) == (Reason.OVERFLOW, "overflow")
    assert store.dead_letters.list().elements == (dead,)


def test_the_same_dead_letter_is_kept_once(store, intake):
    for _ in range(2):
        ingest([report(tenant="nobody")], intake, NOON)

    assert len(store.dead_letters.list().elements) == 1


def test_an_unknown_tenant_is_made_where_onboarding_is_automatic(store):
    intake = intake_of(store, auto_onboard=True)

    outcomes = ingest([report("1", tenant="new"), report("2", tenant="new")], intake, NOON)

    assert [o.receipt for o in outcomes if isinstance(o, Recorded)] == [Receipt.RECORDED] * 2
    (audit,) = [o for o in store.catalog.overrides().elements if o.who == "auto-onboard"]
    assert audit.subject == "new"


def test_a_tenant_that_was_just_added_is_seen_by_the_next_batch(store, intake):
    ingest([report(tenant="new")], intake, NOON)

    store.catalog.save(Tenant(id="new"), factories.override())

    assert receipt(report("2", tenant="new"), intake) is Receipt.RECORDED


def test_a_tenant_that_appears_while_its_letter_is_kept_leaves_none_waiting(store, intake):
    keep = store.dead_letters.keep

    def keep_while_somebody_adds_the_tenant(letters):
        keep(letters)
        store.catalog.save(Tenant(id="new"), factories.override())

    store.dead_letters.keep = keep_while_somebody_adds_the_tenant
    ingest([report(tenant="new")], intake, NOON)

    assert store.dead_letters.list().elements == ()
    assert total(store) == "5"


def test_a_void_takes_its_event_out_whichever_comes_first(store, intake):
    void = Report(origin="t", body={"tenant": "acme", "key": "v", "voids": "k"})

    ingest([void, report()], intake, NOON)
    ingest([report("k2")], intake, NOON)
    ingest([Report(origin="t", body={"tenant": "acme", "key": "v2", "voids": "k2"})], intake, NOON)

    assert total(store) == "0"


def test_an_event_that_every_filter_leaves_out_is_recorded_and_counts_nowhere():
    eu = Filter("region", Operator.EQUAL, ("eu",))
    store = store_with(Tenant(id="acme"), Meter(id="eu", code="requests", filters=(eu,)))
    intake = intake_of(store)

    assert receipt(report(properties={"region": "us"}), intake) is Receipt.RECORDED
    assert store.events.aggregates().elements == ()


def test_letters_that_wait_for_a_tenant_are_counted_when_it_appears(store, intake):
    ingest([report("1", tenant="new"), report("2", tenant="other")], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())

    became = replay(intake, NOON + MINUTE, waits_for="tenant:new")

    assert became == {"recorded": 1}
    assert [e.tenant for e in store.dead_letters.list().elements] == ["other"]
    assert replay(intake, NOON + MINUTE, waits_for="tenant:new") == {}


def test_a_replayed_report_without_a_time_occurred_when_it_was_received(store, intake):
    ingest([report(tenant="new", occurred_at=None)], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())

    replay(intake, NOON + 600 * MINUTE)

    event = store.events.event("new", "k")
    assert event is not None
    assert event.occurred_at == NOON


def test_a_letter_that_fails_for_another_reason_now_waits_for_that(store, intake):
    ingest([report(tenant="new", code="later")], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())

    assert replay(intake, NOON, waits_for="tenant:new") == {"still_dead": 1}

    store.catalog.save(Meter(id="later", code="later"), factories.override())
    assert replay(intake, NOON, waits_for="code:later") == {"recorded": 1}
    assert store.dead_letters.list().elements == ()


def test_a_replay_that_crashed_before_taking_its_letter_counts_once(store, intake):
    ingest([report(tenant="new")], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())
    take, store.dead_letters.take = store.dead_letters.take, lambda *_: False

    replay(intake, NOON)
    store.dead_letters.take = take

    assert replay(intake, NOON) == {"duplicate": 1}
    assert total(store) == "5"
    assert store.dead_letters.list().elements == ()


def test_replaying_again_and_again_makes_no_more_letters(store, intake):
    ingest([report(), report(quantity=6), report(tenant="nobody")], intake, NOON)
    ingest([Report(origin="o", body=b"{")], intake, NOON)

    for _ in range(3):
        replay(intake, NOON)

    assert len(store.dead_letters.list(open_only=False).elements) == 3


def test_letters_of_one_reason_can_be_replayed_alone(store, intake):
    ingest([report("1", tenant="new"), report("2", code="unknown")], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())

    assert replay(intake, NOON, reason=Reason.UNKNOWN_CODE) == {"still_dead": 1}
    assert replay(intake, NOON, reason=Reason.UNKNOWN_TENANT) == {"recorded": 1}


def test_one_letter_can_be_replayed_alone(store, intake):
    ingest([report("1", tenant="new"), report("2", tenant="new")], intake, NOON)
    store.catalog.save(Tenant(id="new"), factories.override())
    first, second = store.dead_letters.list().elements

    assert replay(intake, NOON, letter_id=first.id) == {"recorded": 1}
    assert store.dead_letters.list().elements == (second,)
