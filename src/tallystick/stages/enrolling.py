"""Enrol: make a tenant known, and bill it through what its subscription is at the provider.

Each step is durable before the next, and changes nothing where it is done already; so whoever asks
again goes on where another ended. What waited for the tenant is counted by whoever asked.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tallystick.domain.dead_letter import Reason
from tallystick.domain.envelope import Onboarding
from tallystick.domain.errors import FieldError, InvalidSetting
from tallystick.domain.instant import floor_hour, format_instant, parse_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import Catalog, Override
from tallystick.stages.configuring import configure, map_meter, save_meter, versions_of_meter
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What became of it: what was made for it, the meter that it means, and the mapping's new
    version, where there is one."""

    became: Onboarded
    is_new_tenant: bool
    is_new_meter: bool
    meter: Meter
    mapping: Mapping | None


class _Overtaken(Exception):
    """Raised inside a decision that must not be made."""


def enrol(
    catalog: Catalog,
    wanted: Onboarding,
    target: Target,
    now: int,
    *,
    who: str = WHO,
    publish_from: int | None = None,
) -> Enrolled | Refusal:
    """Make the tenant, and where nothing reads its code a meter, and map the one to the other.

    A tenant that is known keeps its terms. Without `publish_from` the whole hour in which it was
    sent is billed, and what comes after it; a known mapping goes on as before.
    """
    is_new_tenant = _add_tenant(catalog, wanted, _audit(wanted, wanted.tenant, who, now))
    found = _meter_of(catalog, wanted)
    if isinstance(found, Refusal):
        return found
    is_new_meter = isinstance(found, str)
    meter = Meter(id=found, code=found) if isinstance(found, str) else found
    if is_new_meter:
        save_meter(catalog, meter, _audit(wanted, meter.id, who, now))
    audit = _audit(wanted, f"{wanted.tenant}/{meter.id}", who, now)
    try:
        mapping = _mapping(wanted, meter, target, publish_from)
        keep_start = publish_from is None
        became, added = _mapped(catalog, mapping, wanted, audit, keep_start=keep_start)
    except InvalidSetting as error:
        return _impossible(str(error))
    return Enrolled(
        became=became,
        is_new_tenant=is_new_tenant,
        is_new_meter=is_new_meter,
        meter=meter,
        mapping=added,
    )


def _add_tenant(catalog: Catalog, wanted: Onboarding, audit: Override) -> bool:
    def decide() -> Tenant | None:
        return None if catalog.account(wanted.tenant) else Tenant(id=wanted.tenant)

    return configure(catalog, decide, audit) is not None


def _mapping(wanted: Onboarding, meter: Meter, target: Target, publish_from: int | None) -> Mapping:
    route, destination, counter = target(wanted.destination, meter.code)
    return Mapping(
        tenant=wanted.tenant,
        meter=meter.id,
        route=route,
        destination=destination,
        counter=counter,
        publish_from=floor_hour(wanted.sent_at) if publish_from is None else publish_from,
    )


def _meter_of(catalog: Catalog, wanted: Onboarding) -> Meter | str | Refusal:
    """The meter that is meant; or, where nothing reads the code, the name of one that adds up its
    quantities, as a code is read by the meter of its name."""
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
    return wanted.code


def _mapped(
    catalog: Catalog, mapping: Mapping, wanted: Onboarding, audit: Override, *, keep_start: bool
) -> tuple[Onboarded, Mapping | None]:
    def check(own: tuple[Mapping, ...]) -> None:
        if own and own[-1].destination != mapping.destination:
            _refuse_overtaken(catalog, audit.subject, wanted)

    try:
        added = map_meter(catalog, mapping, audit, keep_start=keep_start, check=check)
    except _Overtaken:
        return Onboarded.OVERTAKEN, None
    return (Onboarded.KNOWN if added is None else Onboarded.ONBOARDED), added


def _refuse_overtaken(catalog: Catalog, subject: str, wanted: Onboarding) -> None:
    """Raises _Overtaken where the audit trail has this onboarding, or one that was sent later."""
    for line in pages(lambda cursor: catalog.overrides(cursor=cursor)):
        if (line.action, line.subject) != (ACTION, subject):
            continue
        told = _WHY.fullmatch(line.why)
        if told and (told["id"] == wanted.id or parse_instant(told["sent_at"]) > wanted.sent_at):
            raise _Overtaken


def _audit(wanted: Onboarding, subject: str, who: str, now: int) -> Override:
    why = f"{wanted.id}, sent at {format_instant(wanted.sent_at)}"
    return Override(at=now, who=who, why=why, action=ACTION, subject=subject)


def _impossible(detail: str) -> Refusal:
    error = FieldError(pointer="/detail", code=str(Reason.INVALID), detail=detail)
    return Refusal(reason=Reason.INVALID, errors=(error,))
