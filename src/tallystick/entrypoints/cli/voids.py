"""`tallystick void`: take one event out of every total that it counts in."""

from typing import Annotated

from cyclopts import App, Parameter

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
from tallystick.stages.voiding import Void, Voided, take_out


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
        known_tenant(app.store, tenant)
        wanted = Void(
            tenant=tenant,
            event_key=event_key,
            key=key,
            who=who or app.settings.user,
            why=why,
            origin="cli:void",
        )
        became = take_out(wanted, intake(app), app.clock.now())
    say(_sentence(wanted, became))
    return NEEDS_A_PERSON if became is Voided.KEY_TAKEN else CLEAN


def _sentence(wanted: Void, became: Voided) -> str:
    match became:
        case Voided.VOIDED:
            return f"{wanted.event_key!r} is voided"
        case Voided.WAITING:
            return f"{wanted.event_key!r} is voided when it comes: no event with that key is here"
        case Voided.ALREADY:
            return f"{wanted.event_key!r} is voided already"
        case Voided.KEY_TAKEN:
            return f"the key {wanted.own_key!r} is taken by another event; give the void a --key"
