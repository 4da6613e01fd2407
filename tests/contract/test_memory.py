"""The memory store is the reference: it is held to the whole contract like any other."""

import pickle
from collections import Counter
from pathlib import Path

import pytest

from tallystick.ports import Store
from tallystick.stores.memory import MemoryStore
from tallystick.testing.contract import StoreContract
from tallystick.testing.contract.steps import content, count, find, seal, seen

ONE_PROCESS = "its dictionaries are those of one process"


class TestMemoryStore(
    StoreContract,
    exempt={
        "test_processes_that_report_the_same_count_it_once": ONE_PROCESS,
        "test_processes_that_seal_make_one_chain": ONE_PROCESS,
        "test_one_of_several_processes_takes_a_slot": ONE_PROCESS,
        "test_a_damaged_store_is_unavailable": "nothing lies under it that could fail",
    },
):
    def make_store(self, folder: Path) -> Store:
        return MemoryStore("here")

    def reopen(self, store: Store) -> Store:
        kept = pickle.dumps(store)
        store.close()
        return pickle.loads(kept)  # noqa: S301  # our own store, just pickled

    def open_second(self, store: Store) -> Store:
        return store


def test_a_copy_goes_its_own_way():
    store = MemoryStore("here")
    count(store, "e1", 5)
    seal(store)
    before = content(store)

    copy = store.copy()
    assert content(copy) == before
    assert copy.incarnation == "here"

    count(copy, "e2", 2)
    seal(copy)
    copy.ledger.clear_due([seen(find(copy))])
    assert content(store) == before
    count(store, "e3", 3)
    assert len(content(copy)["events"]) == 2


def test_no_test_of_the_contract_hides_another():
    suites = StoreContract.__bases__
    names = [name for suite in suites for name in vars(suite) if name.startswith("test_")]

    assert len(suites) >= 14
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_an_exemption_names_a_test_and_a_reason():
    for wrong in ({"test_that_is_not_there": "because"}, {"test_a_letter_is_taken_once": ""}):
        with pytest.raises(TypeError, match="exempt"):
            type("TestWrong", (StoreContract,), {}, exempt=wrong)
