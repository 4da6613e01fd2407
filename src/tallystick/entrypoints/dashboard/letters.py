"""Reports that could not be counted: why, what was sent, and another try."""

from typing import Final

from starlette.responses import Response

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.dashboard.links import linked
from tallystick.entrypoints.dashboard.visiting import Visit
from tallystick.ports import DeadLetters
from tallystick.stages.ingesting import REPLAYED_NEVER, replay

ROWS: Final = 25
PAGES_MAX: Final = 20
"""So many pages are looked through for one answer; a link goes on from there."""

LISTING: Final = "/dashboard/dead-letters"


def list_letters(visit: Visit) -> Response:
    """In the order in which they were kept; of one reason, where one is chosen."""
    asked = visit.asked
    reason = Reason(asked["reason"]) if asked.get("reason") in list(Reason) else None
    open_only = asked.get("all", "") != "1"
    cursor = asked.get("cursor", "")
    found, onward = _page(
        visit.service.app.store.dead_letters,
        visit.key.tenant,
        reason,
        open_only=open_only,
        cursor=cursor,
    )
    kept = {"reason": reason or "", "all": "" if open_only else "1"}
    return visit.render(
        "letters.html",
        {
            "letters": found,
            "reasons": list(Reason),
            "never": REPLAYED_NEVER,
            "reason": reason,
            "open_only": open_only,
            "is_first": not cursor,
            "first": linked(LISTING, **kept),
            "onward": linked(LISTING, **kept, cursor=onward) if onward else "",
        },
    )


def replay_some(visit: Visit) -> Response:
    """One letter, or all of a reason; and what became of them."""
    letter_id, named = visit.posted("id"), visit.posted("reason")
    if not letter_id and named not in list(Reason):
        raise InvalidSetting("choose a dead letter, or a reason")
    became = replay(
        visit.service.intake(),
        visit.now,
        letter_id=letter_id,
        reason=None if letter_id else Reason(named),
    )
    still = became.pop("still_dead", 0)
    counted = ", ".join(f"{count:,} {kind}" for kind, count in sorted(became.items()) if count)
    notice = f"Replayed {became.total() + still:,}: {counted or 'none counted'}"
    place = linked(LISTING, reason="" if letter_id else named)
    return visit.back_to(place, f"{notice}; {still:,} could not be counted again.")


def _page(
    letters: DeadLetters, tenant: str, reason: Reason | None, *, open_only: bool, cursor: str
) -> tuple[list[DeadLetter], str]:
    """Up to about ROWS letters and the cursor to go on with, after bounded work."""
    found: list[DeadLetter] = []
    for _ in range(PAGES_MAX):
        page = letters.list(tenant=tenant, open_only=open_only, cursor=cursor, limit=ROWS)
        found += (letter for letter in page.elements if reason in (None, letter.reason))
        cursor = page.cursor
        if not cursor or len(found) >= ROWS:
            break
    return found, cursor
