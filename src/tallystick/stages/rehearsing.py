"""Rehearsing: what would not be counted, found out before anything is stored.

For those who would rather have a whole request refused than a part of it set aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.errors import FieldError
from tallystick.domain.event import Event
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window
from tallystick.stages.ingesting import Intake, Report, prepared
from tallystick.stages.metering import Rulebook, TenantCalendar

TAKEN: Final = FieldError(
    pointer="",
    code=str(Reason.CONFLICT),
    detail="the key is taken by an event of other content; a new event needs a key of its own",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """The n-th report (from 0) would not be counted, and why."""

    index: int
    reason: Reason
    errors: tuple[FieldError, ...]


class _Welcoming(Rulebook):
    """The rules as they would be once every tenant that is named has been made."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._places = {}

    def calendar(self, tenant: str) -> TenantCalendar:
        return self._rules.calendar(tenant) or TenantCalendar(Tenant(id=tenant))

    def meters(self, code: str, period: Window) -> tuple[Meter, ...]:
        return self._rules.meters(code, period)


def faults_of(reports: Sequence[Report], intake: Intake, now: int) -> tuple[Fault, ...]:
    """Why these reports could not all be counted; nothing where they can. Stores nothing.

    A total that overflows, and a key that another process takes at this very moment, show only
    when the reports are recorded.
    """
    intake.rules.refresh()
    rules = _Welcoming(intake.rules) if intake.auto_onboard else intake.rules
    rehearsal = replace(intake, rules=rules, auto_onboard=False)
    seen: dict[tuple[str, str], str] = {}
    found: list[Fault] = []
    for index, report in enumerate(reports):
        outcome = prepared(report, rehearsal, now)
        if isinstance(outcome, DeadLetter):
            found.append(Fault(index, outcome.reason, outcome.errors))
        elif _conflicts(outcome.event, seen, intake):
            found.append(Fault(index, Reason.CONFLICT, (TAKEN,)))
    return tuple(found)


def _conflicts(event: Event, seen: dict[tuple[str, str], str], intake: Intake) -> bool:
    """Whether the key has another content, in the store or earlier in the same request."""
    place = (event.tenant, event.key)
    stored = intake.store.events.event(*place)
    known = seen.setdefault(place, event.fingerprint) if stored is None else stored.fingerprint
    return known != event.fingerprint
