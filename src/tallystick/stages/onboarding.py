"""Onboard: take up what another service says of a tenant that is to be billed.

An onboarding comes at least once, in any order, and it races the tenant's first usage: it may be
given again at any time, what it says twice changes nothing, and what a later one has changed
meanwhile stays.
"""

from collections import Counter
from dataclasses import dataclass, replace

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.envelope import (
    ONBOARDING_ORIGIN,
    Onboarding,
    is_onboarding,
    parse_onboarding,
)
from tallystick.domain.errors import InvalidReport
from tallystick.stages.decoding import UnreadableReport, decode
from tallystick.stages.enrolling import Onboarded, Target, enrol
from tallystick.stages.ingesting import (
    Intake,
    Outcome,
    Report,
    ingest,
    letter_for,
    replay,
    tenant_named,
)
from tallystick.stages.metering import Refusal
from tallystick.stages.recounting import pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where onboardings go, and what a destination is at the provider."""

    intake: Intake
    target: Target


def onboard(report: Report, desk: Desk, now: int) -> Onboarded | DeadLetter:
    """What became of one onboarding; when it returns, that is durable, and what waited for the
    tenant is counted. Raises StoreUnavailable, and then it is to be given again.
    """
    became = _heeded(report, desk, now)
    if isinstance(became, DeadLetter):
        desk.intake.store.dead_letters.keep([became])
    return became


def take_in(report: Report, desk: Desk, now: int) -> Onboarded | Outcome:
    """What became of one envelope, whichever of the two it is; as durable as either alone."""
    try:
        sent = report.body if isinstance(report.body, dict) else decode(report.body)
    except UnreadableReport:
        sent = None
    if is_onboarding(sent):
        return onboard(replace(report, origin=ONBOARDING_ORIGIN), desk, now)
    (outcome,) = ingest([report], desk.intake, now)
    return outcome


def _heeded(report: Report, desk: Desk, now: int) -> Onboarded | DeadLetter:
    sent: object = None
    received_at = now if report.received_at is None else report.received_at
    try:
        sent = report.body if isinstance(report.body, dict) else decode(report.body)
        wanted = parse_onboarding(sent, received_at)
        found = _settled(wanted, desk, now)
    except InvalidReport as error:
        reason = Reason.UNREADABLE if isinstance(error, UnreadableReport) else Reason.INVALID
        found = Refusal(reason=reason, errors=error.errors)
    if isinstance(found, Onboarded):
        return found
    return letter_for(report, found, received_at, tenant=tenant_named(sent))


def replay_onboardings(
    desk: Desk, now: int, *, tenant: str = "", waits_for: str = "", letter_id: str = ""
) -> Counter[str]:
    """Give open dead letters of onboardings another try; how many became what ('onboarded',
    'still_dead'). On repeat: what was heeded is known."""
    letters = desk.intake.store.dead_letters
    became: Counter[str] = Counter()
    for letter in pages(
        lambda cursor: letters.list(tenant=tenant, waits_for=waits_for, cursor=cursor)
    ):
        is_chosen = letter_id in {"", letter.id} and letter.reason is not Reason.UNREADABLE
        if not is_chosen or not letter.origin.startswith(ONBOARDING_ORIGIN):
            continue
        report = Report(
            origin=f"{ONBOARDING_ORIGIN}, replay of {letter.id}",
            body=letter.body,
            received_at=letter.received_at,
        )
        found = _heeded(report, desk, now)
        if isinstance(found, Onboarded):
            letters.take(letter.id, str(found), now)
        became["onboarded" if isinstance(found, Onboarded) else "still_dead"] += 1
    return became


def _settled(wanted: Onboarding, desk: Desk, now: int) -> Onboarded | Refusal:
    found = enrol(desk.intake.store.catalog, wanted, desk.target, now)
    if isinstance(found, Refusal):
        return found
    # Also where nothing changed: whoever changed it may have died before this.
    replay(desk.intake, now, waits_for=f"tenant:{wanted.tenant}")
    replay(desk.intake, now, waits_for=f"code:{found.meter.code}")
    return found.became
