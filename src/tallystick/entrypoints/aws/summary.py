"""Says how things stand after a run, in its answer and as numbers for the alarms."""

import logging

from tallystick.entrypoints.aws.reporting import standing_of, together
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
            **standing_of(app.store.backlog(now), now),
            "HeldDestinations": sum(name.startswith(f"{HOLD}:") for name in switches),
        }
        start.count(**standing)
        done = together(event.get("publish", ()))
        note(logging.INFO, "how things stand", **done, **standing)
        return {"published": done, "standing": standing}
