"""Kill rounds: `tallystick serve` as a process on a real file, killed again and again under load.

A world is one company, one file and one sandbox; it lives through some rounds. In a round one or
two servers start on the file, clients report, each server is killed with SIGKILL at a moment that
the seed draws (some while they still start), and a copy of the files is looked at, so that the
next server is the one that has to recover them. Each start seals and publishes what is due, so
that kills meet the hourly pass too, and the sandbox fails and loses answers meanwhile. At a world's
end the servers drain, time passes until all is confirmed, and reconcile must find nothing.
"""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event

from tallystick.bootstrap import App, app_of
from tallystick.config import read_settings
from tallystick.domain.instant import HOUR, MINUTE, floor_hour
from tallystick.entrypoints.checking import reconciling_of
from tallystick.entrypoints.composing import limits_of, publishing_of
from tallystick.stages.passing import one_pass
from tallystick.stages.recounting import pages
from tallystick.stores.sqlite import SqliteStore
from tests.crash.checking import Found, folded, look_at
from tests.crash.clients import Load, ended, started
from tests.crash.company import Sandbox, now_by_the_clock, opened_company, running_sandbox, url_of
from tests.crash.telling import BILLED_SINCE, TENANTS, Told, anchor_of
from tests.http.served import Served

ROUNDS_OF_A_WORLD = 20
CLIENTS = 4
ACKED_MIN, ACKED_MAX = 500, 3_500
"""So many events are acked in a round before the kill."""

DELAY_MAX = 0.03
STARTING = 0.1
"""The share of rounds whose server is killed while it starts."""

START_SECONDS = 3
PAIRS = 0.2
"""The share of rounds with two servers on the file."""

DEEP = 4
"""Every so many rounds the product recounts its books too; and at the end."""

STEPS = (10 * MINUTE, HOUR, 7 * HOUR, 8 * HOUR, 50 * HOUR, 63 * HOUR)
"""When the last passes are made: what was killed in flight is settled by then."""


@dataclass
class Tally:
    """What some rounds came to."""

    rounds: int = 0
    acked: int = 0
    kills: int = 0
    published: int = 0
    found: Found = field(default_factory=Found)


@dataclass
class World:
    """One company through some rounds."""

    folder: Path
    sandbox: Sandbox
    draws: Random
    load: Load
    key: str
    kills: int = 0
    rounds: int = 0

    def live_a_round(self) -> Found:
        """Start, report, kill, look."""
        if self.draws.random() < STARTING:
            self._kill_while_starting()
        count = 2 if self.draws.random() < PAIRS else 1
        with self._servers(count) as servers:
            goal = len(self.load.acks.acked) + self.draws.randint(ACKED_MIN, ACKED_MAX)
            clients = started(self.load, [s.port for s in servers], self.key, CLIENTS)
            for served in servers:
                moved = self.load.wait_until(goal)
                assert moved, f"nothing is acked any more: {[s.said for s in servers]}"
                Event().wait(self.draws.random() * DELAY_MAX)
                self._kill(served)
                goal += ACKED_MIN
            ended(clients)
        self.rounds += 1
        return self.looked_at(is_deep=self.rounds % DEEP == 0)

    def _kill_while_starting(self) -> None:
        """At any moment from the first import to the end of the first pass."""
        served = self._server(is_awaited=False)
        Event().wait(self.draws.random() * START_SECONDS)
        self._kill(served)

    @contextmanager
    def _servers(self, count: int) -> Iterator[list[Served]]:
        servers: list[Served] = []
        try:
            servers += [self._server(is_awaited=False) for _ in range(count)]
            for served in servers:
                assert served.is_up.wait(120), "a server does not start"
                assert served.port, served.said
            yield servers
        finally:
            for served in servers:
                if served.process.poll() is None:
                    served.end(signal.SIGKILL)

    def _server(self, *, is_awaited: bool) -> Served:
        environment = self.sandbox.environment
        return Served(self.folder, environment=environment, is_awaited=is_awaited)

    def _kill(self, served: Served) -> None:
        code = served.end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"it ended by itself with {code}: {served.said}"
        self.kills += 1

    def looked_at(self, *, is_deep: bool = True) -> Found:
        """All that is stored, seen in a copy: the files themselves stay as the kill left them."""
        with TemporaryDirectory(prefix="crash-") as place:
            for found in self.folder.glob("tally.db*"):
                shutil.copy(found, place)
            store = SqliteStore.open(Path(place) / "tally.db", create=False, incarnation="copy")
            try:
                damage = store.integrity_check()
                now = now_by_the_clock()
                found = look_at(store, self.load.acks, now, damage, is_deep=is_deep)
            finally:
                store.close()
        found.wrong += self.load.strange
        return found

    def end(self) -> tuple[Found, int]:
        """Drain, let time pass, and reconcile; and how many publications there were."""
        with self._servers(1) as (served,):
            clients = started(self.load, [served.port], self.key, CLIENTS)
            self.load.wait_until(len(self.load.acks.acked) + ACKED_MIN)
            code = served.end(signal.SIGTERM)
            ended(clients)
        found = self.looked_at()
        if code:
            found.wrong.append(f"told to end it exited with {code}: {served.said}")
        self.sandbox.behave()
        begun, published = now_by_the_clock(), 0
        for step in STEPS:
            with self._app(begun + step) as app:
                one_pass(publishing_of(app), limits_of(app))
                published = _publications(app)
        with self._app(begun + STEPS[-1]) as app:
            found.wrong += [
                f"{d.kind}: {d.subject}: {d.detail}" for d in reconciling_of(app).everything()
            ]
            found.wrong += self._told_wrongly(app)
        return found, published

    @contextmanager
    def _app(self, at: int) -> Iterator[App]:
        self.sandbox.set_clock(at)
        settings = read_settings(self.sandbox.environment)
        with app_of(replace(settings, store=url_of(self.folder)), at=at, create=False) as app:
            yield app

    def _told_wrongly(self, app: App) -> Iterator[str]:
        """What Stripe shows of each tenant against the sums of all that is stored."""
        told = list[Told]()
        for event in pages(lambda cursor: app.store.events.events(cursor=cursor)):
            told.append(self.load.acks.sent[event.tenant, event.key])
        start = anchor_of(app.clock.now()) - BILLED_SINCE
        for tenant in TENANTS:
            for meter in ("requests", "peak"):
                ours = sum(
                    value
                    for (t, m, _), (_, value) in folded(told).items()
                    if (t, m) == (tenant, meter)
                )
                theirs = self.sandbox.total(tenant, meter, start, floor_hour(app.clock.now()))
                if ours != theirs:
                    yield f"Stripe shows {theirs} {meter} of {tenant}, the events make {ours}"


def _publications(app: App) -> int:
    return sum(1 for _ in pages(lambda cursor: app.store.outbox.publications(cursor=cursor)))


def kill_rounds(seed: str, rounds: int) -> Iterator[Tally]:
    """Live through so many rounds, and tell after each world what it came to."""
    for number in range(0, rounds, ROUNDS_OF_A_WORLD):
        yield live_a_world(f"{seed}.{number}", min(ROUNDS_OF_A_WORLD, rounds - number))


def live_a_world(seed: str, rounds: int) -> Tally:
    """It ends early with the first fault that is found."""
    tally = Tally()
    now = now_by_the_clock()
    with TemporaryDirectory(prefix="crash-") as place, running_sandbox() as sandbox:
        sandbox.set_up(now)
        sandbox.misbehave()
        key = opened_company(Path(place), now)
        world = World(Path(place), sandbox, Random(seed), Load(seed, now), key)
        while tally.rounds < rounds and tally.found.is_clean:
            tally.found = world.live_a_round()
            tally.rounds += 1
        if tally.found.is_clean:
            tally.found, tally.published = world.end()
        tally.acked, tally.kills = len(world.load.acks.acked), world.kills
    return tally
