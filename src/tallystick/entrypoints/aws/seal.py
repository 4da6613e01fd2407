"""Lets the ledger follow what was counted, as far as a turn's time goes."""

import logging

from tallystick.bootstrap import signer_for
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload, turn, while_time_is_left
from tallystick.entrypoints.composing import limits_of
from tallystick.entrypoints.logs import note
from tallystick.stages.checkpointing import take
from tallystick.stages.sealing import seal


def handler(event: Payload, context: Context) -> Answer:
    """Seal what is due (or was at the instant `at`), and then take the hour's checkpoint.

    The answer's `is_done` says whether that came to its end; if not, call again.
    """
    with turn(context) as start:
        app = start.app(event)
        now, goes_on = app.clock.now(), while_time_is_left(context)
        done = seal(app.store, app.routes, now, limits=limits_of(app), goes_on=goes_on)
        told = {"sealed": done.entries, "held": done.held, "looked_at": done.looked_at}
        note(logging.INFO, "sealed", is_done=not done.is_cut, **told)
        if not done.is_cut:
            grace, signer = app.settings.grace, signer_for(app)
            take(app.store, now, grace=grace, signer=signer, only_if_due=True)
        return {**told, "is_done": not done.is_cut}
