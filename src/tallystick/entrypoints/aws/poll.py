"""Asks the provider what it did not count, and holds a share of its books beside ours."""

import logging

from tallystick.bootstrap import App
from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.entrypoints.aws.reporting import tell
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload, turn, while_time_is_left
from tallystick.entrypoints.checking import reconciling_of
from tallystick.entrypoints.composing import publishing_of
from tallystick.entrypoints.logs import note
from tallystick.stages.publishing import ADOPTING, PAUSE


def handler(event: Payload, context: Context) -> Answer:
    """Have what the provider reports as not counted read back now, and compare this hour's share
    of the tenants."""
    with turn(context) as start:
        answer = start.with_provider(event, lambda app: _polled(app, context))
        if "discrepancies" in answer:
            start.count(Discrepancies=answer["discrepancies"])
        return {**answer, "is_done": True}


def _polled(app: App, context: Context) -> dict[str, int]:
    if not {PAUSE, ADOPTING}.isdisjoint(app.store.catalog.switches()):
        note(logging.WARNING, "publishing is paused: nothing is asked")
        return {}
    doubted, trouble = 0, None
    try:
        doubted = publishing_of(app).poll_rejections()
    except (PublisherMisconfigured, PublisherUnavailable) as error:
        trouble = error  # a key that may send need not be one that may read events
    if doubted:
        publishing_of(app).run(goes_on=while_time_is_left(context))
    found = tell(reconciling_of(app).share())
    if trouble is not None:
        raise trouble
    return {"doubted": doubted, "discrepancies": found.total()}
