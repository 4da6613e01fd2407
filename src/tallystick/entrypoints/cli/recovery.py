"""`backup`, `restore` and `doctor`: a copy, opening one safely, and whether all is in order."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App, back_up, new_incarnation, signer_for
from tallystick.config import parse_duration
from tallystick.domain.errors import (
    InvalidSetting,
    PublisherMisconfigured,
    PublisherUnavailable,
)
from tallystick.domain.instant import HOUR, format_instant
from tallystick.domain.publication import Limits
from tallystick.entrypoints.cli.checkpoints import UNSIGNED
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    audit,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.ports import Account
from tallystick.publishers.dry_run import NO_KEY
from tallystick.stages.publishing import ADOPTING, HOLD, PAUSE
from tallystick.stages.recounting import pages
from tallystick.stages.restoring import adopt, begin

CHECKPOINT_AGE_MAX: Final = 2 * HOUR
"""One is taken in every hour in which anything runs."""


def register(app: Cli) -> None:
    app.command(restore)
    app.command(doctor)
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


def doctor(*, store: StoreOption = None, at: AtOption = None, as_json: JsonOption = False) -> int:
    """Check settings, store and provider; say what is wrong and what to do about it.

    Exit code 1 if there is anything.
    """
    with open_app(store, at) as app:
        _say_if_unsigned(app)
        count = show(_findings(app), as_json=as_json, empty="Everything is in order.")
    return NEEDS_A_PERSON if count else CLEAN


def _say_if_unsigned(app: App) -> None:
    """No finding, since a small installation may live with it; but said plainly."""
    last = app.store.checkpoints.last()
    if last is not None and not last.signature:
        say(f"The ledger's checkpoints are {UNSIGNED}.")


def _findings(app: App) -> Iterator[Row]:
    yield from _switch_findings(app)
    yield from _provider_findings(app)
    for account in pages(lambda cursor: app.store.catalog.accounts(cursor=cursor)):
        yield from _account_findings(app, account)
    yield from _checkpoint_findings(app)
    if app.store.dead_letters.list(limit=1).elements:
        yield _finding("dead letters", "reports wait", "tallystick dead-letters list")


def _finding(subject: str, finding: str, advice: str) -> Row:
    return {"subject": subject, "finding": finding, "what_to_do": advice}


def _switch_findings(app: App) -> Iterator[Row]:
    for name, value in app.store.catalog.switches().items():
        kind = name.partition(":")[0]
        if kind == PAUSE:
            yield _finding(name, "publishing is paused", "tallystick resume")
        elif kind == HOLD:
            yield _finding(name, value, "mend the subscription or the terms, then reconcile")
        elif kind == ADOPTING:
            yield _finding(name, "a restore is not finished", "tallystick restore")


def _checkpoint_findings(app: App) -> Iterator[Row]:
    last, signer = app.store.checkpoints.last(), signer_for(app)
    if last is None:
        return
    if app.clock.now() - last.taken_at > CHECKPOINT_AGE_MAX:
        taken_at = format_instant(last.taken_at)
        yield _finding("checkpoints", f"the last is of {taken_at}", "see that serve, or run, runs")
    if signer is not None and last.key_id != signer.key_id:
        advice = "tallystick checkpoints take"
        yield _finding("checkpoints", "the last is not signed by the key that is set", advice)


def _provider_findings(app: App) -> Iterator[Row]:
    if not app.has_provider:
        yield _finding("provider", NO_KEY, "set TALLYSTICK_STRIPE_API_KEY")
        return
    try:
        app.publisher.rejections(app.clock.now() - HOUR)
    except PublisherMisconfigured as error:
        yield _finding("provider", str(error), "check the key and its permissions")
    except PublisherUnavailable as error:
        yield _finding("provider", str(error), "try again; check TALLYSTICK_STRIPE_API_BASE")


def _account_findings(app: App, account: Account) -> Iterator[Row]:
    tenant = account.tenant.id
    if not account.mappings:
        yield _finding(tenant, "no mapping: its usage is held", "tallystick mappings add")
    start = account.tenant.period_at(app.clock.now()).start
    for mapping in account.mappings:
        route = app.publisher.routes.get(mapping.route)
        refuses = mapping.boundary_hour == "refuse"
        if route is not None and route.hourly and refuses and start % HOUR:
            yield _finding(
                f"{tenant}/{mapping.meter}",
                f"its period starts at {format_instant(start)}, inside a UTC hour: an hour meter "
                "cannot hold the two bills apart, so that hour is held",
                "anchor it on a full UTC hour, use a sum meter, or set --boundary-hour",
            )
