"""One pass: seal, carry, publish. What the hourly loop, `tallystick run` and the demo all do.

On AWS its steps are functions of their own, and many deliver side by side.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tallystick.domain.errors import PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.instant import MINUTE
from tallystick.stages.carrying import carry
from tallystick.stages.publishing import Publishing, PublishSummary
from tallystick.stages.sealing import SealSummary, seal
from tallystick.stages.targeting import SealLimits

SHORT_WAIT: Final = MINUTE
"""What was put off for longer is left to the next pass."""


@dataclass(frozen=True, slots=True)
class PassSummary:
    """What the steps of one pass did, and how many pairs were carried."""

    sealed: SealSummary
    published: PublishSummary
    carried: int


def one_pass(
    publishing: Publishing,
    limits: SealLimits,
    on_progress: Callable[[int], None] = lambda _: None,
) -> PassSummary:
    """Seal what is due, publish what is due, and carry on what its slot no longer takes.

    Safe to run at any time, twice, and at once: every write is conditioned on what was read.
    """
    store, routes = publishing.store, publishing.publisher.routes
    now = publishing.clock.now()
    sealed = seal(store, routes, now, limits=limits, on_progress=on_progress)
    unheard = _poll(publishing)
    published, carried = deliver(publishing, limits, now, on_progress)
    published.unread = published.unread or unheard
    return PassSummary(sealed, published, carried)


def deliver(
    publishing: Publishing,
    limits: SealLimits,
    now: int,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    partition: int | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> tuple[PublishSummary, int]:
    """Publish what is due (of one partition, where given) and carry on what its slot no longer
    takes; what was done, and how many pairs were carried. As safe as the whole pass."""
    store, routes = publishing.store, publishing.publisher.routes
    published = publishing.run(on_progress, partition=partition, goes_on=goes_on)
    carried = carry(store, routes, published.closed.values(), now, limits=limits)
    if carried:
        again = publishing.run(on_progress, partition=partition, goes_on=goes_on)
        published = published if again.is_stopped else again
    return published, carried


def deliver_all(
    publishing: Publishing,
    limits: SealLimits,
    *,
    partition: int | None,
    goes_on: Callable[[], bool],
) -> tuple[PublishSummary, int]:
    """Deliver, and again what was put off for a moment only (a rate limit, a passing failure): for
    whoever does not look again before the next hour. The outcomes are those of all of it."""
    outcomes, carried = Counter[str](), 0
    while True:
        now = publishing.clock.now()
        done, more = deliver(publishing, limits, now, partition=partition, goes_on=goes_on)
        outcomes, carried = outcomes + done.outcomes, carried + more
        wait = _short_wait(publishing, partition)
        if wait is None or done.paused or done.is_stopped or not goes_on():
            done.outcomes = outcomes
            return done, carried
        publishing.clock.sleep(wait)


def _short_wait(publishing: Publishing, partition: int | None) -> int | None:
    """How long until something is due that was put off; None where nothing is due soon. What is
    due by now and was not taken waits for a person, or a switch."""
    now = publishing.clock.now()
    due = publishing.store.outbox.slots_due(now + SHORT_WAIT, partition=partition).elements
    return min((one.slot.due_at - now for one in due if one.slot.due_at > now), default=None)


def _poll(publishing: Publishing) -> str:
    """Ask for late refusals; why the provider could not be asked, if so. Sending goes on then."""
    try:
        publishing.poll_rejections()
    except (PublisherMisconfigured, PublisherUnavailable) as error:
        # A key that may send need not be one that may read events.
        return str(error)
    return ""
