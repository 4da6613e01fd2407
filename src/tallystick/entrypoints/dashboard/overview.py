"""The first page: how fast events come in, where they were counted, what waits and for whom."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from starlette.responses import RedirectResponse, Response

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.backlog import COUNTED_MAX, Backlog
from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.instant import floor_hour, format_instant
from tallystick.domain.publication import State
from tallystick.entrypoints.dashboard.links import tenant_link
from tallystick.entrypoints.dashboard.reconciliation import WAITING
from tallystick.entrypoints.dashboard.rendering import rendered
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.pulse import Beat
from tallystick.ports import Store
from tallystick.stages.publishing import ADOPTING, HOLD, PAUSE

RATE_SECONDS: Final = 10
"""Events per second are those of so many whole seconds, divided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One Aggregate that was touched lately, as it stands now."""

    key: AggregateKey
    value: Decimal
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing that a person should look at: what, and where."""

    what: str
    link: str
    command: str = ""
    is_urgent: bool = True


def show_overview(visit: Visit) -> Response:
    """A key of one tenant has its tenant's page instead."""
    if visit.key.tenant:
        return RedirectResponse(tenant_link(visit.key.tenant), status_code=303)
    has_tenants = bool(visit.service.app.store.catalog.accounts(limit=1).elements)
    return visit.render("overview.html", {**_shown(visit), "has_tenants": has_tenants})


def show_live(visit: Visit) -> Response:
    visit.check_unbound()
    return rendered("overview_live.html", _shown(visit))


def _shown(visit: Visit) -> dict[str, object]:
    app, now = visit.service.app, visit.now
    beat, backlog = visit.service.counting.pulse.beat(now), app.store.backlog(now)
    return {
        "now": now,
        "rate": rate_of(beat),
        "beat": beat,
        "busiest": max(beat.seconds),
        "places": places_of(app.store, beat),
        "backlog": backlog,
        "counted_max": COUNTED_MAX,
        "watermark": floor_hour(now - app.settings.grace),
        "has_provider": app.has_provider,
        "concerns": concerns_of(visit, backlog),
    }


def rate_of(beat: Beat) -> Decimal:
    """Events per second over the last RATE_SECONDS, exact: tenths at most."""
    return Decimal(sum(beat.seconds[-RATE_SECONDS:])) / RATE_SECONDS


def places_of(store: Store, beat: Beat) -> list[Place]:
    """The last few Aggregates that were touched, read anew."""
    found = []
    for key in beat.places:
        page = store.events.aggregates(
            tenant=key.tenant, meter=key.meter, window=key.window, limit=2
        )
        found += [
            Place(key=key, value=aggregate.value, events=aggregate.tally.count)
            for aggregate in page.elements
            if aggregate.key == key
        ]
    return found


# ── What needs a person ───────────────────────────────────────────────────────────────────────────


def concerns_of(visit: Visit, backlog: Backlog) -> list[Concern]:
    """Nothing here is a rule: it is what the backlog, the switches and the server's parts say."""
    return [
        *_troubles(visit),
        *_switched_off(visit.service.app.store.catalog.switches()),
        *_differences(visit.service.checks.discrepancies()),
        *_unsettled(backlog),
        *_letters(backlog),
    ]


def _troubles(visit: Visit) -> list[Concern]:
    troubles = ((name, state()) for name, state in visit.service.parts.items())
    return [
        Concern(what=f"The {name}: {trouble}.", link="", command="tallystick doctor")
        for name, trouble in troubles
        if trouble
    ]


def _switched_off(switches: dict[str, str]) -> list[Concern]:
    found = []
    if ADOPTING in switches:
        what = "This store was restored, and nothing is sent until that is finished."
        found.append(Concern(what=what, link="", command="tallystick restore --help"))
    if PAUSE in switches:
        what = f"Publishing is paused for all tenants since {switches[PAUSE]}."
        found.append(Concern(what=what, link="/dashboard/publications"))
    for name, state in sorted(switches.items()):
        kind, _, subject = name.partition(":")
        if subject and kind == PAUSE:
            what = f"Publishing is paused for {subject} since {state}."
            found.append(Concern(what=what, link=tenant_link(subject)))
        elif subject and kind == HOLD:
            what = f"Nothing is sent to {subject}: {state}."
            found.append(Concern(what=what, link="/dashboard/reconciliation"))
    return found


def _differences(found: Sequence[Discrepancy]) -> list[Concern]:
    kinds = Counter(one.kind for one in found)
    return [
        Concern(
            what=f"Reconciliation, {kind.replace('_', ' ')}: {count:,}",
            link="/dashboard/reconciliation",
            is_urgent=kind not in WAITING,
        )
        for kind, count in sorted(kinds.items())
    ]


def _unsettled(backlog: Backlog) -> list[Concern]:
    found = []
    in_doubt = backlog.unsettled.get(State.AMBIGUOUS, 0)
    if in_doubt:
        since = format_instant(backlog.unsettled_since[State.AMBIGUOUS])
        what = f"Publications in doubt: {counted(in_doubt)}, the oldest since {since}"
        link = "/dashboard/publications?unsettled=1"
        found.append(Concern(what=what, link=link, is_urgent=False))
    if backlog.undelivered:
        what = f"Slots that closed before all was delivered: {counted(backlog.undelivered)}"
        found.append(Concern(what=what, link="/dashboard/reconciliation"))
    return found


def _letters(backlog: Backlog) -> list[Concern]:
    return [
        Concern(
            what=f"Dead letters, {reason.replace('_', ' ')}: {counted(count)}",
            link=f"/dashboard/dead-letters?reason={reason}",
        )
        for reason, count in sorted(backlog.dead_letters.items())
    ]


def counted(count: int) -> str:
    """A count of the backlog: where it stopped counting, it says so."""
    return f"{COUNTED_MAX:,} or more" if count >= COUNTED_MAX else f"{count:,}"
