"""The hourly pass, function by function, against the sandbox as Stripe."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from zlib import crc32

import pytest

from tallystick.domain.errors import InvalidSetting, PublisherUnavailable
from tallystick.domain.instant import HOUR, format_instant, parse_instant
from tallystick.domain.slot import PARTITIONS, parse_slot_key, slot_partition
from tallystick.entrypoints.aws import poll, publish, reconcile, seal, summary
from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.sandbox import Fault
from tallystick.stages.reconciling import SHARES
from tests.aws.handlers.calls import Call, Context
from tests.cli.billing import AFTER_TEN, BEGIN, EVENING, EVENT, NINE, SENDS, Billing, seconds

LATER = "2026-09-01T10:20:00Z"


@pytest.fixture
def ask(call: Call, billing: Billing) -> Callable:
    """Calls a function at an instant, by its clock and by the sandbox's."""

    def asked(handler: Callable, at: str, context: Context | None = None, **event: object) -> dict:
        if seconds(at) > billing.shop.sandbox.now():
            billing.shop.sandbox.set_time(seconds(at))
        return call(handler, {"at": at, **event}, context)

    return asked


def published(ask: Callable, at: str) -> list[dict]:
    """What the partitions answered."""
    return [ask(publish.handler, at, partition=number) for number in range(PARTITIONS)]


def sent(ask: Callable, at: str) -> int:
    return sum(answer["sent"] for answer in published(ask, at))


def test_what_was_counted_is_sealed_sent_and_confirmed(ask, billing):
    billing.report("k1", 12)

    sealed = ask(seal.handler, AFTER_TEN)

    assert sealed == {"sealed": 1, "held": 0, "looked_at": 1, "is_done": True}
    assert sent(ask, AFTER_TEN) == 1
    assert billing.total() == 12
    assert sum(answer.get("confirmed", 0) for answer in published(ask, EVENING)) == 1
    assert ask(reconcile.handler, EVENING)["discrepancies"] == 0


def test_a_pass_that_runs_twice_sends_once(ask, billing):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    ask(seal.handler, AFTER_TEN)

    assert [sent(ask, AFTER_TEN), sent(ask, AFTER_TEN)] == [1, 0]
    assert len(billing.shop.sandbox.events()) == 1


def test_only_one_partition_has_the_slots_of_a_customer(ask, billing):
    for hour in range(3):
        billing.report(f"k{hour}", 5, f"2026-09-01T0{hour}:00:00Z")
    ask(seal.handler, AFTER_TEN)

    told = {
        number: ask(publish.handler, AFTER_TEN, partition=number)["sent"]
        for number in reversed(range(PARTITIONS))
    }

    theirs = slot_partition(parse_slot_key(str(billing.publications()[0]["slot"])))
    assert told == {number: 3 if number == theirs else 0 for number in range(PARTITIONS)}


def test_without_a_partition_all_is_published(ask, billing):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)

    assert ask(publish.handler, AFTER_TEN)["sent"] == 1


def test_sealing_needs_no_key(ask, billing, monkeypatch):
    billing.report("k1")
    monkeypatch.delenv("TALLYSTICK_STRIPE_API_KEY")

    assert ask(seal.handler, AFTER_TEN)["sealed"] == 1


def test_the_hours_checkpoint_is_taken_once_all_is_sealed(ask, billing):
    billing.report("k1")

    ask(seal.handler, AFTER_TEN)
    ask(seal.handler, LATER)

    rows = billing.run("checkpoints", "list", "--json").rows
    assert [row["chains"] for row in rows] == [1]


@pytest.fixture
def short_pages(billing, monkeypatch) -> None:
    """One element each, so that a turn can end between them."""
    store = cold_start().store
    due = partial(store.ledger.aggregates_due, limit=1)
    monkeypatch.setattr(store.ledger, "aggregates_due", due)
    monkeypatch.setattr(store.outbox, "slots_due", partial(store.outbox.slots_due, limit=1))


def turns(ask: Callable, handler: Callable, *, milliseconds: list[int]) -> list[dict]:
    """What each turn answered until one was done; what is left falls each time it is asked."""
    answers = []
    while not answers or not answers[-1]["is_done"]:
        answers.append(ask(handler, AFTER_TEN, Context(milliseconds.copy())))
    return answers


@pytest.mark.parametrize("milliseconds", [[900_000, 50_000], [60_000, 25_000]])
def test_what_a_turn_has_no_time_for_is_done_by_the_next(ask, billing, short_pages, milliseconds):
    for hour in range(3):
        billing.report(f"k{hour}", 5, f"2026-09-01T0{hour}:00:00Z")

    sealed = turns(ask, seal.handler, milliseconds=milliseconds)
    begun = [milliseconds[0], milliseconds[0], milliseconds[1]]
    told = turns(ask, publish.handler, milliseconds=begun)

    assert [answer["sealed"] for answer in sealed] == [1, 1, 1]
    assert len(told) > 1
    assert sum(answer["sent"] for answer in told) == 3
    assert billing.total(BEGIN, AFTER_TEN[:-6] + "00:00Z") == 15


def test_a_provider_that_is_away_is_an_error_by_name_and_the_next_pass_heals_it(ask, billing):
    for hour in range(10):
        billing.report(f"k{hour}", 1, f"2026-09-01T0{hour}:00:00Z")
    ask(seal.handler, AFTER_TEN)
    fault = billing.shop.sandbox.add_fault(Fault(kind="outage"))

    with pytest.raises(PublisherUnavailable, match="stays due"):
        ask(publish.handler, AFTER_TEN)

    billing.shop.sandbox.clear_faults(fault)
    assert ask(publish.handler, "2026-09-01T13:30:00Z")["sent"] == 10


def test_what_is_put_off_for_a_moment_is_sent_in_the_same_turn(ask, billing):
    """No other pass looks before the next hour."""
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    billing.shop.sandbox.add_fault(Fault(kind="rate_limit", path=SENDS, count=2))

    told = ask(publish.handler, AFTER_TEN)

    assert (told["busy"], told["sent"], told["is_done"]) == (2, 1, True)


def test_a_stripe_that_is_down_for_three_hours_is_left_to_the_next_passes(ask, billing):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    down = seconds(AFTER_TEN)
    billing.shop.sandbox.add_fault(Fault(kind="outage", start=down, end=down + 3 * 3_600))

    for hour in ("10", "11", "12"):
        with suppress(PublisherUnavailable):
            assert ask(publish.handler, f"2026-09-01T{hour}:10:00Z")["failed"] > 0
    assert billing.total() == 0

    assert ask(publish.handler, "2026-09-01T13:10:30Z")["sent"] == 1
    assert billing.total() == 5


def test_a_total_that_cannot_be_read_back_is_an_error_by_name(ask, billing):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    ask(publish.handler, AFTER_TEN)
    billing.shop.sandbox.add_fault(Fault(kind="outage", method="GET"))

    with pytest.raises(PublisherUnavailable, match="read back"):
        ask(publish.handler, EVENING)


def test_paused_publishing_is_told(ask, billing):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    billing.run("pause", "--why", "a test")

    assert ask(publish.handler, AFTER_TEN)["is_paused"] is True
    assert ask(poll.handler, AFTER_TEN) == {"is_done": True}
    assert billing.total() == 0


def test_a_refused_slot_is_told_as_stuck_with_its_reason(ask, billing, call):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    meters = billing.shop.stripe.v1.billing.meters
    meters.deactivate(meters.list().data[0].id)

    assert ask(publish.handler, AFTER_TEN)["stuck"] == 1
    assert [line["slot"] for line in call.lines if line["event"] == "needs a person"] != []


def test_what_stripe_reports_as_not_counted_is_read_back_at_once(ask, billing, call):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    billing.shop.sandbox.add_fault(Fault(kind="reject", path=SENDS))
    ask(publish.handler, AFTER_TEN)

    answer = ask(poll.handler, "2026-09-01T12:05:00Z")

    assert answer["doubted"] == 1


def test_the_polls_share_of_the_tenants_finds_what_changed_behind_our_back(ask, billing, call):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    ask(publish.handler, AFTER_TEN)
    ask(publish.handler, EVENING)
    elsewhere = {"stripe_customer_id": billing.customer, "value": "7"}
    billing.shop.stripe.v1.billing.meter_events.create(
        {"event_name": "api_calls", "payload": elsewhere, "timestamp": seconds(NINE)}
    )
    evening = parse_instant(EVENING)
    turn = crc32(b"acme") % SHARES
    its_hour = evening + (turn - evening // HOUR) % SHARES * HOUR

    for at, found in ((its_hour, 1), (its_hour + HOUR, 0)):
        assert ask(poll.handler, format_instant(at))["discrepancies"] == found
        assert call.metrics["Discrepancies"] == found


def test_the_summary_counts_what_is_left_undone(ask, billing, call):
    billing.report("k1")
    ask(seal.handler, AFTER_TEN)
    billing.shop.sandbox.add_fault(Fault(kind="drop_after", path=SENDS))
    answers = published(ask, AFTER_TEN)
    billing.run("import", unknown(billing))

    found = ask(summary.handler, LATER, publish=answers)

    assert found["published"] == {"sent": 0, "failed": 1, "carried": 0, "stuck": 0}
    assert found["standing"]["AmbiguousPublications"] == 1
    assert found["standing"]["DeadLetters"] == 1
    assert call.metrics["Stack"] == "test"
    assert {name: call.metrics[name] for name in found["standing"]} == found["standing"]
    (directive,) = call.metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Tallystick"
    assert directive["Dimensions"] == [["Stack"]]
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert (units["DeadLetters"], units["OldestUnsealedSeconds"]) == ("Count", "Seconds")


def unknown(billing: Billing) -> object:
    path = billing.folder / "unknown.ndjson"
    path.write_text(EVENT.replace("acme", "nobody") % ("u", 1, NINE), encoding="utf-8")
    return path


def test_a_difference_is_listed_in_the_log_and_counted_for_the_alarm(ask, billing, call):
    billing.run("tenants", "add", "globex")
    path = billing.folder / "globex.ndjson"
    path.write_text(EVENT.replace("acme", "globex") % ("k", 3, NINE), encoding="utf-8")
    billing.run("import", path)
    ask(seal.handler, AFTER_TEN)

    assert ask(reconcile.handler, AFTER_TEN) == {
        "discrepancies": 1,
        "kinds": {"held": 1},
        "is_done": True,
    }
    assert call.metrics["Discrepancies"] == 1
    (line,) = [line for line in call.lines if line["event"] == "discrepancy"]
    assert (line["tenant"], line["ours"], line["detail"]) == ("globex", "3", "no mapping")


def test_an_instant_that_is_none_is_named(ask, billing):
    with pytest.raises(InvalidSetting, match="at: 'noon'"):
        cold_start().app({"at": "noon"})
