"""`tallystick void`: take one event out of every total that it counts in."""

from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import InvalidReport
from tallystick.domain.event import Receipt
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    StoreOption,
    WhoOption,
    WhyOption,
    intake,
    known_tenant,
    open_app,
)
from tallystick.entrypoints.cli.tables import say
from tallystick.stages.ingesting import Report, ingest


def register(app: App) -> None:
    app.command(void)


def void(
    tenant: Annotated[str, Parameter(help="Whose event it is.")],
    event_key: Annotated[str, Parameter(help="The key of the event to take out.")],
    *,
    key: Annotated[str, Parameter(help="The void's own key; made from the event's if empty.")] = "",
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Take an event out again. What was published already is corrected; the key stays taken.

    The void is kept as an event of its own, with who and why. Voiding twice is voiding once.
    """
    with open_app(store, at) as app:
        events = app.store.events
        known_tenant(app.store, tenant)
        if events.is_voided(tenant, event_key):
            say(f"{event_key!r} is voided already")
            return CLEAN
        is_known = events.event(tenant, event_key) is not None
        body: dict[str, object] = {
            "tenant": tenant,
            "key": key or f"void:{event_key}",
            "voids": event_key,
            "properties": {"who": who or app.settings.user, "why": why},
        }
        (outcome,) = ingest([Report(origin="cli:void", body=body)], intake(app), app.clock.now())
    if isinstance(outcome, DeadLetter):
        raise InvalidReport(*outcome.errors)
    if outcome.receipt is Receipt.CONFLICT:
        say(f"the key {body['key']!r} is taken by another event; give the void another by --key")
        return NEEDS_A_PERSON
    later = "" if is_known else " when it comes: no event with that key is here yet"
    say(f"{event_key!r} is voided{later}")
    return CLEAN
