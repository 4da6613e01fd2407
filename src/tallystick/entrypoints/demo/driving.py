"""The driver: lives through the months hour by hour, and breaks what it can on the way."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tallystick.clock import SystemClock
from tallystick.domain.instant import DAY, HOUR, MINUTE
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.dice import Dice
from tallystick.entrypoints.demo.links import DemoFailed, Reply, SandboxLink, ServiceLink
from tallystick.entrypoints.demo.posting import Body, Posting

PASS_AT: Final = 5 * MINUTE
"""How long after the hour the service runs: its grace."""

CLOSING_EVERY: Final = 5 * MINUTE
"""While a bill is about to close the service runs this often, so that doubt is resolved in time."""

SETTLING: Final = 4 * DAY
SETTLING_EVERY: Final = 12 * HOUR
KILLS_MAX: Final = 7
"""A month, of each kind: in the middle of an ingest, and in the middle of a pass."""

KILLED_FROM: Final = 5
"""An ingest of fewer reports is over too soon to be killed in its middle."""

BATCH: Final = 500
DEAD: Final = "conflict"


@dataclass(slots=True)
class Kills:
    """When to kill: at or after each planned hour, as soon as there is something to interrupt."""

    planned: deque[int]
    usual: int = 0
    done: int = 0

    def is_due(self, now: int) -> bool:
        return bool(self.planned) and now >= self.planned[0] and self.usual > 0

    def hit(self) -> None:
        self.planned.popleft()
        self.done += 1


def planned_kills(kind: str, periods: Sequence[Window], dice: Dice) -> Kills:
    """So many hours of each period, at most one a day, and none when its bill is due."""
    chosen: list[int] = []
    for period in periods:
        hours = range(period.start + 12 * HOUR, period.end - 6 * HOUR, HOUR)
        kills = min(KILLS_MAX, len(hours) // 24)
        chosen += dice.shuffled(hours, "kill", kind, period.start)[:kills]
    return Kills(deque(sorted(chosen)))


@dataclass(slots=True, kw_only=True)
class Driver:
    """What plays the producers, the scheduler, the clock, and bad luck."""

    service: ServiceLink
    sandbox: SandboxLink
    posting: Posting
    dice: Dice
    ingest_kills: Kills
    pass_kills: Kills
    received: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)

    def live(self, periods: Iterable[Window], on_hour: Callable[[int], None]) -> int:
        """Every hour of the periods, then as long as it takes to settle; the instant it is then."""
        end = 0
        for period in periods:
            end = period.end
            for now in range(period.start + HOUR, period.end, HOUR):
                self._hour(now)
                on_hour(now)
            self._close(period)
            on_hour(period.end)
        for now in range(end + SETTLING_EVERY, end + SETTLING + 1, SETTLING_EVERY):
            self._hour(now)
        return end + SETTLING + PASS_AT

    def _hour(self, now: int) -> None:
        self._deliver(now)
        self._pass(now + PASS_AT)

    def _close(self, period: Window) -> None:
        """The hour between a period's end and its bill."""
        self._deliver(period.end)
        for now in range(period.end + PASS_AT, period.end + HOUR, CLOSING_EVERY):
            self._pass(now)

    # ── Reports ───────────────────────────────────────────────────────────────────────────────

    def _deliver(self, now: int) -> None:
        bodies = self.posting.due(now, self.dice)
        for start in range(0, len(bodies), BATCH):
            self._ingest(bodies[start : start + BATCH], now)

    def _ingest(self, bodies: list[Body], now: int) -> None:
        """Send reports until they are acknowledged, as a producer does."""
        may_kill = len(bodies) >= KILLED_FROM
        reply = self._ordered({"at": now, "ingest": bodies}, self.ingest_kills, may_kill=may_kill)
        for body, receipt in zip(bodies, reply["receipts"], strict=True):
            tenant = str(body["tenant"])
            self.received[tenant] += 1
            if receipt == DEAD:
                self.refused[tenant] += 1
            else:
                self.acknowledged.add((tenant, str(body["key"])))

    # ── Passes ────────────────────────────────────────────────────────────────────────────────

    def _pass(self, now: int) -> None:
        self.sandbox.set_clock(now)
        reply = self._ordered({"at": now, "run": True}, self.pass_kills, may_kill=True)
        self.outcomes += Counter(reply["outcomes"])
        self.outcomes["entries"] += reply["entries"]
        if reply["denied"]:
            raise DemoFailed(f"the sandbox refuses our key: {reply['denied']}")

    def _ordered(self, order: dict[str, object], kills: Kills, *, may_kill: bool) -> Reply:
        """The answer to an order, given again where the service was killed before it answered."""
        clock = SystemClock()
        at = order["at"]
        if may_kill and self.service.is_up and isinstance(at, int) and kills.is_due(at):
            patience = kills.usual * self.dice.below(900, "patience", at, kills.done) // 1_000
            reply = self.service.ask_and_kill(order, patience)
            if reply is not None:
                return reply
            kills.hit()
        started_at, was_up = clock.now(), self.service.is_up
        reply = self.service.ask(order)
        took = clock.now() - started_at
        self.spent["ingest" if "ingest" in order else "pass"] += took
        if was_up and may_kill:
            kills.usual = took
        return reply
