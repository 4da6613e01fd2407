"""Makes tenants known that another service says are to be billed."""

import logging
from collections.abc import Sequence

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.envelope import ONBOARDING_ORIGIN
from tallystick.entrypoints.aws.messages import TURN_SECONDS, settle
from tallystick.entrypoints.aws.runtime import (
    Answer,
    ColdStart,
    Context,
    Payload,
    turn,
    while_time_is_left,
)
from tallystick.entrypoints.composing import desk_of
from tallystick.entrypoints.logs import note
from tallystick.stages.ingesting import DEAD_LETTER, Report
from tallystick.stages.onboarding import onboard


def handler(event: Payload, context: Context) -> Answer:
    """Each onboarding is heeded, known already, or a dead letter; and the usage that waited for
    the tenant is counted."""
    with turn(context) as start:
        goes_on = while_time_is_left(context, TURN_SECONDS)
        return settle(event, ONBOARDING_ORIGIN, lambda reports: _heed(reports, start), goes_on)


def _heed(reports: Sequence[Report], start: ColdStart) -> None:
    desk = desk_of(start.intake)
    for report in reports:
        became = onboard(report, desk, start.app({}).clock.now())
        is_letter = isinstance(became, DeadLetter)
        note(logging.INFO, "onboarding", became=DEAD_LETTER if is_letter else str(became))
