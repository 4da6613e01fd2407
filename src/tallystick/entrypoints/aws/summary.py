"""Says how things stand after a run, in its answer and as numbers for the alarms."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from tallystick.domain.backlog import Backlog
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import State
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload, turn
from tallystick.entrypoints.logs import note
from tallystick.stages.publishing import HOLD


def handler(event: Payload, context: Context) -> Answer:
    """What the run's partitions did together, and what is left undone."""
    with turn(context) as start:
        app = start.app(event)
        now = app.clock.now()
        switches = app.store.catalog.switches()
        standing = {
            **_standing(app.store.backlog(now), now),
            "HeldDestinations": sum(name.startswith(f"{HOLD}:") for name in switches),
        }
        start.count(**standing)
        done = _together(event.get("publish", ()))
        note(logging.INFO, "how things stand", **done, **standing)
        return {"published": done, "standing": standing}


def _standing(backlog: Backlog, now: int) -> dict[str, int]:
    return {
        "AmbiguousPublications": backlog.unsettled.get(State.AMBIGUOUS, 0),
        "UnsettledPublications": sum(backlog.unsettled.values()),
        "UnpublishedSlots": backlog.unpublished,
        "UndeliveredSlots": backlog.undelivered,
        "AggregatesDue": backlog.aggregates_due,
        "DeadLetters": sum(backlog.dead_letters.values()),
        "OldestUnsealedSeconds": _since(backlog.unsealed_since, now),
        "OldestUnpublishedSeconds": _since(backlog.unpublished_since, now),
    }


def _since(instant: int | None, now: int) -> int:
    return 0 if instant is None else max(0, now - instant) // SECOND


def _together(partitions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    names = ("sent", "failed", "carried", "stuck")
    return {name: sum(int(one.get(name, 0)) for one in partitions) for name in names}
