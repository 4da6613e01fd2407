"""Whatever a batch holds, the SQLite store does with it what the reference does."""

import random
from pathlib import Path

import pytest

from tallystick.domain.event import Receipt
from tallystick.domain.meter import GROUPS_MAX, OTHER, WHOLE, Aggregation, Closed, Span
from tallystick.ports import Recording, Store
from tallystick.stores.memory import MemoryStore
from tallystick.stores.sqlite import SqliteStore
from tallystick.testing.factories import NOON, TEN, event, meter, recording

METERS = (
    meter("total"),
    meter("flights", Aggregation.COUNT, span=Span.DAY),
    meter("peak", Aggregation.MAX, span=Span.PERIOD),
    meter("lowest", Aggregation.MIN),
    meter("last", Aggregation.LATEST),
    meter("planes", Aggregation.UNIQUE_COUNT, span=Span.PERIOD, value_path="plane"),
    meter("mean", Aggregation.AVERAGE, dimensions=("plane",)),
)
CALLS = 30


def reported(drawn: random.Random) -> Recording:
    """An event, often of a key that was seen, now and then a conflict or a void."""
    key = f"e{drawn.randrange(60)}"
    tenant = drawn.choice(("acme", "globex"))
    if drawn.random() < 0.25:
        void = event(f"v-{key}-{drawn.randrange(2)}", tenant=tenant, voids=key, occurred_at=TEN)
        return recording(void, *METERS)
    quantity = drawn.choice((1, 1, 1, "2.5"))
    told = event(
        key,
        quantity,
        tenant=tenant,
        occurred_at=TEN + hash_of(key) % 3 * 60_000_000,
        properties={"plane": f"N{hash_of(key) % 4}"},
    )
    return recording(told, *METERS)


def hash_of(key: str) -> int:
    """The same in every run, as `hash` is not."""
    return sum(key.encode())


def everything(store: Store) -> tuple[object, ...]:
    aggregates = store.events.aggregates(limit=10_000).elements
    return (
        store.events.events(limit=10_000).elements,
        aggregates,
        [store.events.changes(aggregate.key, limit=10_000) for aggregate in aggregates],
        store.dead_letters.list(limit=10_000).elements,
    )


@pytest.mark.parametrize("seed", range(5))
def test_any_reports_in_any_batches_end_as_in_the_reference(tmp_path: Path, seed: int):
    drawn = random.Random(seed)  # noqa: S311  # to be repeated, no secret
    reference = MemoryStore()
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")

    for _ in range(CALLS):
        batch = [reported(drawn) for _ in range(drawn.choice((1, 2, 7, 20)))]
        assert store.events.record(batch, NOON) == reference.events.record(batch, NOON)

    assert everything(store) == everything(reference)
    store.close()


@pytest.mark.parametrize("batch_size", [1, 300, GROUPS_MAX + 10])
def test_the_dimension_sets_of_a_window_are_counted_across_and_within_batches(
    tmp_path: Path, batch_size: int
):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    by_plane = meter("mean", dimensions=("plane",))
    told = [
        recording(event(f"e{n}", properties={"plane": f"N{n}"}), by_plane)
        for n in range(GROUPS_MAX + 10)
    ]

    for first in range(0, len(told), batch_size):
        store.events.record(told[first : first + batch_size], NOON)

    groups = {a.key.group: a.value for a in store.events.aggregates(limit=10_000).elements}
    assert len(groups) == GROUPS_MAX + 2
    assert (groups[OTHER], groups[WHOLE]) == (10, GROUPS_MAX + 10)
    store.close()


def test_a_contribution_keeps_the_meter_version_it_was_made_by(tmp_path: Path):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    newer = meter("total", Aggregation.COUNT, span=Span.HOUR, closed=Closed.CARRY, version=2)
    told = [recording(event("e1", 5), meter("total")), recording(event("e2", 5), newer)]

    store.events.record(told, NOON)

    (aggregate,) = store.events.aggregates().elements
    assert (aggregate.meter_version, aggregate.value) == (1, 6)
    kept = [change.contribution for change in store.events.changes(aggregate.key)]
    assert kept == [made.contributions[0] for made in told]
    store.close()


def test_a_void_before_its_event_in_one_batch_wins(tmp_path: Path):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")

    recorded = store.events.record(
        [recording(event("void", voids="e1")), recording(event("e1"))], NOON
    )

    assert [r.receipt for r in recorded] == [Receipt.RECORDED, Receipt.RECORDED]
    assert recorded[1].aggregates == ()
    assert store.events.aggregates().elements == ()
    store.close()
