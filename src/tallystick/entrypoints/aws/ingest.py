"""Counts the usage in a queue: each message is an EventBridge envelope."""

import logging
from collections import Counter
from collections.abc import Sequence

from tallystick.domain.envelope import USAGE_ORIGIN
from tallystick.entrypoints.aws.messages import TURN_SECONDS, settle
from tallystick.entrypoints.aws.runtime import (
    Answer,
    ColdStart,
    Context,
    Payload,
    turn,
    while_time_is_left,
)
from tallystick.entrypoints.logs import note
from tallystick.stages.ingesting import Report, ingest, kind_of


def handler(event: Payload, context: Context) -> Answer:
    """Each report is counted, a known duplicate, or a dead letter, durably, before its message is
    gone; what an outage kept from that comes again."""
    with turn(context) as start:
        goes_on = while_time_is_left(context, TURN_SECONDS)
        return settle(event, USAGE_ORIGIN, lambda reports: _count(reports, start), goes_on)


def _count(reports: Sequence[Report], start: ColdStart) -> None:
    outcomes = ingest(reports, start.intake, start.app({}).clock.now())
    note(logging.INFO, "counted", **Counter(map(kind_of, outcomes)))
