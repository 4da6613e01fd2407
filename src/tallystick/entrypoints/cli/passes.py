"""`run`, `seal`, `publish`, `reconcile`: one pass of the hourly work, or a part of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App, signer_for
from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.instant import format_instant
from tallystick.domain.publication import decide
from tallystick.domain.quantity import ZERO
from tallystick.entrypoints.checking import reconciling_of
from tallystick.entrypoints.cli.checkpoints import take_hourly
from tallystick.entrypoints.cli.context import (
    CLEAN,
    INPUT_ERROR,
    NEEDS_A_PERSON,
    UNAVAILABLE,
    AtOption,
    JsonOption,
    StoreOption,
    audit,
    open_app,
    optional_instant,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.entrypoints.composing import LIMITS, MARK, SENDERS, limits_of, publishing_of
from tallystick.ports import Due
from tallystick.publishers.dry_run import NO_KEY
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import PublishSummary
from tallystick.stages.recounting import pages
from tallystick.stages.sealing import SealSummary, seal


def register(app: Cli) -> None:
    for command in (run, run_seal, run_publish, run_reconcile):
        app.command(command, name=command.__name__.removeprefix("run_") or "run")


def run(*, store: StoreOption = None, at: AtOption = None, as_json: JsonOption = False) -> int:
    """One pass of the hourly work: seal what is due, publish it, compare with the provider, and
    take the hour's checkpoint of the ledger.

    It compares what was published lately and, each hour, some other tenants; `reconcile` compares
    everything. Safe at any time, twice, and at once. Exit code 1: something needs a person; 2: the
    provider does not take our key; 3: the provider is away, and what is due stays due.
    """
    with open_app(store, at) as app, _progress() as on_progress:
        signer_for(app)  # a key that cannot be used stops the run before anything is sent
        if not app.has_provider:
            _tell_sealed(_seal(app, on_progress), as_json=as_json)
            code = take_hourly(app)
            say(f"Nothing was published: {NO_KEY}.")
            return max(code, _show_differences(app, as_json=as_json))
        with ThreadPoolExecutor(SENDERS) as senders:
            done = one_pass(publishing_of(app, senders), limits_of(app), on_progress)
        code = take_hourly(app)
        _tell_sealed(done.sealed, as_json=as_json)
        if done.carried:
            say(f"Carried: {done.carried} quantities that their closed slots never delivered.")
        code = max(code, _tell_published(done.published, as_json=as_json))
        if done.published.paused or done.published.is_stopped or done.published.unread:
            return code
        return max(code, _show_discrepancies(reconciling_of(app).share(), as_json=as_json))


def run_seal(*, store: StoreOption = None, at: AtOption = None, as_json: JsonOption = False) -> int:
    """Write what was counted and is due into the ledger; publish nothing."""
    with open_app(store, at) as app, _progress() as on_progress:
        _tell_sealed(_seal(app, on_progress), as_json=as_json)
    return CLEAN


def run_publish(
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only show what would be sent, and send nothing.")
    ] = False,
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Tell the provider what the ledger says, slot by slot."""
    with open_app(store, at) as app:
        if dry_run or not app.has_provider:
            if not dry_run:
                say(f"Nothing was published: {NO_KEY}.")
            return _show_differences(app, as_json=as_json)
        with ThreadPoolExecutor(SENDERS) as senders, _progress() as on_progress:
            summary = publishing_of(app, senders).run(on_progress, patient=False)
        return _tell_published(summary, as_json=as_json)


def run_reconcile(
    *,
    repair: Annotated[
        bool,
        Parameter(negative="", help="Have absolute slots that changed at the provider set again."),
    ] = False,
    why: Annotated[str, Parameter(help="For the audit trail: why it is repaired.")] = "",
    since: Annotated[
        str | None,
        Parameter(help="Compare bills that end after this instant; else those of 40 days."),
    ] = None,
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Compare events, Aggregates, ledger, provider and invoices, and list each difference.

    Exit code 1 if there is any.
    """
    with open_app(store, at) as app:
        reconciling = replace(reconciling_of(app), since=optional_instant("--since", since))
        if not app.has_provider:
            say(f"Only our own half was compared: {NO_KEY}.")
        elif reconciling.leaves_out():
            left_out = format_instant(reconciling.compared_from)
            say(f"Bills that ended by {left_out} are left out (--since compares them).")
        found = reconciling.everything() if app.has_provider else reconciling.our_half()
        code = _show_discrepancies(found, as_json=as_json, empty="No difference.")
        if repair:
            line = audit(app, "repair", "slots", who=None, why=why or "reconcile --repair")
            app.store.catalog.switch("repaired", format_instant(line.at), line)
            say(f"Repaired: {reconciling.repair()} slots are set again by the next publish.")
    return code


def _show_discrepancies(found: Iterator[Discrepancy], *, as_json: bool, empty: str = "") -> int:
    return (
        NEEDS_A_PERSON
        if show(map(_discrepancy_row, found), as_json=as_json, empty=empty)
        else CLEAN
    )


def _seal(app: App, on_progress: Callable[[int], None]) -> SealSummary:
    routes = app.publisher.routes
    return seal(app.store, routes, app.clock.now(), limits=limits_of(app), on_progress=on_progress)


def _tell_sealed(sealed: SealSummary, *, as_json: bool) -> None:
    if as_json:
        row = {"entries": sealed.entries, "held": sealed.held, "looked_at": sealed.looked_at}
        show([{"step": "seal", **row}], as_json=True)
        return
    held = f", {sealed.held} of them held" if sealed.held else ""
    say(f"Sealed: {sealed.entries} entries of {sealed.looked_at} aggregates{held}.")


def _tell_published(summary: PublishSummary, *, as_json: bool) -> int:
    if as_json:
        show([_published_row(summary)], as_json=True)
    else:
        _say_published(summary)
    if summary.denied:
        return INPUT_ERROR
    if summary.stuck:
        return NEEDS_A_PERSON
    return CLEAN if summary.is_clean else UNAVAILABLE


def _published_row(summary: PublishSummary) -> Row:
    return {
        "step": "publish",
        "outcomes": {str(what): count for what, count in summary.outcomes.items() if count},
        "stuck": summary.stuck,
        "denied": summary.denied,
        "unread": summary.unread,
        "paused": summary.paused,
        "stopped": summary.is_stopped,
    }


def _say_published(summary: PublishSummary) -> None:
    if summary.paused:
        say("Publishing is paused (`tallystick resume`, or finish the restore).")
    counts = ", ".join(f"{n} {what}" for what, n in summary.outcomes.items() if n and what != MARK)
    say(f"Published: {counts or 'nothing was due'}.")
    for subject, why in summary.stuck.items():
        say(f"Needs a person: {subject}: {why}")
    if summary.denied:
        say(f"The provider refuses us: {summary.denied}")
    elif summary.is_stopped:
        say("The provider is away; what is due stays due for the next pass.")
    if summary.unread:
        say(f"Could not be read back: {summary.unread}")


def _show_differences(app: App, *, as_json: bool) -> int:
    due = pages(lambda cursor: app.store.outbox.slots_due(cursor=cursor))
    show(_difference_rows(app, due), as_json=as_json, empty="Nothing is due.")
    return CLEAN


def _difference_rows(app: App, due: Iterator[Due]) -> Iterator[Row]:
    now, routes = app.clock.now(), app.publisher.routes
    for one in due:
        slot = one.slot
        confirmed = ZERO if slot.confirmed is None else slot.confirmed
        yield {
            "slot": str(slot.key),
            "total": slot.total,
            "confirmed": confirmed,
            "difference": slot.total - confirmed,
            "next": str(decide(slot, one.current, routes[slot.key.route], LIMITS, now)),
        }


def _discrepancy_row(found: Discrepancy) -> Row:
    return {
        "kind": str(found.kind),
        "subject": found.subject,
        "ours": found.ours,
        "theirs": found.theirs,
        "difference": found.difference,
        "detail": found.detail,
    }


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr where somebody looks."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.completed} looked at"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.advance(task, count)
