"""Compares events, Aggregates, ledger, provider and invoices, every day."""

import logging

from tallystick.entrypoints.aws.reporting import tell
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload, turn
from tallystick.entrypoints.checking import reconciling_of
from tallystick.entrypoints.logs import note


def handler(event: Payload, context: Context) -> Answer:
    """List each difference in the log, and count them for the alarm.

    A store too large for one turn is compared by `tallystick reconcile` on a machine instead.
    """
    with turn(context) as start:
        found = start.with_provider(event, lambda app: tell(reconciling_of(app).everything()))
        note(logging.INFO, "reconciled", discrepancies=found.total())
        start.count(Discrepancies=found.total())
        return {"discrepancies": found.total(), "kinds": dict(found), "is_done": True}
