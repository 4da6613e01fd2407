"""Whose slots are told first, and how much is under way at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.instant import HOUR
from tallystick.domain.publication import Publication
from tallystick.domain.slot import Slot
from tallystick.ports import PAGE, Due, Page
from tallystick.stages.alternating import SHARE, Shares, in_turn, spread
from tallystick.stages.publishing import AHEAD, CHUNK, Publishing
from tallystick.testing.contract.steps import report, seal
from tallystick.testing.factories import LIMITS, aggregate_key, event, place
from tallystick.testing.faulty import FaultyStore
from tests.unit.stages.far_side import SPRING, Desk

METERS = ("calls", "seats", "tokens")
BEHIND = PAGE // len(METERS) + 20


def owe(told: Desk, customer: str, hours: int, meter: str = "calls") -> None:
    """So many hours of a customer are sealed and not told."""
    for hour in range(hours):
        tenant = f"{customer}-{meter}-{hour}"
        report(told.store, event("e1", tenant=tenant))
        at = SPRING.start + hour * HOUR
        into = place(destination=customer, counter=meter, at=at, period=SPRING)
        seal(told.store, aggregate_key(tenant), into=into)


def told_to(told: Desk) -> list[str]:
    return [publication.slot.destination for _, publication in told.far.sent]


def due_of(lane: str, start: int) -> Due:
    return Due(Slot(place=place(destination=lane, at=SPRING.start + start * HOUR, period=SPRING)))


@pytest.mark.parametrize("huge", ["cus_0", "cus_z"], ids=["first", "last"])
def test_whoever_is_far_behind_holds_nobody_up(huge: str):
    """More than a page of it, wherever its name stands in the order."""
    told = Desk()
    small = [f"cus_{letter}" for letter in "abcnopxy"]
    for customer in small:
        owe(told, customer, 2)
    for meter in METERS:
        owe(told, huge, BEHIND, meter)

    summary = told.run()

    order = told_to(told)
    last_small = max(position for position, customer in enumerate(order) if customer != huge)
    # It has a share with each of the two pages.
    assert order[:last_small].count(huge) <= 2 * len(METERS) * SHARE
    assert len(order) == len(small) * 2 + len(METERS) * BEHIND
    assert summary.is_clean
    assert told.store.outbox.slots_due(told.clock.now()).elements == ()


def test_the_meters_of_one_customer_are_told_side_by_side():
    told = Desk()
    for meter in METERS:
        owe(told, "cus_huge", 3 * SHARE, meter)

    told.run()

    order = [publication.slot.counter for _, publication in told.far.sent]
    assert all(Counter(order[n : n + 3]) == Counter(METERS) for n in range(0, len(order), 3))


@given(st.lists(st.sampled_from("abcd"), max_size=60))
def test_in_turn_nobody_has_a_second_slot_before_all_have_had_their_first(lanes: list[str]):
    due = [due_of(lane, n) for n, lane in enumerate(sorted(lanes))]

    order = in_turn(due)

    assert sorted(order, key=due.index) == due
    had = Counter[str]()
    for one in order:
        lane = one.slot.key.destination
        waiting = {d.slot.key.destination for d in due} - {lane}
        owed = {other: min(had[lane], lanes.count(other)) for other in waiting}
        assert all(had[other] >= owed[other] for other in waiting)
        had[lane] += 1


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60))
def test_what_is_spread_is_all_there_is_and_keeps_the_order_of_each_lane(lanes: list[str]):
    due = [due_of(lane, n) for n, lane in enumerate(sorted(lanes))]

    order = spread(due)

    assert sorted(order, key=due.index) == due
    for lane in set(lanes):
        assert [d for d in order if d.slot.key.destination == lane] == [
            d for d in due if d.slot.key.destination == lane
        ]


def test_arrears_are_told_among_the_others_and_not_after_them():
    due = [due_of(f"cus_{n}", 0) for n in range(30)] + [due_of("cus_huge", n) for n in range(11)]

    order = [one.slot.key.destination for one in spread(due)]

    assert order[20:].count("cus_huge") in (5, 6)
    assert "cus_huge cus_huge" not in " ".join(order)


@given(st.lists(st.lists(st.integers(0, 300), max_size=4), min_size=1, max_size=5))
def test_with_each_page_nobody_has_more_than_a_share_and_what_waits_is_bounded(
    arrears: list[list[int]],
):
    shares, hours, offered = Shares(), Counter[str](), 0
    told: list[Due] = []
    for owed in arrears:
        page = list[Due]()
        for n, count in enumerate(owed):
            page += [due_of(f"cus_{n}", hours[f"cus_{n}"] + hour) for hour in range(count)]
            hours[f"cus_{n}"] += count
        offered += len(page)

        now = shares.with_page(page)

        told += now
        assert max(Counter(d.slot.key.destination for d in now).values(), default=0) <= SHARE
        assert shares.left_out - shares.left_to_next_round <= PAGE
    assert len(told) + shares.left_out == offered
    assert len({one.slot.key for one in told}) == len(told)


class Senders(Executor):
    """Sends when somebody asks for the answers, and notes what happens in which order."""

    def __init__(self, noted: list[str]) -> None:
        self.noted = noted

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        self.noted.append("begun")
        return map(fn, *iterables)


class Noting:
    """Notes what of the outbox is called, and fails at a claim."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.fails_at = 0

    def before(self, call: str) -> None:
        if call == "outbox.intend":
            self.noted.append("claimed")
            if self.noted.count("claimed") == self.fails_at:
                raise StoreUnavailable("the disk is away")

    def after(self, call: str) -> None:
        if call == "outbox.advance":
            self.noted.append("answered")


def side_by_side(told: Desk, noting: Noting) -> Publishing:
    return Publishing(
        store=FaultyStore(told.store, noting),
        publisher=told.far,
        clock=told.clock,
        limits=LIMITS,
        senders=Senders(noting.noted),
    )


def many(customers: int) -> Desk:
    told = Desk()
    for number in range(customers):
        owe(told, f"cus_{number}", 1)
    return told


def test_the_next_chunk_is_claimed_while_the_senders_are_at_one():
    told, noting = many(3 * CHUNK), Noting()

    side_by_side(told, noting).run()

    first = ["claimed", "begun", "claimed", "begun", "answered", "claimed", "begun"]
    assert noting.noted[: len(first)] == first
    assert noting.noted.count("answered") == 3


def test_what_is_claimed_and_not_answered_is_bounded_however_much_is_due():
    told, noting = many(8 * CHUNK), Noting()
    open_at_once: list[int] = []

    def count_open(publication: Publication) -> None:
        pages: Page[Publication] = told.store.outbox.publications(unsettled=True, limit=PAGE)
        open_at_once.append(sum(1 for p in pages.elements if not p.accepted_at))

    told.far.on_send = count_open
    side_by_side(told, noting).run()

    assert len(open_at_once) == 8 * CHUNK
    assert max(open_at_once) <= (AHEAD + 1) * CHUNK


def test_answers_are_stored_though_the_next_chunk_cannot_be_claimed():
    """What was sent by then must not be left in doubt."""
    told, noting = many(2 * CHUNK), Noting()
    noting.fails_at = 2

    with pytest.raises(StoreUnavailable):
        side_by_side(told, noting).run()

    stored = told.store.outbox.publications(unsettled=True).elements
    assert len(stored) == CHUNK
    assert all(publication.accepted_at is not None for publication in stored)
