"""Ingesting: from reports to recorded events. Each report is counted, a duplicate, or a dead
letter; one that cannot be counted never holds up its neighbours.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tallystick.domain.aggregate import Contribution
from tallystick.domain.dead_letter import DeadLetter, Reason, dead_letter_id
from tallystick.domain.envelope import ONBOARDING_ORIGIN
from tallystick.domain.errors import FieldError, InvalidReport
from tallystick.domain.event import Event, Receipt
from tallystick.domain.instant import MINUTE, format_instant
from tallystick.domain.mint import mint
from tallystick.domain.recording import new_recording
from tallystick.domain.report import parse_report, tenants_named
from tallystick.domain.sheet import Sheet
from tallystick.domain.tenant import NAME_LENGTH_MAX, Tenant
from tallystick.ports import Override, Recorded, Recording, Store
from tallystick.stages.decoding import (
    BODY_KEPT_MAX,
    REPORT_BYTES_MAX,
    UnreadableReport,
    decode,
    encode,
)
from tallystick.stages.metering import (
    Refusal,
    Rulebook,
    TenantCalendar,
    metered,
    unknown_tenant,
    with_code,
)
from tallystick.stages.tabulating import PlainReports, sheet_of

AHEAD_MAX: Final = 5 * MINUTE
"""How far ahead of our clock an event may have occurred."""

REPLAYED_NEVER: Final = frozenset({Reason.UNREADABLE, Reason.CONFLICT})
"""No setting and no time makes these countable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report as it came.

    origin        where from: a file and line, a route
    body          its text, or what was parsed of it already
    received_at   when it came first, where that was not now
    fallback_key  the key of a native body without an EventID
    refused       what its reader found wrong, before it could be read as a report
    """

    origin: str
    body: bytes | str | dict[str, object]
    received_at: int | None = None
    fallback_key: str = ""
    refused: InvalidReport | None = None


new_report: Final = mint(Report)
"""All fields in their order: for one among thousands."""

DEAD_LETTER: Final = "dead_letter"
KINDS: Final = (*Receipt, DEAD_LETTER)

Outcome = Recorded | DeadLetter
Counted = tuple[Event, tuple[Contribution, ...]]


def kinds_of(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many became what. A batch's outcomes are few, and stand there many times."""
    if len(outcomes) == 1:
        return Counter((kind_of(outcomes[0]),))
    each = dict(zip(map(id, outcomes), outcomes, strict=True))
    kinds = Counter[str]()
    for identity, count in Counter(map(id, outcomes)).items():
        kinds[kind_of(each[identity])] += count
    return kinds


def kind_of(outcome: Outcome) -> str:
    """One of KINDS: what became of a report, in a word."""
    return DEAD_LETTER if isinstance(outcome, DeadLetter) else str(outcome.receipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Where reports go, and by which rules. Kept from batch to batch: the rulebook remembers."""

    store: Store
    rules: Rulebook
    auto_onboard: bool = False


def intake_of(store: Store, *, auto_onboard: bool = False) -> Intake:
    return Intake(store=store, rules=Rulebook(store.catalog), auto_onboard=auto_onboard)


def ingest(reports: Sequence[Report], intake: Intake, now: int) -> tuple[Outcome, ...]:
    """One outcome for each report, in their order; when it returns, all of it is durable.

    On repeat: duplicates, and the same dead letters. A batch of about 1,000 is fast. Raises
    StoreUnavailable, and then nothing is promised: give the batch again.
    """
    intake.rules.refresh()
    outcomes = _recorded(reports, intake, now)
    letters = [o for o in outcomes if isinstance(o, DeadLetter)]
    if letters:
        intake.store.dead_letters.keep(letters)
    # Whoever adds a tenant saves it and then looks for letters; we keep the letter and then look
    # for a newer catalog. So one of the two sees the other, and no letter is left waiting.
    if any(letter.waits_for for letter in letters) and intake.rules.refresh():
        for waits_for in sorted({letter.waits_for for letter in letters if letter.waits_for}):
            replay(intake, now, waits_for=waits_for)
    return outcomes


def _recorded(reports: Sequence[Report], intake: Intake, now: int) -> tuple[Outcome, ...]:
    """The outcomes: the countable reports are recorded, the dead letters not kept yet."""
    if isinstance(reports, PlainReports):
        sheet = sheet_of(reports, intake.rules, now, latest=now + AHEAD_MAX, sent=_sent(reports))
        if sheet is not None:
            return _all_settled(sheet, intake.store.events.record(sheet, now), now)
    ready = [prepared(report, intake, now) for report in reports]
    countable = [p for p in ready if isinstance(p, Recording)]
    recorded = iter(intake.store.events.record(countable, now) if countable else ())
    return tuple(
        p if isinstance(p, DeadLetter) else _settled(p, next(recorded), now) for p in ready
    )


def _sent(reports: PlainReports) -> Callable[[int], tuple[str, str]]:
    """What a dead letter keeps of each."""

    def of(place: int) -> tuple[str, str]:
        report = reports[place]
        return report.origin, _body_text(report.body)

    return of


def _all_settled(sheet: Sheet, recorded: tuple[Recorded, ...], now: int) -> tuple[Outcome, ...]:
    if all(one.refused is None for one in recorded):
        return recorded
    return tuple(_settled(*pair, now) for pair in zip(sheet, recorded, strict=True))


def _settled(recording: Recording, recorded: Recorded, now: int) -> Outcome:
    """What the store made of it; a total that would overflow makes it a dead letter."""
    if recorded.refused is None:
        return recorded
    detail = "a total would need more than 38 digits; nothing of the event was counted"
    error = FieldError(pointer="/quantity", code=str(recorded.refused), detail=detail)
    return DeadLetter(
        id=dead_letter_id(recording.origin, recording.body),
        reason=recorded.refused,
        errors=(error,),
        tenant=recording.event.tenant,
        origin=recording.origin,
        body=recording.body,
        received_at=now,
    )


def prepared(report: Report, intake: Intake, now: int) -> Recording | DeadLetter:
    """The report as a Recording, or the dead letter that says why not. Neither is stored yet."""
    received_at = now if report.received_at is None else report.received_at
    sent: object = None
    try:
        if report.refused is not None:
            raise report.refused
        sent = report.body if isinstance(report.body, dict) else decode(report.body)
        event = parse_report(sent, received_at, fallback_key=report.fallback_key)
    except InvalidReport as error:
        reason = Reason.UNREADABLE if isinstance(error, UnreadableReport) else Reason.INVALID
        refusal = Refusal(reason=reason, errors=error.errors)
        return letter_for(report, refusal, received_at, tenant=tenant_named(sent))
    found = _counted(event, intake, now)
    if isinstance(found, Refusal):
        return letter_for(report, found, received_at, tenant=event.tenant)
    event, contributions = found
    return new_recording(event, contributions, report.origin, _body_text(report.body))


def _counted(event: Event, intake: Intake, now: int) -> Counted | Refusal:
    """The event with what it adds to its Aggregates, where its time, tenant and code allow it."""
    if event.occurred_at > now + AHEAD_MAX:
        return _in_the_future(event, now)
    calendar = intake.rules.calendar(event.tenant)
    if calendar is None and intake.auto_onboard:
        calendar = _onboarded(event.tenant, intake, now)
    if calendar is None:
        return unknown_tenant(event.tenant)
    event = with_code(event, calendar, intake.rules)
    added = metered(event, calendar, intake.rules)
    return added if isinstance(added, Refusal) else (event, added)


def _onboarded(tenant: str, intake: Intake, now: int) -> TenantCalendar | None:
    """The tenant that was made because a report named it."""
    audit = Override(
        at=now,
        who="auto-onboard",
        why="the first report of an unknown tenant came",
        action="tenants add",
        subject=tenant,
    )
    intake.store.catalog.save(Tenant(id=tenant), audit)
    intake.rules.refresh()
    return intake.rules.calendar(tenant)


def _in_the_future(event: Event, now: int) -> Refusal:
    detail = (
        f"occurred at {format_instant(event.occurred_at)}, more than 5 minutes ahead of our clock "
        f"({format_instant(now)}); correct the sender's clock and send it again with its real time"
    )
    error = FieldError(pointer="/occurred_at", code=str(Reason.FUTURE), detail=detail)
    return Refusal(reason=Reason.FUTURE, errors=(error,))


def letter_for(report: Report, refusal: Refusal, received_at: int, *, tenant: str) -> DeadLetter:
    """The dead letter that says why the report was refused; not stored yet."""
    body = _body_text(report.body)
    return DeadLetter(
        id=dead_letter_id(report.origin, body),
        reason=refusal.reason,
        errors=refusal.errors,
        tenant=tenant,
        waits_for=refusal.waits_for,
        origin=report.origin,
        body=body,
        received_at=received_at,
    )


def _body_text(body: bytes | str | dict[str, object]) -> str:
    """What is kept of a report: all of it, but of one too large to be read the beginning."""
    if isinstance(body, dict):
        return encode(body)
    if len(body) > REPORT_BYTES_MAX:
        body = body[:BODY_KEPT_MAX]
    return body if isinstance(body, str) else body.decode("utf-8", "backslashreplace")


def tenant_named(sent: object) -> str:
    """The tenant that an invalid report names, where it names one; for finding it again."""
    named = tenants_named(sent) if isinstance(sent, dict) else ()
    text = next((t for t in named if isinstance(t, str) and t), "")
    return text[:NAME_LENGTH_MAX] if text.isprintable() else ""


# ── Replay ────────────────────────────────────────────────────────────────────────────────────────


def replay(
    intake: Intake,
    now: int,
    *,
    tenant: str = "",
    waits_for: str = "",
    reason: Reason | None = None,
    letter_id: str = "",
) -> Counter[str]:
    """Give open dead letters of usage another try; how many became what (recorded, …,
    still_dead).

    One that is counted now, or fails for another reason, is taken; the latter leaves a new letter.
    On repeat, and after a crash anywhere: what was counted is a duplicate, and is taken then.
    """
    became: Counter[str] = Counter()
    listing = intake.store.dead_letters.list
    cursor = ""
    while True:
        page = listing(tenant=tenant, waits_for=waits_for, cursor=cursor)
        chosen = [
            e for e in page.elements if letter_id in {"", e.id} and reason in {None, e.reason}
        ]
        became += _replayed([e for e in chosen if _is_usage(e)], intake, now)
        cursor = page.cursor
        if not cursor:
            return became


def _is_usage(letter: DeadLetter) -> bool:
    is_onboarding = letter.origin.startswith(ONBOARDING_ORIGIN)
    return letter.reason not in REPLAYED_NEVER and not is_onboarding


def _replayed(letters: Sequence[DeadLetter], intake: Intake, now: int) -> Counter[str]:
    intake.rules.refresh()
    reports = [
        Report(origin=f"replay of {e.id}", body=e.body, received_at=e.received_at) for e in letters
    ]
    became: Counter[str] = Counter()
    for letter, outcome in zip(letters, _recorded(reports, intake, now), strict=True):
        became[_take(letter, outcome, intake, now)] += 1
    return became


def _take(letter: DeadLetter, outcome: Outcome, intake: Intake, now: int) -> str:
    """Mark a letter with what became of it, unless nothing did; a word for that."""
    letters = intake.store.dead_letters
    if isinstance(outcome, Recorded):
        letters.take(letter.id, str(outcome.receipt), now)
        return str(outcome.receipt)
    if (outcome.reason, outcome.waits_for) == (letter.reason, letter.waits_for):
        return "still_dead"
    letters.keep([outcome])
    letters.take(letter.id, f"dead letter {outcome.id}", now)
    return "still_dead"
