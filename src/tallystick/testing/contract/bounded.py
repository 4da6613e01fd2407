"""Bounded: the most that the domain lets one write hold, every store's write holds."""

from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from tallystick.domain.aggregate import AGGREGATES_MAX
from tallystick.domain.event import Receipt
from tallystick.domain.fields import PROPERTIES_BYTES_MAX
from tallystick.domain.instant import DAY, HOUR
from tallystick.domain.ledger import ALLOCATIONS_MAX, Allocation, Entry, chained
from tallystick.domain.meter import MEMBER_LENGTH_MAX, Aggregation
from tallystick.domain.quantity import ZERO
from tallystick.domain.window import Window
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import aggregates, count, every, report, seal, value
from tallystick.testing.factories import (
    FEBRUARY,
    JANUARY,
    NOON,
    TEN,
    dead_letter,
    event,
    meter,
    place,
)

BODY_BYTES: Final = 1024 * 1024
"""As much of a report as is kept; each byte that is no text takes four characters."""

EVENTS: Final = 70
"""So many of the largest events are more than a megabyte or four."""

WIDEST = tuple(
    meter(f"m{number}", Aggregation.UNIQUE_COUNT, value_path="user", dimensions=("region",))
    for number in range(AGGREGATES_MAX // 2)
)
"""Meters that write the most for one event: a dimension set and a member each."""


class BoundedContract(StoreHooks):
    """The widest and the largest event, the longest Entries, and the largest letter."""

    def test_the_widest_event_counts_and_is_voided_in_one_write_each(self, store: Store) -> None:
        properties = {"user": "😀" * MEMBER_LENGTH_MAX, "region": "é" * 1_000}
        told = event("e1", properties=properties)

        (recorded,) = report(store, told, meters=WIDEST)

        assert recorded.receipt is Receipt.RECORDED
        assert len(recorded.aggregates) == AGGREGATES_MAX
        assert {found.value for found in aggregates(store)} == {Decimal(1)}

        (voided,) = report(store, event("v1", voids="e1"))

        assert len(voided.aggregates) == AGGREGATES_MAX
        assert {found.value for found in aggregates(store)} == {Decimal(0)}

    def test_the_longest_entries_are_appended_in_one_write(self, store: Store) -> None:
        count(store, "e1", 5)
        origin = place(at=TEN - 5 * DAY)
        (first,) = seal(store, into=origin)
        places = [place(at=TEN - n * HOUR) for n in range(ALLOCATIONS_MAX)]
        longest = [Allocation(at, Decimal(1)) for at in places]
        left = _half(first, -5, 3, JANUARY, Allocation(origin, Decimal(-5)))
        came = _half(left, 5, 2, FEBRUARY, *longest)

        assert store.ledger.append([(left, came)]) == (Appended.APPENDED,)

        assert every(store.ledger.entries) == [first, left, came]
        assert len(every(store.outbox.slots)) == ALLOCATIONS_MAX + 1

    def test_a_batch_of_the_largest_events_counts(self, store: Store) -> None:
        largest = "é" * (PROPERTIES_BYTES_MAX // 2 - 8)
        told = [event(f"e{n}", properties={"p": largest}) for n in range(EVENTS)]

        recorded = report(store, *told)

        assert {each.receipt for each in recorded} == {Receipt.RECORDED}
        assert value(store) == EVENTS
        assert every(store.events.events) == told

        voids = report(store, *(event(f"v{n}", voids=f"e{n}") for n in range(EVENTS)))

        assert {each.receipt for each in voids} == {Receipt.RECORDED}
        assert value(store) == 0

    def test_the_largest_letter_is_kept_whole(self, store: Store) -> None:
        body = (b"\xff" * BODY_BYTES).decode("utf-8", "backslashreplace")
        told = [dead_letter(body, origin=f"line {n}") for n in range(3)]

        store.dead_letters.keep(told)

        assert store.dead_letters.list().elements == tuple(told)
        assert store.dead_letters.take(told[1].id, "recorded", NOON)
        assert store.dead_letters.list().elements == (told[0], told[2])
        kept = every(partial(store.dead_letters.list, open_only=False))
        assert kept[1] == replace(told[1], replayed_at=NOON, replayed_as="recorded")


def _half(
    before: Entry, moved: int, linked_line: int, period: Window, *allocations: Allocation
) -> Entry:
    """One Entry of a linked pair, as it would follow in the chain."""
    placed = sum((allocation.quantity for allocation in allocations), ZERO)
    half = replace(
        before,
        period=period,
        line=before.line + 1,
        revision=before.revision + 1,
        delta=ZERO,
        released=ZERO,
        moved=Decimal(moved),
        billed=before.billed + moved,
        allocated=before.allocated + placed,
        allocations=allocations,
        linked_line=linked_line,
        previous_hash=before.hash,
    )
    return chained(half)
