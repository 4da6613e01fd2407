"""Voiding: a person takes one event out of every total it counts in, and says why."""

from dataclasses import dataclass
from enum import StrEnum

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.errors import InvalidReport, NotFound
from tallystick.domain.event import Receipt
from tallystick.stages.ingesting import Intake, Report, ingest
from tallystick.stages.rehearsing import faults_of


class Voided(StrEnum):
    """What became of a void."""

    VOIDED = "voided"
    WAITING = "waiting"
    """No event has the key yet; one that comes with it counts nowhere."""
    ALREADY = "already"
    """Another void came first: nothing changed."""
    KEY_TAKEN = "key_taken"
    """The void's own key belongs to another event: nothing changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Who takes which event out, and why. `key` is the void's own; made from the event's if empty.

    It is kept as an event of its own, with who and why among its properties.
    """

    tenant: str
    event_key: str
    key: str = ""
    who: str
    why: str
    origin: str

    @property
    def own_key(self) -> str:
        return self.key or f"void:{self.event_key}"

    @property
    def report(self) -> Report:
        body: dict[str, object] = {
            "tenant": self.tenant,
            "key": self.own_key,
            "voids": self.event_key,
            "properties": {"who": self.who, "why": self.why},
        }
        return Report(origin=self.origin, body=body)


def take_out(wanted: Void, intake: Intake, now: int) -> Voided:
    """Take the event out; voiding twice is voiding once. The voided key stays taken.

    Raises NotFound for an unknown tenant, InvalidReport for a void that cannot be meant; nothing
    is stored then.
    """
    events = intake.store.events
    if intake.store.catalog.account(wanted.tenant) is None:
        raise NotFound("there is no such tenant")
    if events.is_voided(wanted.tenant, wanted.event_key):
        return Voided.ALREADY
    is_known = events.event(wanted.tenant, wanted.event_key) is not None
    for fault in faults_of([wanted.report], intake, now):
        if fault.reason is Reason.CONFLICT:
            return Voided.KEY_TAKEN
        raise InvalidReport(*fault.errors)
    (outcome,) = ingest([wanted.report], intake, now)
    if isinstance(outcome, DeadLetter):
        raise InvalidReport(*outcome.errors)
    if outcome.receipt is Receipt.CONFLICT:
        return Voided.KEY_TAKEN
    return Voided.VOIDED if is_known else Voided.WAITING
