"""Tracing: from any number told to the provider, exactly the events behind it."""

from tallystick.stages.tracing import events_behind, trace
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract.steps import count, intend, seal, settle
from tallystick.testing.factories import place


def traced(store: MemoryStore, subject: str) -> list[list[str]]:
    """The event keys that each line behind the number brought."""
    lines = trace(store, subject).lines
    return [[change.contribution.event_key for change in line.changes] for line in lines]


def test_each_entry_names_only_the_changes_that_it_brought():
    store = MemoryStore("here")
    for keys in (("e1", "e2"), ("e3",), ("e4",)):
        for key in keys:
            count(store, key)
        seal(store)

    assert traced(store, str(place().slot)) == [["e1", "e2"], ["e3"], ["e4"]]


def test_a_publication_names_what_its_total_had_and_nothing_later():
    store = MemoryStore("here")
    count(store, "e1", 5)
    seal(store)
    first = settle(store, intend(store))
    count(store, "e2", 2)
    seal(store)
    second = intend(store)

    assert traced(store, first.identifier) == [["e1"]]
    assert traced(store, second.identifier) == [["e1"], ["e2"]]
    behind = events_behind(store, trace(store, second.identifier).event_keys())
    assert sum(one.quantity for one in behind) == second.total == 7
