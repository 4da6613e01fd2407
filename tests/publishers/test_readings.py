"""Totals read back: few calls, exact decimals, and nothing where it cannot be told."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import DAY, HOUR, SECOND, floor_hour
from tallystick.domain.quantity import format_quantity
from tallystick.domain.reading import Reading
from tallystick.publishers import HOUR_METER, SUM_METER
from tests.publishers.scripted import CUT, fault, reply, rows, scripted
from tests.publishers.world import KEY, NOW, World, calls, group, place, read, slot, wanted

SUMMARIES = "GET /v1/billing/meters/:id/event_summaries"
METERS = '{"data": [{"id": "mtr_1", "event_name": "api_calls"}], "has_more": false}'
Opener = Callable[..., World]


def test_what_was_sent_is_read_back(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())
    world.send(where, "12.000000000001")

    assert world.publisher.totals([slot(where)]) == (
        Reading(group(slot(where)), Decimal("12.000000000001"), NOW),
    )


def test_an_hour_that_stripe_does_not_show_is_zero(world: World):
    world.hour_meter()
    asked = wanted(HOUR_METER, world.shop.customer())

    assert read(world, asked) == {group(asked): Decimal(0)}


def test_a_customers_four_days_are_one_call(world: World):
    world.hour_meter()
    customer = world.shop.customer()
    asked = [wanted(HOUR_METER, customer, ago=n * HOUR) for n in range(2, 98)]
    world.send(asked[3].place, "3")

    found = read(world, *asked)

    assert len(found) == 96
    assert found[group(asked[3])] == 3
    assert sum(found.values()) == 3
    assert calls(world, SUMMARIES) == 1


def test_hours_far_apart_are_asked_for_apart(world: World):
    world.hour_meter()
    customer = world.shop.customer()
    asked = [wanted(HOUR_METER, customer, ago=ago) for ago in (2 * HOUR, 20 * DAY)]
    world.send(asked[1].place, "9")

    assert read(world, *asked) == {group(asked[0]): 0, group(asked[1]): 9}
    assert calls(world, SUMMARIES) == 2


def test_customers_and_meters_are_not_mixed_up(world: World):
    world.hour_meter()
    world.hour_meter("tokens")
    ada, bob = world.shop.customer(), world.shop.customer()
    asked = [
        wanted(HOUR_METER, ada),
        wanted(HOUR_METER, bob),
        wanted(HOUR_METER, ada, counter="tokens"),
    ]
    for number, one in enumerate(asked, start=1):
        world.send(one.place, str(number))

    assert read(world, *asked) == {group(one): n for n, one in enumerate(asked, start=1)}


def test_the_seconds_of_a_sum_meter_are_read_as_their_hour(world: World):
    world.shop.meter()
    customer = world.shop.customer()
    hour = floor_hour(NOW - 3 * HOUR)
    places = [place(SUM_METER, customer, at=hour + n * SECOND) for n in (0, 1, 3_599)]
    for where in places:
        world.send(where, "2")
    world.send(place(SUM_METER, customer, at=hour + HOUR), "100")

    found = read(world, *(slot(where) for where in places))

    assert found == {group(slot(places[0]), SUM_METER): 6}


def test_a_row_on_the_end_of_the_span_is_not_counted_where_ends_are_inclusive(open_world: Opener):
    world = open_world(summary_end="inclusive")
    world.hour_meter()
    customer = world.shop.customer()
    asked = wanted(HOUR_METER, customer, ago=3 * HOUR)
    world.send(wanted(HOUR_METER, customer, ago=2 * HOUR).place, "100")

    assert read(world, asked) == {group(asked): 0}


def test_a_summary_that_lags_shows_what_it_shows(world: World):
    world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())
    world.shop.sandbox.set_summary_lag(3_600)
    world.send(where, "5")

    assert read(world, slot(where)) == {group(slot(where)): 0}
    world.advance(2 * HOUR)
    assert read(world, slot(where)) == {group(slot(where)): 5}


def test_a_meter_that_stripe_does_not_have_is_left_out(world: World):
    world.hour_meter()
    customer = world.shop.customer()
    known, unknown = wanted(HOUR_METER, customer), wanted(HOUR_METER, customer, counter="nobody")

    assert read(world, known, unknown) == {group(known): 0}


def test_a_customer_that_stripe_does_not_have_is_left_out(world: World):
    world.hour_meter()
    known, unknown = wanted(HOUR_METER, world.shop.customer()), wanted(HOUR_METER, "cus_nobody")

    assert read(world, unknown, known) == {group(known): 0}


def test_an_archived_meter_can_still_be_read(world: World):
    meter = world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())
    world.send(where, "5")
    world.shop.stripe.v1.billing.meters.deactivate(meter)

    assert read(world, slot(where)) == {group(slot(where)): 5}


def test_a_meter_made_anew_is_read_and_not_its_archived_namesake(world: World):
    old = world.hour_meter()
    where = place(HOUR_METER, world.shop.customer())
    world.send(where, "5")
    world.shop.stripe.v1.billing.meters.deactivate(old)
    world.hour_meter()
    world.send(where, "7", revision=2)

    assert read(world, slot(where)) == {group(slot(where)): 7}


def test_an_active_meter_comes_before_a_newer_archived_one(world: World):
    meters = world.shop.stripe.v1.billing.meters
    old = world.hour_meter()
    meters.deactivate(old)
    meters.deactivate(world.hour_meter())
    meters.reactivate(old)
    where = place(HOUR_METER, world.shop.customer())
    world.send(where, "5")

    assert read(world, slot(where)) == {group(slot(where)): 5}


def test_the_list_of_meters_is_asked_for_once_in_a_while(world: World):
    world.hour_meter()
    asked = wanted(HOUR_METER, world.shop.customer())
    for _ in range(5):
        read(world, asked)
    assert calls(world, "GET /v1/billing/meters") == 1

    world.advance(HOUR)
    read(world, asked)
    assert calls(world, "GET /v1/billing/meters") == 2


def test_another_accounts_slots_are_left_out(world: World):
    world.hour_meter()
    customer = world.shop.customer()

    assert read(world, wanted(HOUR_METER, customer, account="eu")) == {}
    assert read(world) == {}


def test_more_meters_than_a_page_are_all_found(world: World):
    for n in range(105):
        world.hour_meter(f"meter_{n}")
    customer = world.shop.customer()
    asked = [wanted(HOUR_METER, customer, counter=f"meter_{n}") for n in (0, 104)]

    assert read(world, *asked) == {group(one): 0 for one in asked}
    assert calls(world, "GET /v1/billing/meters") == 2


# ── Numbers as text ───────────────────────────────────────────────────────────────────────────────


def summary(value: str, hour: int = NOW - 2 * HOUR, seconds: int = 3_600, key: str = "1") -> str:
    start = floor_hour(hour) // SECOND
    return (
        f'{{"id": "mtrusg_{key}", "aggregated_value": {value}, "start_time": {start}, '
        f'"end_time": {start + seconds}}}'
    )


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("123456789012.345", "123456789012.345"),
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1e-08", "0.00000001"),
        ("1.5E+3", "1500"),
        ("7", "7"),
        ("7.0", "7"),
        ("-2.5", "-2.5"),
        ("-0.0", "0"),
    ],
)
def test_a_total_is_taken_from_the_text_and_never_from_a_float(publisher_at, text: str, total: str):
    with scripted(reply(METERS), rows(summary(text))) as server:
        found = publisher_at(server.url).totals([wanted(HOUR_METER, "cus_1")])

    assert [format_quantity(reading.total) for reading in found] == [total]


@pytest.mark.parametrize("text", ["NaN", '"NaN"', '"Infinity"', "1e400", "null", "true", "[]"])
def test_a_total_that_is_no_number_is_not_read(publisher_at, text: str):
    with (
        scripted(reply(METERS), rows(summary(text))) as server,
        pytest.raises(PublisherUnavailable),
    ):
        publisher_at(server.url).totals([wanted(HOUR_METER, "cus_1")])


def test_a_window_that_is_no_hour_is_not_read(publisher_at):
    day = rows(summary("5", seconds=86_400))
    with scripted(reply(METERS), day) as server, pytest.raises(PublisherUnavailable, match="hour"):
        publisher_at(server.url).totals([wanted(HOUR_METER, "cus_1")])


def test_every_page_is_read(publisher_at):
    first = reply(f'{{"data": [{summary("5")}], "has_more": true}}')
    second = rows(summary("6", NOW - 3 * HOUR, key="2"))
    asked = [wanted(HOUR_METER, "cus_1", ago=n * HOUR) for n in (2, 3)]
    with scripted(reply(METERS), first, second) as server:
        found = publisher_at(server.url).totals(asked)

    assert [reading.total for reading in found] == [6, 5]
    assert "starting_after=mtrusg_1" in server.heads[-1]


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["drop_before", "outage", "rate_limit", "rate_limit_lock_timeout"])
def test_a_stripe_that_cannot_be_read_is_unavailable(world: World, kind: str):
    world.hour_meter()
    asked = wanted(HOUR_METER, world.shop.customer())
    world.shop.fault(kind)

    with pytest.raises(PublisherUnavailable):
        world.publisher.totals([asked])


def test_one_group_that_fails_leaves_the_others_readable(world: World):
    world.hour_meter()
    asked = [wanted(HOUR_METER, world.shop.customer()) for _ in range(3)]
    world.shop.fault("outage", count=1, path="*/event_summaries")

    assert read(world, *asked) == {group(one): 0 for one in asked[1:]}


def test_three_failures_in_a_row_end_the_reading(world: World):
    world.hour_meter()
    asked = [wanted(HOUR_METER, world.shop.customer()) for _ in range(9)]
    world.shop.fault("outage", skip=1, path="*/event_summaries")

    assert read(world, *asked) == {group(asked[0]): 0}
    assert world.shop.sandbox.outcomes()[SUMMARIES] == {"200": 1, "503": 3}


def test_a_key_that_may_not_read_names_itself_and_the_permission(world: World):
    world.hour_meter()
    asked = wanted(HOUR_METER, world.shop.customer())
    world.shop.sandbox.grant(KEY, [])

    with pytest.raises(PublisherMisconfigured) as raised:
        world.publisher.totals([asked])

    assert "TALLYSTICK_STRIPE_API_KEY" in str(raised.value)
    assert "rak_billing_meter_read" in str(raised.value)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("answer", [fault(401, f"Invalid API Key: {KEY}"), reply(f'"{KEY}"')])
def test_a_key_in_an_answer_is_in_no_error(publisher_at, answer: bytes):
    with (
        scripted(answer) as server,
        pytest.raises((PublisherMisconfigured, PublisherUnavailable)) as raised,
    ):
        publisher_at(server.url).totals([wanted(HOUR_METER, "cus_1")])

    assert KEY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("answer", [CUT, reply("<html>"), reply("{}"), reply("", "302 Found")])
def test_an_answer_that_is_not_stripes_is_unavailable(publisher_at, answer: bytes):
    with scripted(answer) as server, pytest.raises(PublisherUnavailable):
        publisher_at(server.url).totals([wanted(HOUR_METER, "cus_1")])
