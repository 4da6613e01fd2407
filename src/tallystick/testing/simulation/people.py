"""What people do in a world: they stop sending and let it go on, settle what is in doubt, repair;
and somebody else may write into the provider's books. Here it is carried out and watched.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from random import Random

from tallystick.domain.errors import PublisherUnavailable, StoreUnavailable
from tallystick.domain.instant import DAY
from tallystick.domain.publication import Limits, Publication, landed_by, settled_by_person
from tallystick.domain.slot import SlotKey
from tallystick.ports import Clock, Publisher, Store
from tallystick.stages.doubting import doubt
from tallystick.stages.publishing import ADOPTING, HOLD, PAUSE
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.recounting import pages
from tallystick.testing.fakes import HOUR_METER, FakeProvider
from tallystick.testing.simulation.witness import Witness, require


class Orders:
    """The switches that stop sending, each with the number of the change that set it, so that one
    which was lifted and set again is another."""

    def __init__(self) -> None:
        self.standing: dict[str, int] = {}
        self._changes = 0

    def look(self, switches: Mapping[str, str]) -> None:
        """Take note of the switches as they stand now."""
        stopping = {n for n in switches if n.partition(":")[0] in (PAUSE, HOLD, ADOPTING)}
        for name in stopping - self.standing.keys():
            self._changes += 1
            self.standing[name] = self._changes
        self.standing = {n: change for n, change in self.standing.items() if n in stopping}

    def check_sent(self, publication: Publication, begun: Mapping[str, int], store: Store) -> None:
        """A pass must heed the orders that stood when it began and still stand."""
        heeded = [n for n, change in begun.items() if self.standing.get(n) == change]
        require(PAUSE not in heeded, f"{publication.identifier} is sent during a pause")
        if ADOPTING in begun:
            early = ADOPTING in store.catalog.switches()
            require(not early, f"{publication.identifier} is sent before a restore has ended")
        if publication.attempts > 1:
            return  # What is under way is settled even then.
        for name in heeded:
            stopped = _destinations(name, store)
            told = publication.slot.destination
            require(told not in stopped, f"{told} is sent something new in spite of {name}")


def _destinations(name: str, store: Store) -> set[str]:
    kind, _, subject = name.partition(":")
    if kind == HOLD:
        return {subject}
    account = store.catalog.account(subject)
    return {mapping.destination for mapping in account.mappings} if account else set()


def reconcile(store: Store, publisher: Publisher, clock: Clock, limits: Limits) -> None:
    """What the hourly loop compares: a share of the totals, and all subscriptions."""
    reconciling = Reconciling(store=store, publisher=publisher, now=clock.now(), limits=limits)
    with suppress(StoreUnavailable, PublisherUnavailable):
        list(reconciling.subscriptions())
        list(reconciling.share(parts=2))


def repair(store: Store, publisher: Publisher, clock: Clock, limits: Limits) -> None:
    """Have what was changed behind our back set again."""
    reconciling = Reconciling(store=store, publisher=publisher, now=clock.now(), limits=limits)
    with suppress(StoreUnavailable, PublisherUnavailable):
        reconciling.repair()


def settle(store: Store, provider: FakeProvider, clock: Clock, limits: Limits) -> None:
    """A person looks into the provider's books, and decides what they show beyond doubt."""
    with suppress(StoreUnavailable):
        for current in list(pages(lambda c: store.outbox.publications(unsettled=True, cursor=c))):
            holds = provider.total(current.slot)
            known = holds in (current.total, current.before)
            if known and clock.now() >= landed_by(current, limits):
                arrived = holds == current.total
                after = settled_by_person(current, arrived=arrived, why="seen", now=clock.now())
                store.outbox.advance([(current, after)])


def hear(store: Store, provider: FakeProvider, clock: Clock, seed: int) -> bool:
    """Webhooks come: late refusals of any age, in any order, and some twice. Whether any came."""
    with suppress(StoreUnavailable, PublisherUnavailable):
        refused = provider.rejections(clock.now() - 3 * DAY)
        told = Random(seed).choices(refused, k=min(5, len(refused))) if refused else []
        doubt(store, told, clock.now())
        return bool(told)
    return False


def tamper(provider: FakeProvider, witness: Witness, seed: int) -> SlotKey | None:
    """Somebody else sets another total in one of the provider's hours; which."""
    hours = [s for books in provider.books.values() for s in books if s.route == HOUR_METER.name]
    if not hours:
        return None
    draws = Random(seed)
    slot = draws.choice(sorted(hours))
    total = Decimal(draws.choice((0, 1, 1000)))
    witness.tampered(slot, total)
    provider.write(slot, total)
    return slot
