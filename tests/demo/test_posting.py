from collections import Counter

from tallystick.domain.instant import DAY, HOUR, parse_instant
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.catalog import ANCHOR
from tallystick.entrypoints.demo.dice import Dice
from tallystick.entrypoints.demo.flights import read_flights
from tallystick.entrypoints.demo.posting import CONFLICTS, UNKNOWN_TENANT, VOIDED, posted
from tests.demo.sample import small_sample

PERIOD = Window(ANCHOR, ANCHOR + 10 * DAY)


def plan(tmp_path, seed=1):
    flights = read_flights(PERIOD, small_sample(tmp_path / "flights.zip", 10))
    return flights, posted(flights, [PERIOD], Dice(seed))


def arrivals(posting):
    return [(hour, body) for hour in sorted(posting.by_hour) for body in posting.by_hour[hour]]


def test_the_same_seed_gives_the_same_plan_and_another_another(tmp_path):
    _, first = plan(tmp_path)
    _, again = plan(tmp_path)
    _, other = plan(tmp_path, seed=2)

    assert arrivals(first) == arrivals(again) != arrivals(other)


def test_every_flight_arrives_as_it_was_and_none_before_it_departs(tmp_path):
    flights, posting = plan(tmp_path)
    wanted = [flight.report()["properties"] | {"at": flight.occurred_at} for flight in flights]

    sent = arrivals(posting)

    bodies = [body for _, body in sent]
    said = [
        body["properties"] | {"at": parse_instant(body["occurred_at"])}
        for body in bodies
        if "properties" in body
    ]
    assert all(one in said for one in wanted)
    assert all(parse_instant(body["occurred_at"]) < hour for hour, body in sent)


def test_about_a_fifth_arrives_twice_and_some_of_it_late(tmp_path):
    flights, posting = plan(tmp_path)

    assert 0.15 < posting.twice / len(flights) < 0.25
    assert 0 < posting.held_back / len(flights) < 0.04
    bodies = [str(sorted(body.items())) for _, body in arrivals(posting)]
    assert sum(n - 1 for n in Counter(bodies).values()) == posting.twice


def test_a_conflict_never_arrives_before_what_it_contradicts(tmp_path):
    _, posting = plan(tmp_path)
    first, contents = {}, Counter()
    for hour, body in arrivals(posting):
        if body["tenant"] == UNKNOWN_TENANT:
            continue
        if body["key"] not in first:
            first[body["key"]] = (hour, body)
        elif body != first[body["key"]][1]:
            contents["later" if hour > first[body["key"]][0] else "too early"] += 1

    assert contents == {"later": CONFLICTS}


def test_each_void_has_its_right_report_and_comes_before_the_bill(tmp_path):
    _, posting = plan(tmp_path)

    voids = [(hour, body) for hour, body in arrivals(posting) if "voids" in body]

    assert len(voids) == posting.voided == VOIDED
    assert all(hour < PERIOD.end for hour, _ in voids)
    keys = {body["key"] for _, body in arrivals(posting)}
    assert all({f"{body['voids']}-again", body["voids"]} <= keys for _, body in voids)


def test_what_is_due_is_taken_once_and_shuffled(tmp_path):
    _, posting = plan(tmp_path)
    before = [body for hour, body in arrivals(posting) if hour <= ANCHOR + 9 * HOUR]

    taken = posting.due(ANCHOR + 9 * HOUR, Dice(1))

    assert taken != before
    assert sorted(map(str, taken)) == sorted(map(str, before))
    assert posting.due(ANCHOR + 9 * HOUR, Dice(1)) == []
