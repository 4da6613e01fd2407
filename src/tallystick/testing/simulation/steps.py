"""What one step of a world does, and the drawing of the workers' turns with their dooms.

Each step has its own seed and time, so that leaving some out changes nothing about the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

from tallystick.domain.instant import HOUR, MINUTE, SECOND

DELICATE: Final = (
    "ledger.append",
    "ledger.clear_due",
    "outbox.slots_due",
    "outbox.intend",
    "outbox.advance",
    "outbox.clear_due",
    "outbox.clear_due",
    "outbox.adjust",
    "publisher.send",
    "publisher.totals",
)
"""The calls around which most can go wrong."""


class Kind(StrEnum):
    """What one step does."""

    REPORT = "report"
    TURN = "turn"
    MAP = "map"
    SKEW = "skew"
    TERMS = "terms"
    """A customer's zone, anchor or interval changes from its next period on."""
    METER = "meter"
    """A meter's definition changes from each tenant's next period on."""
    PAUSE = "pause"
    RESUME = "resume"
    RECONCILE = "reconcile"
    """A worker compares subscriptions, which holds and releases, and a share of the totals."""
    REPAIR = "repair"
    SETTLE = "settle"
    """A person decides what is in doubt, by the provider's books."""
    WEBHOOK = "webhook"
    """The provider tells of late refusals by itself: some of them, old ones too, and twice."""
    COPY = "copy"
    RESTORE = "restore"
    """The store is lost, and the copy takes its place."""
    TAMPER = "tamper"
    """Somebody else writes into the provider's books."""

    @property
    def is_setting(self) -> bool:
        """Whether the oracle knows it beforehand, so that no shorter trace can do without it."""
        return self in (Kind.MAP, Kind.TERMS, Kind.METER)

    @property
    def is_disturbing(self) -> bool:
        """Whether it may keep usage from the provider until its slot has closed."""
        return self in DISTURBING


DISTURBING: Final = frozenset(
    {
        *(Kind.PAUSE, Kind.RECONCILE, Kind.REPAIR, Kind.SETTLE),
        *(Kind.WEBHOOK, Kind.RESTORE, Kind.TAMPER),
    }
)


class Doom(StrEnum):
    """What comes over a worker in its turn."""

    NONE = "none"
    CRASH = "crash"
    SLEEP = "sleep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: of report, worker or mapping number `subject`.

    The doom comes over a worker at its `call`-th port call from then on (of those named `port`,
    where given), `after` it or before.
    """

    at: int
    kind: Kind
    subject: int
    seed: int = 0
    doom: Doom = Doom.NONE
    call: int = 0
    port: str = ""
    after: bool = False


def drawn_turns(
    draws: Random, start: int, hours: int, workers: int, *, narrow: bool
) -> Iterator[Step]:
    """The turns of all workers, some of them doomed."""
    doomed = 0.4 if narrow else draws.choice((0.0, 0.1, 0.3))
    busy = draws.choice((2, 4) if narrow else (1, 1, 2, 4))
    aimed = narrow or draws.random() < 0.7
    dooms = draws.choice(((Doom.CRASH,), (Doom.SLEEP,), (Doom.CRASH, Doom.SLEEP)))
    for hour in range(hours + 1):
        at = start + hour * HOUR + draws.choice((0, 5 * MINUTE, 50 * MINUTE))
        for _ in range(draws.randint(1, busy)):
            at += draws.choice((0, SECOND, MINUTE, 10 * MINUTE))
            turn = Step(at=at, kind=Kind.TURN, subject=draws.randrange(workers))
            if draws.random() < doomed:
                turn = _doomed(draws, turn, draws.choice(dooms), aimed=aimed)
            yield seeded(draws, turn)


def _doomed(draws: Random, turn: Step, doom: Doom, *, aimed: bool) -> Step:
    port = draws.choice(("", *DELICATE)) if aimed else ""
    call = draws.choice((1, 1, 1, 2)) if port else draws.randint(1, draws.choice((4, 12, 40)))
    return replace(turn, doom=doom, call=call, port=port, after=draws.random() < 0.5)


def seeded(draws: Random, step: Step) -> Step:
    return replace(step, seed=draws.getrandbits(32))
