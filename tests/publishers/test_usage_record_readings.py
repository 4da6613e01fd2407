"""A period's total of usage records, told only for exactly our period."""

from decimal import Decimal

import pytest

from tallystick.domain.instant import DAY, HOUR, SECOND
from tallystick.domain.reading import Reading
from tallystick.domain.window import Window
from tallystick.publishers import USAGE_RECORD
from tests.publishers.scripted import reply, rows, scripted
from tests.publishers.world import NOW, PERIOD, World, calls, group, place, read, slot, wanted

SUMMARIES = "GET /v1/subscription_items/:id/usage_record_summaries"


def test_a_period_of_usage_records_is_read_as_one_total(world: World):
    item = world.legacy_item()
    places = [place(USAGE_RECORD, item, "", at=NOW - n * HOUR) for n in (1, 2, 3)]
    for where in places:
        world.send(where, "4")

    found = world.publisher.totals([slot(where) for where in places])

    assert found == (Reading(group(slot(places[0]), USAGE_RECORD), Decimal(12), NOW),)
    assert calls(world, SUMMARIES) == 1


def test_a_period_without_usage_records_is_zero(world: World):
    asked = wanted(USAGE_RECORD, world.legacy_item())

    assert read(world, asked) == {group(asked, USAGE_RECORD): 0}


def test_a_closed_period_is_read_beside_the_open_one(world: World):
    item = world.legacy_item()
    where = place(USAGE_RECORD, item, "", at=NOW - HOUR)
    world.send(where, "4")
    before = world.publisher.subscription(item)
    world.advance(25 * DAY)
    after = world.publisher.subscription(item)
    assert before is not None
    assert after is not None
    late = place(USAGE_RECORD, item, "", at=world.now - HOUR, period=after.period)
    world.send(late, "9")
    closed = slot(place(USAGE_RECORD, item, "", at=NOW - HOUR, period=before.period))

    found = read(world, closed, slot(late))

    assert found == {
        group(closed, USAGE_RECORD): 4,
        group(slot(late), USAGE_RECORD): 9,
    }


def test_an_item_that_stripe_does_not_have_is_left_out(world: World):
    assert read(world, wanted(USAGE_RECORD, "si_nobody")) == {}


def test_a_period_that_stripe_cuts_otherwise_is_left_out(world: World):
    item = world.legacy_item()
    shifted = Window(PERIOD.start + DAY, PERIOD.end + DAY)

    assert read(world, wanted(USAGE_RECORD, item, period=shifted)) == {}


def row(start: int | None, end: int | None, total: int = 3) -> str:
    def second(at: int | None) -> str:
        return "null" if at is None else str(at // SECOND)

    span = f'{{"start": {second(start)}, "end": {second(end)}}}'
    return f'{{"id": "sis_{start}", "total_usage": {total}, "period": {span}}}'


@pytest.mark.parametrize(
    ("shown", "total"),
    [
        ((row(PERIOD.start, PERIOD.end),), 3),
        ((row(PERIOD.start + DAY, PERIOD.end),), 3),
        ((row(PERIOD.start, PERIOD.end - DAY),), 3),
        ((row(PERIOD.end, PERIOD.end + DAY), row(PERIOD.start, PERIOD.end, 4)), 4),
        ((), 0),
        ((row(PERIOD.end, PERIOD.end + 30 * DAY),), 0),
        ((row(PERIOD.end, PERIOD.end + DAY), row(None, PERIOD.end)), None),
        ((row(PERIOD.start - DAY, PERIOD.end),), None),
        ((row(PERIOD.start + DAY, PERIOD.end - DAY),), None),
        ((row(PERIOD.start, PERIOD.start + DAY), row(PERIOD.start + DAY, PERIOD.end)), None),
    ],
)
def test_a_total_is_told_only_for_exactly_our_period(publisher_at, shown, total: int | None):
    asked = wanted(USAGE_RECORD, "si_1")
    with scripted(rows(*shown)) as server:
        found = publisher_at(server.url).totals([asked])

    assert [reading.total for reading in found] == ([] if total is None else [total])


@pytest.mark.parametrize("ends", [(None, None), (None, PERIOD.end), (PERIOD.start, None)])
@pytest.mark.parametrize(("begins", "total"), [(PERIOD.start, 3), (PERIOD.start - DAY, None)])
def test_an_open_period_without_dates_is_the_items_current_one(
    publisher_at, ends: tuple[int | None, int | None], begins: int, total: int | None
):
    current = (
        f'{{"current_period_start": {begins // SECOND}, '
        f'"current_period_end": {PERIOD.end // SECOND}}}'
    )
    with scripted(rows(row(*ends)), reply(current)) as server:
        found = publisher_at(server.url).totals([wanted(USAGE_RECORD, "si_1")])

    assert [reading.total for reading in found] == ([] if total is None else [total])
    assert server.heads[1].startswith("GET /v1/subscription_items/si_1 ")
