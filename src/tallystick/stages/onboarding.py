"""Onboard: make a tenant known, and bill it through what its subscription is at the provider.

An onboarding comes at least once, in any order, and it races the tenant's first usage: it may be
given again at any time, what it says twice changes nothing, and what a later one has changed
meanwhile stays.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.envelope import (
    ONBOARDING_ORIGIN,
    Onboarding,
    is_onboarding,
    parse_onboarding,
)
from tallystick.domain.errors import FieldError, InvalidReport, InvalidSetting
from tallystick.domain.instant import floor_hour, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import Catalog, Override
from tallystick.stages.configuring import configure, map_meter, save_meter, versions_of_meter
from tallystick.stages.decoding import UnreadableReport, decode
from tallystick.stages.ingesting import (
    Intake,
    Outcome,
    Report,
    ingest,
    letter_for,
    replay,
    tenant_named,
)
from tallystick.stages.metering import Refusal, billed_by, no_only_code
from tallystick.stages.recounting import pages

WHO: Final = "EventBridge"
ACTION: Final = "onboard"

_WHY: Final = re.compile(r"(?P<id>.*), sent at (?P<sent_at>\S+)", re.DOTALL)

Target = Callable[[str, str], tuple[str, str, str]]
"""From a destination and a code to (route, destination, counter). Raises InvalidSetting."""


class Onboarded(StrEnum):
    """What became of an onboarding that could be meant."""

    ONBOARDED = "onboarded"
    KNOWN = "known"
    """It is so already."""
    OVERTAKEN = "overtaken"
    """This one, or one that was sent later, has been heeded, and what came after it stays."""


class _Overtaken(Exception):
    """Raised inside a decision that must not be made."""


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
    """Each step is durable before the next, and changes nothing where it is done already."""
    catalog = desk.intake.store.catalog
    _add_tenant(catalog, wanted, now)
    meter = _meter_of(catalog, wanted, now)
    if isinstance(meter, Refusal):
        return meter
    try:
        route, destination, counter = desk.target(wanted.destination, meter.code)
        mapping = Mapping(
            tenant=wanted.tenant,
            meter=meter.id,
            route=route,
            destination=destination,
            counter=counter,
            publish_from=floor_hour(wanted.sent_at),
        )
        became = _mapped(catalog, mapping, wanted, now)
    except InvalidSetting as error:
        return _impossible(str(error))
    # Also where nothing changed: whoever changed it may have died before this.
    replay(desk.intake, now, waits_for=f"tenant:{wanted.tenant}")
    replay(desk.intake, now, waits_for=f"code:{meter.code}")
    return became


def _add_tenant(catalog: Catalog, wanted: Onboarding, now: int) -> None:
    """Make the tenant; one that is known keeps its terms."""
    if catalog.account(wanted.tenant) is None:
        configure(
            catalog,
            lambda: None if catalog.account(wanted.tenant) else Tenant(id=wanted.tenant),
            _audit(wanted, wanted.tenant, now),
        )


def _meter_of(catalog: Catalog, wanted: Onboarding, now: int) -> Meter | Refusal:
    """The meter that the onboarding means. Where nothing reads the code that it names, one is made
    that adds up its quantities, as a code is read by the meter of its name."""
    newest = [versions[-1] for versions in catalog.meters()]
    live = [meter for meter in newest if not meter.archived]
    if not wanted.code:
        account = catalog.account(wanted.tenant)
        billed = billed_by(account) if account else frozenset()
        chosen = [meter for meter in live if meter.id in billed] or live
        return chosen[0] if len(chosen) == 1 else no_only_code(wanted.tenant)
    readers = [meter for meter in live if meter.code == wanted.code]
    by_name = [meter for meter in readers if meter.id == wanted.code]
    if by_name or len(readers) == 1:
        return (by_name or readers)[0]
    if readers:
        names = ", ".join(repr(meter.id) for meter in readers)
        return _impossible(f"several meters read {wanted.code!r}: map one of {names} yourself")
    if versions_of_meter(catalog, wanted.code):
        return _impossible(f"the meter {wanted.code!r} is archived, or reads another code")
    made = Meter(id=wanted.code, code=wanted.code)
    save_meter(catalog, made, _audit(wanted, made.id, now))
    return made


def _mapped(catalog: Catalog, mapping: Mapping, wanted: Onboarding, now: int) -> Onboarded:
    subject = f"{mapping.tenant}/{mapping.meter}"

    def check(own: tuple[Mapping, ...]) -> None:
        if own and own[-1].destination != mapping.destination:
            _refuse_overtaken(catalog, subject, wanted)

    audit = _audit(wanted, subject, now)
    try:
        added = map_meter(catalog, mapping, audit, keep_start=True, check=check)
    except _Overtaken:
        return Onboarded.OVERTAKEN
    return Onboarded.KNOWN if added is None else Onboarded.ONBOARDED


def _refuse_overtaken(catalog: Catalog, subject: str, wanted: Onboarding) -> None:
    """Raises _Overtaken where the audit trail has this onboarding, or one that was sent later."""
    for line in pages(lambda cursor: catalog.overrides(cursor=cursor)):
        if (line.action, line.subject) != (ACTION, subject):
            continue
        told = _WHY.fullmatch(line.why)
        if told and (told["id"] == wanted.id or parse_instant(told["sent_at"]) > wanted.sent_at):
            raise _Overtaken


def _audit(wanted: Onboarding, subject: str, now: int) -> Override:
    why = f"{wanted.id}, sent at {format_instant(wanted.sent_at)}"
    return Override(at=now, who=WHO, why=why, action=ACTION, subject=subject)


def _impossible(detail: str) -> Refusal:
    error = FieldError(pointer="/detail", code=str(Reason.INVALID), detail=detail)
    return Refusal(reason=Reason.INVALID, errors=(error,))
