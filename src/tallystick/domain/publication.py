"""A publication: one revision of a slot, frozen when it is intended, and the rules of its life.

    pending -> ambiguous -> accepted (2xx) -> confirmed (seen in the provider's total)
    and rejected (known not to have counted), superseded (absolute: set again, without a verdict)

Pending, ambiguous and accepted are *unsettled*; a slot has at most one unsettled publication.
`decide` says what to do next, `answered` what an answer changes; what a reading of the provider's
total changes stands in `reading`. All are pure.
Doubt is resolved by evidence: a resend under the same identifier while the provider remembers it,
then only by readings of the provider's total; where nothing can be read, by a person.
"""

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import takewhile
from typing import Final

from tallystick.domain.errors import InvariantViolated
from tallystick.domain.instant import DAY, HOUR, MINUTE, SECOND
from tallystick.domain.quantity import (
    format_quantity,
    significant_digits,
    subtract,
)
from tallystick.domain.slot import Mode, Place, Reads, Route, Slot, SlotKey

FAILURES_RESENT: Final = 2
"""So many 5xx answers under one identifier, and an absolute value is set anew instead."""


AT_ONCE: Final = 0
"""Before every pass there will be."""

REFUSED_WAIT_MAX: Final = DAY
LAST_TRIES: Final = HOUR
"""In so long before a slot closes what was refused is tried often: somebody may have mended it."""


class State(StrEnum):
    """Where a publication is in its life."""

    PENDING = "pending"
    AMBIGUOUS = "ambiguous"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"

    @property
    def is_settled(self) -> bool:
        return self in (State.CONFIRMED, State.REJECTED, State.SUPERSEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Assumptions about the world, as numbers (microseconds). See docs/guarantees.md.

    send_timeout   a sender gives up this long after it claimed an attempt
    transport      a request has landed or died this long after its sender's deadline
    summary_lag    the provider's totals show an accepted value within this time
    absence_gap    two readings that prove an absence lie at least this far apart
    resend_for     resends under one identifier stop this long after the first attempt
    confirm_after  an accepted publication is read back at the latest after this time
    heal_after     an absolute value not seen this long after it was accepted is set again
    refused_wait   what was refused is tried anew after this time, and ever later
    """

    send_timeout: int = 80 * SECOND
    transport: int = 15 * MINUTE
    summary_lag: int = 48 * HOUR
    absence_gap: int = 12 * HOUR
    resend_for: int = 23 * HOUR
    confirm_after: int = 6 * HOUR
    heal_after: int = HOUR
    backoff_max: int = 15 * MINUTE
    refused_wait: int = 15 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is sent (`value`, `place`, `identifier`) never changes after the intent is stored.

    value, total, before   what is sent; what the slot holds with it; what it was known to hold
    slot_version           the ledger version that `total` is the slot's total at
    deadline               until then the last attempt's sender may still begin to send
    doubts                 attempts that may have reached the provider with an unknown outcome
    failures               attempts that were answered with a failure (5xx)
    resendable             no answer so far says that a resend could not help
    read_from              an accepted publication is read back from then on
    absent, absent_at      the last reading that did not show `total`
    step                   counts the changes of this record: each is made on the one before
    """

    identifier: str
    place: Place
    slot_revision: int
    slot_version: int
    value: Decimal
    total: Decimal
    before: Decimal | None
    state: State = State.PENDING
    intended_at: int
    deadline: int
    next_at: int
    first_attempt_at: int
    last_attempt_at: int
    attempts: int = 0
    doubts: int = 0
    failures: int = 0
    resendable: bool = True
    accepted_at: int | None = None
    read_from: int = 0
    absent: Decimal | None = None
    absent_at: int | None = None
    settled_at: int | None = None
    answer: str = ""
    step: int = 0

    @property
    def slot(self) -> SlotKey:
        return self.place.slot


class Outcome(StrEnum):
    """What one attempt to send came to."""

    ACCEPTED = "accepted"
    COUNTED = "counted"
    """Recorded for good, and the provider says so: there is nothing to read back."""
    KNOWN = "known"
    """The provider has had this very identifier before; it says no more than that."""
    REFUSED = "refused"
    """This request was not counted and will not be as it is."""
    BUSY = "busy"
    """Turned away before it was looked at (rate, lock): the same again later."""
    UNKNOWN = "unknown"
    """It may have been counted: a cut line, a time-out."""
    FAILED = "failed"
    """A 5xx answer: it may have been counted, and the answer may be saved under the identifier."""
    MISMATCH = "mismatch"
    """The identifier was used with other parameters: resending cannot help."""
    DENIED = "denied"
    """Our credentials or permissions are not accepted: nothing was looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`detail` is for people; `retry_after` in microseconds where the provider named one."""

    outcome: Outcome
    detail: str = ""
    retry_after: int = 0


class Step(StrEnum):
    """What to do next with a slot."""

    CLEAR = "clear"
    INTEND = "intend"
    SEND = "send"
    SUPERSEDE = "supersede"
    READ = "read"
    WAIT = "wait"
    CLOSED = "closed"
    TOO_LONG = "too_long"
    ASK = "ask"
    """In doubt, and nothing can be read that would end it: a person decides."""


def identifier_of(incarnation: str, slot: SlotKey, revision: int) -> str:
    """Stripe's identifier and Idempotency-Key at once: 'tly_' and 40 hex digits of SHA-256."""
    recipe = f"{incarnation}|{slot}|{revision}"
    return "tly_" + hashlib.sha256(recipe.encode()).hexdigest()[:40]


def intended(slot: Slot, route: Route, incarnation: str, limits: Limits, now: int) -> Publication:
    """The slot's next revision, with all that is needed to send it, once and again the same.

    Whoever stores it has claimed its first attempt.
    """
    before = slot.confirmed
    value = _to_send(slot, route)
    fresh = Publication(
        identifier=identifier_of(incarnation, slot.key, slot.revision + 1),
        place=slot.place,
        slot_revision=slot.revision + 1,
        slot_version=slot.version,
        value=value,
        total=slot.total,
        before=before,
        intended_at=now,
        deadline=now,
        next_at=now,
        first_attempt_at=now,
        last_attempt_at=now,
    )
    return replace(claimed(fresh, limits, now), step=0)


def _to_send(slot: Slot, route: Route) -> Decimal:
    if slot.is_spent(route):
        raise InvariantViolated(f"{slot.key} has its one record, and takes no other")
    if route.mode is not Mode.DELTA:
        return slot.total
    if slot.confirmed is None:
        raise InvariantViolated(f"what {slot.key} holds is unknown, so no difference can be sent")
    return subtract(slot.total, slot.confirmed)


def decide(
    slot: Slot,
    current: Publication | None,
    route: Route,
    limits: Limits,
    now: int,
    *,
    ahead: int = 0,
) -> Step:
    """The next step for a slot, from its record and its unsettled publication, if it has one.

    `ahead` is how far the provider's clock is ahead of ours: what it forgets, it forgets by its
    own.
    """
    if current is None:
        return _decide_idle(slot, route, limits, now)
    if now < current.deadline or now < current.next_at:
        return Step.WAIT
    saved = route.mode is Mode.ABSOLUTE and current.failures >= FAILURES_RESENT
    if current.state is State.ACCEPTED:
        step = _decide_accepted(slot, current, route, limits, now)
    elif _may_send(current, limits, now + ahead) and not saved:
        step = Step.SEND
    else:
        step = _supersede_or_read(current, route, limits, now)
    return Step.ASK if step is Step.READ and route.reads is Reads.NOTHING else step


def _decide_idle(slot: Slot, route: Route, limits: Limits, now: int) -> Step:
    if slot.total == slot.confirmed:
        return Step.CLEAR
    if slot.confirmed is None and now >= slot.place.closes_at:
        # Superseded, and closed before it was set again: only the provider knows what it holds.
        return Step.READ if now >= shown_for_good(slot.place, limits) else Step.WAIT
    if slot.is_spent(route):
        return Step.CLOSED
    longest = max(significant_digits(slot.total), significant_digits(_to_send(slot, route)))
    if longest > route.digits_max:
        return Step.TOO_LONG
    if now + limits.send_timeout >= slot.place.closes_at:
        return Step.CLOSED
    return Step.WAIT if route.gathers(slot.key.start, now) else Step.INTEND


def _may_send(current: Publication, limits: Limits, now: int) -> bool:
    """Whether a (re)send under the same identifier is still safe and can still help."""
    if now + limits.send_timeout >= current.place.closes_at or not current.resendable:
        return False
    return now + limits.send_timeout < current.first_attempt_at + limits.resend_for


def _decide_accepted(
    slot: Slot, current: Publication, route: Route, limits: Limits, now: int
) -> Step:
    if route.mode is Mode.ABSOLUTE and slot.total != current.total:
        # Nothing older can land any more, so the newer total may be set without waiting to see
        # the old one.
        return _supersede_or_read(current, route, limits, now)
    if slot.total != current.total or current.absent_at is not None:
        return Step.READ
    return Step.READ if now >= current.read_from else Step.WAIT


def _supersede_or_read(current: Publication, route: Route, limits: Limits, now: int) -> Step:
    open_still = now + limits.send_timeout < current.place.closes_at
    if route.mode is Mode.ABSOLUTE and open_still and now >= landed_by(current, limits):
        return Step.SUPERSEDE
    return Step.READ


def landed_by(current: Publication, limits: Limits) -> int:
    """From then on no request of this publication is under way."""
    return current.deadline + limits.transport


def shown_for_good(place: Place, limits: Limits) -> int:
    """From then on a closed slot's total at the provider stays, and is shown."""
    return place.closes_at + limits.transport + limits.summary_lag


def claimed(current: Publication, limits: Limits, now: int) -> Publication:
    """The record before an attempt: whoever stores it may send, until the new deadline."""
    return replace(
        current,
        state=State.AMBIGUOUS if current.attempts else State.PENDING,
        deadline=now + limits.send_timeout,
        next_at=now,
        last_attempt_at=now,
        attempts=current.attempts + 1,
        doubts=current.doubts + 1,
        step=current.step + 1,
    )


def answered(current: Publication, answer: Answer, limits: Limits, now: int) -> Publication:
    """The record after an answer to its last attempt."""
    told = replace(current, answer=answer.detail, step=current.step + 1)
    match answer.outcome:
        case Outcome.COUNTED:
            return replace(told, state=State.CONFIRMED, settled_at=now, next_at=now, absent=None)
        case Outcome.ACCEPTED | Outcome.KNOWN:
            read_from = now + limits.confirm_after
            return replace(
                told, state=State.ACCEPTED, accepted_at=now, next_at=now, read_from=read_from
            )
        case Outcome.REFUSED if current.doubts <= 1:
            # It answers the only request that can ever have reached the provider.
            # What a reading showed before proves nothing here: the slot holds what it held.
            told = replace(told, settled_at=now, next_at=now + limits.refused_wait)
            return replace(told, state=State.REJECTED, doubts=0, absent=None, absent_at=None)
        case Outcome.BUSY | Outcome.DENIED:
            wait = max(answer.retry_after, _backoff(current, limits))
            return replace(told, deadline=now, next_at=now + wait, doubts=current.doubts - 1)
        case Outcome.FAILED:
            told = replace(told, deadline=now, failures=current.failures + 1)
            return replace(told, state=State.AMBIGUOUS, next_at=now + _backoff(current, limits))
        case Outcome.REFUSED | Outcome.MISMATCH:
            return replace(told, state=State.AMBIGUOUS, resendable=False, next_at=now)
        case _:
            # The line may still carry it: the deadline stays, the resend waits a little.
            return replace(told, state=State.AMBIGUOUS, next_at=now + _backoff(current, limits))


def _backoff(current: Publication, limits: Limits) -> int:
    return min(limits.backoff_max, SECOND << min(current.attempts, 20))


def doubted(current: Publication, detail: str, now: int) -> Publication:
    """The record after the provider reported it as not counted: a reason to read, no verdict."""
    return replace(current, answer=detail, read_from=now, step=current.step + 1)


def settled_by_person(current: Publication, *, arrived: bool, why: str, now: int) -> Publication:
    """The record after a person decided what no evidence could: it arrived, or it did not."""
    state = State.CONFIRMED if arrived else State.REJECTED
    return replace(
        current,
        state=state,
        settled_at=now,
        next_at=now,
        absent=None,
        answer=f"settled by a person: {why}",
        step=current.step + 1,
    )


def superseded(current: Publication, now: int) -> Publication:
    return replace(current, state=State.SUPERSEDED, settled_at=now, step=current.step + 1)


def next_look(current: Publication, slot: Slot) -> int:
    """From when a pass looks at the slot once `current` is stored; `slot` as it was before that.

    Until then `decide` says that it waits, or nothing but a refusal was heard a moment ago.
    """
    if current.state is State.REJECTED:
        return _after_refusal(current, slot)
    if current.state.is_settled:
        return AT_ONCE
    soonest = max(current.deadline, current.next_at)
    is_calm = current.absent_at is None and slot.total == current.total
    if current.state is State.ACCEPTED and is_calm:
        return max(soonest, current.read_from)
    return soonest


def _after_refusal(current: Publication, slot: Slot) -> int:
    """Each refusal of the same total doubles the wait, up to a day; shortly before the slot closes
    nothing is put off. What no refusal settled is looked at at once.
    """
    settled_at = current.settled_at or AT_ONCE
    wait = current.next_at - settled_at
    if wait <= 0:
        return AT_ONCE
    in_vain = sum(1 for _ in takewhile(current.total.__eq__, reversed(slot.earlier)))
    late = settled_at + min(wait << min(in_vain, 16), REFUSED_WAIT_MAX)
    return max(current.next_at, min(late, current.place.closes_at - LAST_TRIES))


def value_text(current: Publication) -> str:
    """The value as every provider gets it: fixed point."""
    return format_quantity(current.value)
