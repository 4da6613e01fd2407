"""`backup` and `restore`: a copy, and opening one safely."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import back_up, new_incarnation
from tallystick.config import parse_duration
from tallystick.domain.errors import (
    InvalidSetting,
)
from tallystick.domain.instant import HOUR
from tallystick.domain.publication import Limits
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    StoreOption,
    WhoOption,
    audit,
    open_app,
)
from tallystick.entrypoints.cli.tables import say
from tallystick.publishers.dry_run import NO_KEY
from tallystick.stages.publishing import ADOPTING
from tallystick.stages.restoring import adopt, begin

CHECKPOINT_AGE_MAX: Final = 2 * HOUR
"""One is taken in every hour in which anything runs."""


def register(app: Cli) -> None:
    app.command(restore)
    app.command(backup)


def backup(
    target: Annotated[Path, Parameter(help="A file that does not exist yet.")],
    /,
    *,
    store: StoreOption = None,
) -> int:
    """Copy the store into a new file, also while others write."""
    with open_app(store) as app:
        back_up(app.store, target)
    say(f"Copied to {target}.")
    return CLEAN


def restore(
    *,
    why: Annotated[str, Parameter(help="For the audit trail: why a copy is opened.")],
    lag: Annotated[
        str,
        Parameter(help="How long the provider's totals may lag; matters to sum meters only."),
    ] = "48h",
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Open a copy as a new incarnation, and adopt what the provider holds in every open slot.

    Publishing stays off until that is done; after an interruption, run it again.
    """
    with open_app(store, at) as app:
        line = audit(app, "restore", app.settings.store, who=who, why=why)
        if ADOPTING not in app.store.catalog.switches():
            begin(app.store, new_incarnation(), line)
        if not app.has_provider:
            raise InvalidSetting(f"publishing stays off: {NO_KEY}; set it, and restore again")
        limits = replace(Limits(), summary_lag=_lag(lag))
        done = adopt(app.store, app.publisher, app.clock.now(), line, limits=limits)
    say(f"Compared {done.compared} slots; {done.changed} held something else than the copy said.")
    for tenant, slot in done.forgotten:
        say(f"{tenant} is paused: {slot} holds what only the lost store knew. Take it out there.")
    return NEEDS_A_PERSON if done.forgotten else CLEAN


def _lag(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidSetting(f"--lag: {error}") from error
