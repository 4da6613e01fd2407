"""What the commands share: their common options, exit codes, and the opened application."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Final

from cyclopts import Parameter

from tallystick.bootstrap import App, app_of
from tallystick.config import read_settings
from tallystick.domain.errors import InvalidSetting, NotFound
from tallystick.domain.instant import parse_instant
from tallystick.entrypoints.cli.tables import say
from tallystick.ports import Account, Override, Store
from tallystick.stages.ingesting import Intake, intake_of, replay

CLEAN: Final = 0
NEEDS_A_PERSON: Final = 1
INPUT_ERROR: Final = 2
UNAVAILABLE: Final = 3

StoreOption = Annotated[
    str | None,
    Parameter(name="--store", help="Where everything is kept, such as sqlite:///./tallystick.db."),
]
AtOption = Annotated[
    str | None, Parameter(name="--at", help="Act as if it were this time (RFC 3339).")
]
JsonOption = Annotated[
    bool, Parameter(name="--json", negative="", help="One JSON object a line, for programs.")
]
WhoOption = Annotated[
    str | None, Parameter(name="--who", help="For the audit trail; the OS user if not given.")
]
WhyOption = Annotated[str, Parameter(name="--why", help="For the audit trail: the reason.")]


@contextmanager
def open_app(store: str | None, at: str | None = None, *, create: bool = False) -> Iterator[App]:
    """Everything wired up by the environment and these two options; closed at the end.

    A store that is not there is made only where `create` says so: a mistyped path must not look
    like an empty one.
    """
    settings = read_settings()
    if store is not None:
        settings = replace(settings, store=store)
    with app_of(settings, at=optional_instant("--at", at), create=create) as app:
        yield app


def optional_instant(option: str, text: str | None) -> int | None:
    """The instant an option gives; InvalidSetting names the option."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except (ValueError, OverflowError) as error:
        raise InvalidSetting(f"{option}: {text!r} is {error}") from error


def audit(app: App, action: str, subject: str, *, who: str | None, why: str) -> Override:
    """The line of the audit trail for what a person does now."""
    return Override(
        at=app.clock.now(), who=who or app.settings.user, why=why, action=action, subject=subject
    )


def known_tenant(store: Store, tenant: str) -> Account:
    """The tenant with its mappings; NotFound says where to look."""
    account = store.catalog.account(tenant)
    if account is None:
        raise NotFound(f"there is no tenant {tenant!r}; `tallystick tenants list` shows them")
    return account


def count_waiting(app: App, waits_for: str) -> None:
    """Count the dead letters that waited for what was just added, and say so."""
    became = replay(intake(app), app.clock.now(), waits_for=waits_for)
    if became:
        counted = became.total() - became["still_dead"]
        say(f"{counted} of {became.total()} dead letters that waited for it are counted now")


def intake(app: App) -> Intake:
    return intake_of(app.store, auto_onboard=app.settings.auto_onboard)
