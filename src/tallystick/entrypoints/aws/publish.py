"""Tells the provider what the ledger says, one partition of what is due at a time."""

import logging
from concurrent.futures import ThreadPoolExecutor

from tallystick.bootstrap import App
from tallystick.entrypoints.aws.reporting import counts_of, raise_what_was_in_the_way
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload, turn, while_time_is_left
from tallystick.entrypoints.composing import SENDERS, limits_of, publishing_of
from tallystick.entrypoints.logs import note
from tallystick.stages.passing import deliver_all


def handler(event: Payload, context: Context) -> Answer:
    """Publish the slots of the due partition that the event names, as far as a turn's time goes.

    The answer's `is_done` says whether that came to its end; if not, call again. Raises
    PublisherUnavailable where the provider is away: what is due stays due.
    """
    with turn(context) as start:
        return start.with_provider(event, lambda app: _published(app, event, context))


def _published(app: App, event: Payload, context: Context) -> Answer:
    partition, goes_on = event.get("partition"), while_time_is_left(context)
    with ThreadPoolExecutor(SENDERS) as senders:
        done, carried = deliver_all(
            publishing_of(app, senders),
            limits_of(app),
            partition=None if partition is None else int(partition),
            goes_on=goes_on,
        )
    answer = {**counts_of(done.outcomes), "carried": carried, "stuck": len(done.stuck)}
    note(logging.INFO, "published", partition=partition, is_done=not done.is_cut, **answer)
    for slot, why in done.stuck.items():
        note(logging.WARNING, "needs a person", slot=slot, why=why)
    raise_what_was_in_the_way(done)
    return {**answer, "is_paused": done.paused, "is_done": not done.is_cut}
