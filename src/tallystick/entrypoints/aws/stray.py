"""Keeps what came over the bus and is neither usage nor an onboarding: a typo must not vanish."""

from tallystick.entrypoints.aws.ingest import handler as ingest
from tallystick.entrypoints.aws.runtime import Answer, Context, Payload


def handler(event: Payload, context: Context) -> Answer:
    """Each message becomes a dead letter that says what is wrong with its detail-type.

    The rule that counts decides it, so that nothing can be refused there and vanish here.
    """
    return ingest(event, context)
