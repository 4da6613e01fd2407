"""What the provider was told: the list, and one publication back to its Entries and its events.

Tenants may share a publication, so for a key of one tenant there is none of this.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from starlette.responses import Response

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.event import Event
from tallystick.domain.ledger import Entry
from tallystick.domain.publication import Publication, State
from tallystick.entrypoints.dashboard.links import linked
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.entrypoints.http.problems import not_found
from tallystick.entrypoints.http.settling import ARRIVED, Verdict, settle_by_person
from tallystick.ports import Change, Store
from tallystick.stages.tracing import covered_after, given_to

ROWS: Final = 50
LINES: Final = 25
CHANGES: Final = 50
LISTING: Final = "/dashboard/publications"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShown:
    """One Entry behind a slot's total, what it put there, and where its events are shown."""

    entry: Entry
    quantity: Decimal
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShown:
    """One change that an Entry covers, with the event itself."""

    change: Change
    event: Event | None


def list_publications(visit: Visit) -> Response:
    """In order of slot and revision. Nothing is counted."""
    visit.check_unbound()
    unsettled = visit.asked.get("unsettled", "") == "1"
    cursor, wanted = visit.asked.get("cursor", ""), visit.asked.get("q", "").strip()
    outbox = visit.service.app.store.outbox
    page = outbox.publications(
        identifier=wanted, unsettled=unsettled and not wanted, cursor=cursor, limit=ROWS
    )
    kept = {"q": wanted, "unsettled": "1" if unsettled else ""}
    return visit.render(
        "publications.html",
        {
            "publications": page.elements,
            "unsettled": unsettled,
            "search": wanted,
            "is_first": not cursor,
            "first": linked(LISTING, **kept),
            "onward": linked(LISTING, **kept, cursor=page.cursor) if page.cursor else "",
            "has_provider": visit.service.app.has_provider,
        },
    )


def show_publication(visit: Visit) -> Response:
    """One publication, and a page of the Entries that its slot held when it was intended."""
    visit.check_unbound()
    store = visit.service.app.store
    publication = _found(store, visit.asked.get("identifier", ""))
    cursor, seen = visit.asked.get("cursor", ""), _number(visit.asked.get("seen", ""))
    left = max(publication.slot_version - seen, 0)
    page = store.ledger.entries(slot=publication.slot, cursor=cursor, limit=min(LINES, left or 1))
    entries = page.elements[:left]
    more = page.cursor if left > len(entries) else ""
    onward = {"identifier": publication.identifier, "cursor": more}
    return visit.render(
        "publication.html",
        {
            "publication": publication,
            "lines": [_line(publication, entry, cursor) for entry in entries],
            "first_line": seen + 1,
            "is_first": not cursor,
            "first": _link(publication),
            "onward": linked("/dashboard/publication", **onward, seen=str(seen + len(entries)))
            if more
            else "",
            "in_doubt": (State.AMBIGUOUS, State.ACCEPTED, State.PENDING),
        },
    )


def show_entry(visit: Visit) -> Response:
    """One Entry with a page of the events that it covers."""
    visit.check_unbound()
    store, asked = visit.service.app.store, visit.asked
    publication = _found(store, asked.get("identifier", ""))
    entry = _entry(store, publication, visit)
    after = max(covered_after(store, entry), _number(asked.get("after", "")))
    changes = store.events.changes(entry.key, after=after, upto=entry.position, limit=CHANGES)
    last = changes[-1].position if changes else entry.position
    own = _line(publication, entry, asked.get("cursor", ""))
    return visit.render(
        "entry.html",
        {
            "publication": publication,
            "back": _link(publication),
            "entry": entry,
            "quantity": own.quantity,
            "changes": [_with_event(store, change) for change in changes],
            "onward": f"{own.link}&after={last}" if last < entry.position else "",
            "is_first": not asked.get("after", ""),
            "first": own.link,
        },
    )


def settle_publication(visit: Visit) -> Response:
    """A person's verdict where no evidence can decide, on record."""
    visit.check_unbound()
    identifier, verdict = visit.posted("identifier"), visit.posted("verdict")
    if verdict not in (ARRIVED, "absent"):
        raise InvalidSetting("say whether it arrived or is absent")
    decided = Verdict(verdict=ARRIVED if verdict == ARRIVED else "absent", why=visit.posted("why"))
    after = settle_by_person(visit.service, visit.key, identifier, decided)
    return visit.back_to(_link(after), f"The publication is {after.state} now.")


def _found(store: Store, identifier: str) -> Publication:
    found = store.outbox.publications(identifier=identifier).elements if identifier else ()
    if not found:
        raise not_found("no publication has this identifier")
    return found[0]


def _link(publication: Publication) -> str:
    return linked("/dashboard/publication", identifier=publication.identifier)


def _line(publication: Publication, entry: Entry, cursor: str) -> LineShown:
    """The link names the page that the Entry was on, since Entries are found by their place."""
    link = linked(
        "/dashboard/entry",
        identifier=publication.identifier,
        tenant=entry.key.tenant,
        meter=entry.key.meter,
        line=str(entry.line),
        cursor=cursor,
    )
    return LineShown(entry=entry, quantity=given_to(publication.slot, entry), link=link)


def _entry(store: Store, publication: Publication, visit: Visit) -> Entry:
    asked = visit.asked
    wanted = (asked.get("tenant", ""), asked.get("meter", ""), _number(asked.get("line", "")))
    page = store.ledger.entries(slot=publication.slot, cursor=asked.get("cursor", ""), limit=LINES)
    for entry in page.elements:
        if (entry.key.tenant, entry.key.meter, entry.line) == wanted:
            return entry
    raise not_found("this publication has no such line")


def _with_event(store: Store, change: Change) -> ChangeShown:
    contribution = change.contribution
    event = store.events.event(contribution.key.tenant, contribution.event_key)
    return ChangeShown(change=change, event=event)


def _number(text: str) -> int:
    """A count that a link of ours carries; zero for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
