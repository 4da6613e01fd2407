"""Shared: several processes on one storage count as one."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context

from tallystick.domain.event import Receipt
from tallystick.domain.publication import Publication
from tallystick.domain.tampering import first_broken
from tallystick.ports import Appended, Store
from tallystick.testing.contract.hooks import StoreHooks
from tallystick.testing.contract.steps import (
    count,
    every,
    next_of,
    report,
    sealed,
    slot_of,
    value,
)
from tallystick.testing.factories import event, publication

PROCESSES = 3
EVENTS = 40

Opener = Callable[[], Store]


def count_elsewhere(opener: Opener, place: int) -> list[Receipt]:
    """Events that all the processes report, and as many of its own."""
    with closing(opener()) as store:
        receipts = []
        for n in range(EVENTS):
            told = event(f"common {n}"), event(f"{place}/{n}")
            receipts += [recorded.receipt for recorded in report(store, *told)]
        return receipts


def seal_elsewhere(opener: Opener, place: int) -> int:
    """Count and seal in turn; how many of its Entries were appended."""
    with closing(opener()) as store:
        appended = 0
        for n in range(EVENTS):
            count(store, f"{place}/{n}")
            new = next_of(store)
            if new:
                appended += store.ledger.append([new]) == (Appended.APPENDED,)
        return appended


def intend_elsewhere(opener: Opener, rival: Publication) -> bool:
    with closing(opener()) as store:
        return store.outbox.intend([rival])[0]


class SharedContract(StoreHooks):
    """What the threads of one process are held to, for processes."""

    def test_processes_that_report_the_same_count_it_once(self, store: Store) -> None:
        opener = self.opener(store)
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            parts = pool.map(count_elsewhere, [opener] * PROCESSES, range(PROCESSES))
            receipts = Counter(receipt for part in parts for receipt in part)

        assert receipts == {
            Receipt.RECORDED: EVENTS + PROCESSES * EVENTS,
            Receipt.DUPLICATE: (PROCESSES - 1) * EVENTS,
        }
        assert value(store) == EVENTS + PROCESSES * EVENTS
        assert count(store, "common 0").receipt is Receipt.DUPLICATE

    def test_processes_that_seal_make_one_chain(self, store: Store) -> None:
        opener = self.opener(store)
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            appended = sum(pool.map(seal_elsewhere, [opener] * PROCESSES, range(PROCESSES)))

        chain = every(store.ledger.entries)
        assert len(chain) == appended
        assert first_broken(chain, store.ledger.head("acme", "requests")) is None
        assert chain[-1].total == slot_of(store).total

    def test_one_of_several_processes_takes_a_slot(self, store: Store) -> None:
        sealed(store)
        rivals = [publication(slot_of(store), incarnation=str(i)) for i in range(PROCESSES)]
        opener = self.opener(store)
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            answers = list(pool.map(intend_elsewhere, [opener] * PROCESSES, rivals))

        assert Counter(answers) == {True: 1, False: PROCESSES - 1}
        assert slot_of(store).unsettled == rivals[answers.index(True)].identifier
