"""Sending to the sandbox through the real SDK: what arrives, and what each answer becomes."""

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from tallystick.clock import FixedClock
from tallystick.domain.instant import HOUR, SECOND
from tallystick.domain.publication import Outcome
from tallystick.publishers import HOUR_METER, SUM_METER, USAGE_RECORD
from tallystick.publishers.stripe import PayloadKeys, Rates, StripePublisher
from tests.publishers.world import KEY, NOW, World, place, publication

EVENTS = "/v1/billing/meter_events"

Opener = Callable[..., World]


def test_an_hour_meter_holds_what_was_sent_last(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())

    assert world.send(where, "5", revision=1) == "accepted"
    assert world.send(where, "7.25", revision=2) == "accepted"

    hour = where.timestamp // SECOND
    total = world.shop.sandbox.usage_total("api_calls", where.slot.destination, hour, hour + 3_600)
    assert total == Decimal("7.25")


def test_a_sum_meter_adds_up_and_takes_less_again(world: World):
    world.shop.meter()
    customer = world.shop.customer()

    assert world.send(place(SUM_METER, customer), "5", revision=1) == "accepted"
    assert world.send(place(SUM_METER, customer), "-1.5", revision=2) == "accepted"

    assert world.shop.total("api_calls", customer) == "3.5"


def test_a_usage_record_is_set_at_its_second(world: World):
    item = world.legacy_item()
    where = place(USAGE_RECORD, item, "", at=NOW - 90 * SECOND)

    assert world.send(where, "5", revision=1) == "accepted"
    assert world.send(where, "3", revision=2) == "accepted"

    assert world.shop.sandbox.record_total(item, 0, 2**40) == 3


def test_an_event_arrives_with_identifier_timestamp_and_fixed_point_value(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())
    sent = publication(where, "0.000000000001")

    world.publisher.send(sent)

    received = world.shop.sandbox.received_events()[-1]
    assert received.identifier == received.idempotency_key == sent.identifier
    assert received.timestamp == where.timestamp // SECOND
    assert received.payload == {
        "stripe_customer_id": where.slot.destination,
        "value": "0.000000000001",
    }


def test_a_meter_with_other_payload_keys_gets_them(world: World):
    world.hour_meter(
        customer_mapping={"type": "by_id", "event_payload_key": "org"},
        value_settings={"event_payload_key": "tokens"},
    )
    customer = world.shop.customer()
    publisher = StripePublisher(
        KEY,
        clock=world.clock,
        api_base=world.shop.url,
        payload_keys={"api_calls": PayloadKeys(customer="org", value="tokens")},
    )

    publisher.send(publication(place(HOUR_METER, customer)))

    assert world.shop.total("api_calls", customer) == "5"


@pytest.mark.parametrize("route", [HOUR_METER, SUM_METER])
def test_a_resend_within_a_day_counts_once(world: World, route):
    world.shop.meter()
    where = place(route, world.shop.customer())

    assert world.send(where) == "accepted"
    assert world.send(where) == "accepted"

    assert world.shop.total("api_calls", where.slot.destination) == "5"
    assert world.shop.sandbox.outcomes()[f"POST {EVENTS}"] == {"200": 1, "200_replayed": 1}


def test_an_identifier_that_stripe_remembers_without_its_key_is_known(world: World):
    world.shop.meter()
    customer = world.shop.customer()
    sent = publication(place(SUM_METER, customer))
    world.shop.report(customer, "5", identifier=sent.identifier, key="another")

    answer = world.publisher.send(sent)

    assert answer.outcome is Outcome.KNOWN
    assert sent.identifier in answer.detail
    assert world.shop.total("api_calls", customer) == "5"


def test_other_parameters_under_one_identifier_are_a_mismatch(world: World):
    world.shop.meter()
    where = place(SUM_METER, world.shop.customer())
    world.send(where, "5", identifier="tly_1")

    assert world.send(where, "6", identifier="tly_1") == "mismatch"


def test_an_answer_lost_after_it_was_counted_is_unknown_and_the_resend_counts_once(world: World):
    world.shop.meter()
    where = place(SUM_METER, world.shop.customer())
    world.shop.fault("drop_after", count=1, method="POST", path=EVENTS)

    assert world.send(where) == "unknown"
    assert world.send(where) == "accepted"

    assert world.shop.total("api_calls", where.slot.destination) == "5"


def test_a_connection_cut_before_it_was_counted_is_unknown(world: World):
    world.shop.meter()
    where = place(SUM_METER, world.shop.customer())
    world.shop.fault("drop_before", count=1)

    assert world.send(where) == "unknown"
    assert world.shop.total("api_calls", where.slot.destination) == "0"


@pytest.mark.parametrize("kind", ["error_before", "error_after"])
def test_a_500_is_a_failure_and_its_replay_says_that_it_is_one(world: World, kind: str):
    world.shop.meter()
    sent = publication(place(SUM_METER, world.shop.customer()))
    world.shop.fault(kind, count=1, path=EVENTS)

    first, second = world.publisher.send(sent), world.publisher.send(sent)

    assert (first.outcome, second.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert "replayed" not in first.detail
    assert "replayed" in second.detail


def test_an_outage_is_a_failure(world: World):
    world.shop.meter()
    where = place(SUM_METER, world.shop.customer())
    world.shop.fault("outage", path=EVENTS)

    assert world.send(where) == "failed"


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("rate_limit", "rate_limit"),
        ("rate_limit_retry", "rate_limit"),
        ("rate_limit_lock_timeout", "lock_timeout"),
        ("conflict", "idempotency_key_in_use"),
    ],
)
@pytest.mark.parametrize("route", [HOUR_METER, USAGE_RECORD])
def test_a_request_turned_away_is_busy_and_one_attempt_is_one_request(
    world: World, kind: str, word: str, route
):
    if route is USAGE_RECORD:
        sent = publication(place(route, world.legacy_item(), ""))
    else:
        world.shop.meter()
        sent = publication(place(route, world.shop.customer()))
    world.shop.fault(kind, count=1, method="POST")
    before = len(world.shop.sandbox.requests(1_000))

    answer = world.publisher.send(sent)

    assert answer.outcome is Outcome.BUSY
    assert word in answer.detail
    assert len(world.shop.sandbox.requests(1_000)) == before + 1
    assert world.publisher.send(sent).outcome is Outcome.ACCEPTED


def test_one_rate_limit_slows_every_sender_down(world: World):
    world.shop.meter()
    customers = [world.shop.customer() for _ in range(2)]
    world.shop.fault("rate_limit", count=1, path=EVENTS)

    assert world.send(place(SUM_METER, customers[0])) == "busy"
    assert world.clock.now() == NOW
    assert world.send(place(SUM_METER, customers[1])) == "accepted"

    assert world.clock.now() == NOW + SECOND


def test_a_locked_object_slows_nobody_else_down(world: World):
    world.shop.meter()
    customers = [world.shop.customer() for _ in range(2)]
    world.shop.fault("rate_limit_lock_timeout", count=1, path=EVENTS)

    assert world.send(place(SUM_METER, customers[0])) == "busy"
    assert world.send(place(SUM_METER, customers[1])) == "accepted"

    assert world.clock.now() < NOW + SECOND // 100


def test_a_restricted_key_without_permission_is_denied_and_the_permission_named(world: World):
    world.shop.meter()
    world.shop.sandbox.grant(KEY, ["rak_billing_meter_read"])

    answer = world.publisher.send(publication(place(SUM_METER, world.shop.customer())))

    assert answer.outcome is Outcome.DENIED
    assert "rak_billing_meter_event_write" in answer.detail
    assert KEY not in answer.detail


def test_past_its_deadline_nothing_is_sent(world: World):
    world.shop.meter()
    sent = publication(place(SUM_METER, world.shop.customer()))
    world.clock.at = sent.deadline

    answer = world.publisher.send(sent)

    assert answer.outcome is Outcome.BUSY
    assert world.shop.sandbox.received_events() == ()


def test_a_turn_that_would_come_after_the_deadline_sends_nothing(open_world: Opener):
    world = open_world(rates=Rates(meter_events=1))
    world.shop.meter()
    customer = world.shop.customer()
    sent = [publication(place(SUM_METER, customer), revision=n) for n in (1, 2)]
    world.publisher.send(sent[0])
    world.clock.at = sent[1].deadline - SECOND // 2
    world.publisher._paces[SUM_METER.name]._next = world.clock.at + SECOND

    assert world.publisher.send(sent[1]).outcome is Outcome.BUSY
    assert len(world.shop.sandbox.received_events()) == 1


def test_another_accounts_publication_is_never_sent(world: World):
    world.shop.meter()
    where = place(SUM_METER, world.shop.customer(), account="eu")

    answer = world.publisher.send(publication(where))

    assert answer.outcome is Outcome.DENIED
    assert "default" in answer.detail
    assert world.shop.sandbox.received_events() == ()


def test_a_customer_gets_one_call_at_a_time_and_nobody_is_turned_away(world: World):
    world.shop.meter()
    customer = world.shop.customer()
    world.shop.fault("slow", delay_seconds=0.02, path=EVENTS)
    sent = [publication(place(SUM_METER, customer), "1", revision=n) for n in range(1, 9)]
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda p=p: outcomes.append(world.publisher.send(p).outcome))
        for p in sent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [Outcome.ACCEPTED] * 8
    assert world.shop.total("api_calls", customer) == "8"


def test_two_customers_are_served_at_the_same_time(world: World):
    world.shop.meter()
    both = threading.Barrier(2, timeout=300)
    world.shop.sandbox._pause = lambda _: both.wait()
    world.shop.fault("slow", delay_seconds=0.01, path=EVENTS)
    customers = [world.shop.customer() for _ in range(2)]
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda c=c: outcomes.append(world.send(place(SUM_METER, c))))
        for c in customers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == ["accepted", "accepted"]


def test_an_unreachable_stripe_means_that_nothing_was_sent(publisher_at):
    publisher = publisher_at("http://127.0.0.1:1")

    answer = publisher.send(publication(place(SUM_METER, "cus_1")))

    assert answer.outcome is Outcome.BUSY
    assert "nothing was sent" in answer.detail


def test_every_route_is_offered(world: World):
    assert set(world.publisher.routes) == {
        "stripe.hour_meter",
        "stripe.sum_meter",
        "stripe.usage_record",
    }


def test_the_usual_rates_are_those_of_the_account():
    def rate(key: str = KEY, **options: object) -> int:
        made = StripePublisher(key, clock=FixedClock(0), **options)  # type: ignore[arg-type]
        return made.rates.meter_events

    assert rate() == 25
    assert rate(api_base="http://127.0.0.1:1") == 1_000
    assert rate("sk_live_1", allow_live=True) == 1_000
    assert rate(rates=Rates(meter_events=50)) == 50


def test_how_far_stripes_clock_is_ahead_is_known_from_its_last_answer(world: World):
    world.clock.at -= 3 * HOUR

    world.publisher.rejections(world.clock.now() - HOUR)

    assert world.publisher.clock_ahead() == 3 * HOUR
