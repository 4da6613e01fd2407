"""Power cuts: the store and the stages work on a disk that forgets what was not synced.

A world is one company and one provider through some cuts. Before each cut threads count reports,
seal, publish, and close and open the store, until the power goes at a moment that the seed draws;
also while the store is made, and while it recovers from the cut before. What the disk kept is
looked at in a copy, and is what the next cut begins with. At a world's end the power stays on,
time passes until all is confirmed, and reconcile must find nothing.
"""

import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.instant import DAY, HOUR, MINUTE, parse_instant
from tallystick.domain.period import Interval, period_containing
from tallystick.domain.publication import Answer, Limits, Publication
from tallystick.domain.window import Window
from tallystick.stages.ingesting import Intake, Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.reconciling import Reconciling
from tallystick.stages.targeting import SealLimits
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite import connection as tuning
from tallystick.testing.fakes import (
    HOUR_METER,
    SUM_METER,
    FakeClock,
    FakeProvider,
    FakePublisher,
)
from tests.crash.checking import Acks, Found, look_at
from tests.crash.company import fill
from tests.crash.disk import Disk
from tests.crash.telling import Body, Teller, anchor_of, report_of

CUTS_OF_A_WORLD = 10
BEGINS = parse_instant("2026-03-10T12:00:00Z")
ROUTES = {"requests": SUM_METER.name, "peak": HOUR_METER.name}
CHANGES_MAX = 10_000
"""So many writes and syncs are made at most before the power goes."""

EARLY = 0.15
"""The share of cuts that come at once: while the store is made, or recovers from the last."""

EARLY_MAX = 60
PASSES = (0.1, 0.1, 0.7)
"""The share of the work that is sealing and publishing: the power goes there too."""

DEEP = 4
"""After every so many cuts the product recounts its books too; and at the end."""

TOLD_AGAIN = 50
CHECKPOINTS = (30, 200, tuning.CHECKPOINT_PAGES)
"""The log is copied into the file after so many pages: often, or as it is shipped."""

STEPS = (10 * MINUTE, HOUR, 7 * HOUR, 8 * HOUR, 50 * HOUR, 63 * HOUR, 64 * HOUR, 4 * DAY)
"""When the last passes are made: also what a plain sum needs to end doubt is over by then."""


class PowerOff(Exception):
    """This machine is off: nothing leaves it any more."""


@dataclass
class Cuts:
    """What some cuts came to."""

    cuts: int = 0
    acked: int = 0
    syncs: int = 0
    sealed: int = 0
    found: Found = field(default_factory=Found)


@dataclass(frozen=True, slots=True)
class Wired(FakePublisher):
    """A publisher that sends nothing once the power is off."""

    disk: Disk | None = None

    def send(self, publication: Publication) -> Answer:
        if self.disk is not None and self.disk.is_off:
            raise PowerOff
        return FakePublisher.send(self, publication)


def _period(_destination: str, at: int) -> Window:
    return period_containing(anchor_of(BEGINS), Interval(), at)


@dataclass
class PowerWorld:
    """One company, its provider, and the folder that the last cut left."""

    name: str
    folder: Path
    lies: Collection[str] = ()
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGINS))
    acks: Acks = field(default_factory=Acks)
    syncs: int = 0
    cuts: int = 0
    workers: int = 0
    is_set_up: bool = False
    draws: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self.provider = FakeProvider(self.clock, periods=_period)
        self.unsure: list[Body] = []
        self.acked: list[Body] = []

    @property
    def file(self) -> Path:
        return self.folder / "tally.db"

    def live_until_cut(self, left: Path) -> Found:
        """Work until the power goes; what is left is in the folder `left` from then on."""
        self.cuts += 1
        # Anew for each, since how much is drawn until a cut depends on how threads take turns.
        self.draws = Random(f"{self.name}.{self.cuts}")
        early = self.draws.random() < EARLY
        cut_at = self.draws.randint(1, EARLY_MAX if early else CHANGES_MAX)
        seed = Random(self.draws.random())
        disk = Disk(f"{self.name}-{self.cuts}", self.folder, cut_at=cut_at, draws=seed)
        disk.lies = self.lies
        try:
            with _checkpointing(self.draws.choice(CHECKPOINTS)):
                while not disk.is_off:
                    self._work(disk)
        finally:
            disk.unregister()
        self.syncs += disk.syncs
        disk.write_image(left)
        self.folder = left
        self.clock.at += MINUTE
        return self.looked_at()

    def _work(self, disk: Disk) -> None:
        """Open, count from one or several threads, publish now and then, and close."""
        store = SqliteStore.open(self.file, incarnation="here", vfs=disk.name)
        try:
            if not self.is_set_up:
                fill(store, self.clock.at, ROUTES)
                self.is_set_up = not disk.is_off
            worker = self._worker(store, disk)
            threads = [
                threading.Thread(target=self._worker(store, disk).work)
                for _ in range(self.draws.choice((0, 0, 2)))
            ]
            for thread in threads:
                thread.start()
            worker.work(passes=self.draws.choice(PASSES))
            for thread in threads:
                thread.join()
        finally:
            store.close()

    def _worker(self, store: SqliteStore, disk: Disk) -> "Worker":
        return Worker(self, store, disk, Random(self.draws.random()))

    def looked_at(self) -> Found:
        """All that is stored, seen in a copy: the next cut begins with what this one left."""
        with TemporaryDirectory(prefix="crash-") as place:
            for found in self.folder.glob("tally.db*"):
                shutil.copy(found, place)
            try:
                return self._found_in(Path(place) / "tally.db")
            except StoreUnavailable as error:
                return Found(lost=len(self.acks.acked), wrong=[str(error)])

    def _found_in(self, file: Path) -> Found:
        store = SqliteStore.open(file, incarnation="copy")
        try:
            damage, is_deep = store.integrity_check(), self.cuts % DEEP == 0
            return look_at(store, self.acks, self.clock.at, damage, is_deep=is_deep)
        finally:
            store.close()

    def end(self) -> tuple[Found, int]:
        """The power stays on: everything is told and agrees; and how long the ledger is."""
        store = SqliteStore.open(self.file, incarnation="here")
        try:
            if not self.is_set_up:
                fill(store, self.clock.at, ROUTES)
            found = self._count_the_rest(store)
            begun = self.clock.at
            publisher = FakePublisher(self.provider, self.clock)
            for step in STEPS:
                self.clock.jump_to(begun + step)
                one_pass(_publishing(store, publisher, self.clock), SealLimits())
            reconciling = Reconciling(
                store=store, publisher=publisher, now=self.clock.at, limits=Limits()
            )
            found.wrong += [f"{d.kind}: {d.subject}: {d.detail}" for d in reconciling.everything()]
            return found, len(store.ledger.entries(limit=1_000_000).elements)
        finally:
            store.close()

    def _count_the_rest(self, store: SqliteStore) -> Found:
        intake = intake_of(store)
        for body in self.unsure + self.acked[-TOLD_AGAIN:]:
            ingest(_reports(body), intake, self.clock.at)
            self.acks.ack(body)
        return look_at(store, self.acks, self.clock.at, store.integrity_check())


class Worker:
    """One thread's part."""

    def __init__(self, world: PowerWorld, store: SqliteStore, disk: Disk, draws: Random) -> None:
        self._world = world
        self._store = store
        self._disk = disk
        self._draws = draws
        world.workers += 1
        self._teller = Teller(f"{world.name}.{world.workers}", BEGINS)
        self._intake: Intake = intake_of(store)

    def work(self, *, passes: float = 0) -> None:
        """Until the power goes, or for so long that the store is closed in good order; this share
        of the time is for passes."""
        for _ in range(self._draws.randint(5, 40)):
            if self._disk.is_off:
                return
            if self._draws.random() < passes:
                self._pass()
            else:
                self._count()

    def _count(self) -> None:
        world = self._world
        body = self._next_body()
        world.acks.send(body)
        outcomes = ingest(_reports(body), self._intake, world.clock.at)
        assert len(outcomes) == len(body.events)
        if self._disk.is_off:
            world.unsure.append(body)
        else:
            world.acks.ack(body)
            world.acked.append(body)

    def _next_body(self) -> Body:
        world = self._world
        if world.unsure and self._draws.random() < 0.5:
            return world.unsure.pop()
        if world.acked and self._draws.random() < 0.1:
            return self._draws.choice(world.acked)
        return self._teller.body()

    def _pass(self) -> None:
        world = self._world
        publisher = Wired(world.provider, world.clock, self._disk)
        try:
            one_pass(_publishing(self._store, publisher, world.clock), SealLimits())
        except PowerOff:
            return


def _publishing(store: SqliteStore, publisher: FakePublisher, clock: FakeClock) -> Publishing:
    return Publishing(store=store, publisher=publisher, clock=clock, limits=Limits())


def _reports(body: Body) -> list[Report]:
    return [Report(origin="crash", body=report_of(told)) for told in body.events]


def power_cuts(seed: str, cuts: int, lies: Collection[str] = ()) -> Iterator[Cuts]:
    """Live through so many cuts, and tell after each world what it came to."""
    for number in range(0, cuts, CUTS_OF_A_WORLD):
        yield live_a_world(f"{seed}.{number}", min(CUTS_OF_A_WORLD, cuts - number), lies)


def live_a_world(seed: str, cuts: int, lies: Collection[str] = ()) -> Cuts:
    """It ends early with the first fault that is found."""
    done = Cuts()
    with TemporaryDirectory(prefix="crash-") as place:
        world = PowerWorld(seed, _made(Path(place) / "0"), lies)
        for number in range(cuts):
            left = _made(Path(place) / str(number + 1))
            try:
                done.found = world.live_until_cut(left)
            except StoreUnavailable as error:
                done.found = Found(wrong=[f"it does not work any more: {error}"])
            done.cuts += 1
            if not done.found.is_clean:
                break
        else:
            done.found, done.sealed = world.end()
        done.acked, done.syncs = len(world.acks.acked), world.syncs
    return done


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _checkpointing(pages: int) -> Iterator[None]:
    """For whatever opens a store within."""
    before = tuning.CHECKPOINT_PAGES
    tuning.CHECKPOINT_PAGES = pages
    try:
        yield
    finally:
        tuning.CHECKPOINT_PAGES = before
