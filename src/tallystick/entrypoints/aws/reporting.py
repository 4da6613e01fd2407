"""What a function came to: lines of the log, numbers, and the error that fails its step."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tallystick.domain.backlog import Backlog
from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import Outcome, State
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.composing import MARK
from tallystick.entrypoints.logs import note
from tallystick.stages.publishing import PublishSummary

SENT: Final = (Outcome.ACCEPTED, Outcome.KNOWN)

TOLD_MAX: Final = 1_000
"""So many get a line of their own; `tallystick reconcile` shows all."""


def tell(found: Iterable[Discrepancy]) -> Counter[str]:
    """How many there are of each kind."""
    kinds: Counter[str] = Counter()
    for one in found:
        kinds[str(one.kind)] += 1
        if kinds.total() <= TOLD_MAX:
            note(
                logging.WARNING,
                "discrepancy",
                kind=str(one.kind),
                tenant=one.tenant,
                meter=one.meter,
                subject=one.subject,
                ours=format_quantity(one.ours),
                theirs=format_quantity(one.theirs),
                detail=one.detail,
            )
    return kinds


def counts_of(outcomes: Counter[str]) -> dict[str, int]:
    """How often each answer came, and how many were sent and how many not."""
    told = {str(outcome): number for outcome, number in outcomes.items() if outcome != MARK}
    sent = sum(outcomes[outcome] for outcome in SENT)
    attempts = sum(outcomes[outcome] for outcome in Outcome)
    return {**told, "sent": sent, "failed": attempts - sent}


def raise_what_was_in_the_way(done: PublishSummary) -> None:
    """The error by whose name the state machine decides whether to try again."""
    if done.denied:
        raise PublisherMisconfigured(done.denied)
    if done.is_stopped:
        raise PublisherUnavailable("the provider is away: what is due stays due")
    if done.unread:
        raise PublisherUnavailable(f"what was sent cannot be read back: {done.unread}")


def standing_of(backlog: Backlog, now: int) -> dict[str, int]:
    """What is left undone, as the alarms' numbers."""
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


def together(partitions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What the partitions' answers say, added up."""
    names = ("sent", "failed", "carried", "stuck")
    return {name: sum(int(one.get(name, 0)) for one in partitions) for name in names}
