"""`tallystick dead-letters`: reports that could not be counted, and giving them another try.

On AWS also messages that could not be delivered: they lie in the stack's dead-letter queues.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import NotFound
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    WhyOption,
    intake,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.entrypoints.cli.undelivered import (
    QueueOption,
    replay_undelivered,
    undelivered_rows,
)
from tallystick.entrypoints.composing import replay_everything
from tallystick.ports import DeadLetters
from tallystick.stages.recounting import pages

TenantOption = Annotated[str, Parameter(help="Only this tenant's.")]
WaitsOption = Annotated[
    str, Parameter(name="--waits-for", help="Only those waiting for this: tenant:UA, code:flight.")
]


def register(app: App) -> None:
    group = App(name="dead-letters", help="Reports that could not be counted.")
    group.command(list_letters, name="list")
    group.command(replay_letters, name="replay")
    group.command(dismiss)
    app.command(group)


def list_letters(
    *,
    tenant: TenantOption = "",
    waits_for: WaitsOption = "",
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Also those replayed already.")
    ] = False,
    queue: QueueOption = (),
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List dead letters, oldest first, with what is wrong and what to do. Exit code 1 if any.

    On AWS also the messages in dead-letter queues, unless a tenant or a wait is asked for.
    """
    with open_app(store) as app:
        found = letters(app.store.dead_letters, tenant, waits_for, open_only=not everything)
        rows: Iterator[Row] = map(_full_row if as_json else _row, found)
        if not (tenant or waits_for):
            rows = chain(rows, undelivered_rows(app, queue, as_json=as_json))
        count = show(rows, as_json=as_json, empty="No dead letters.")
    return NEEDS_A_PERSON if count else CLEAN


def replay_letters(
    letter_id: str = "",
    /,
    *,
    tenant: TenantOption = "",
    waits_for: WaitsOption = "",
    queue: QueueOption = (),
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Give open dead letters another try: all, or one by its id. Exit code 1 if any remains.

    On AWS also the messages in dead-letter queues, unless a tenant or a wait is asked for; what
    still cannot be counted becomes a dead letter with its reason.
    """
    with open_app(store, at) as app:
        became = replay_everything(
            intake(app), app.clock.now(), tenant=tenant, waits_for=waits_for, letter_id=letter_id
        )
        if not (tenant or waits_for):
            became += replay_undelivered(app, queue, letter_id)
    if letter_id and not became:
        raise NotFound(f"there is no open dead letter {letter_id!r} that could be replayed")
    kinds = ("recorded", "duplicate", "late", "conflict", "onboarded", "still_dead")
    show([{kind: became[kind] for kind in kinds}], as_json=as_json)
    return NEEDS_A_PERSON if became["still_dead"] or became["conflict"] else CLEAN


def dismiss(
    *letter_ids: Annotated[str, Parameter(help="As `dead-letters list` shows them.")],
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Close dead letters that will never be counted: corrected in another report, or meant so.

    They are kept, with who and why, and listed by --all.
    """
    with open_app(store, at) as app:
        became = f"dismissed by {who or app.settings.user}: {why}"
        take, now = app.store.dead_letters.take, app.clock.now()
        closed = [letter for letter in letter_ids if take(letter, became, now)]
    absent = [letter for letter in letter_ids if letter not in closed]
    if absent or not letter_ids:
        raise NotFound(f"there is no open dead letter {', '.join(absent)!r}")
    say(f"{len(closed)} dead letters are closed")
    return CLEAN


def letters(
    port: DeadLetters, tenant: str, waits_for: str, *, open_only: bool
) -> Iterator[DeadLetter]:
    """All letters, page by page."""
    return pages(
        lambda cursor: port.list(
            tenant=tenant, waits_for=waits_for, open_only=open_only, cursor=cursor
        )
    )


def _row(letter: DeadLetter) -> Row:
    return {
        "id": letter.id,
        "reason": str(letter.reason),
        "tenant": letter.tenant,
        "origin": letter.origin,
        "received": format_instant(letter.received_at),
        "what is wrong": "; ".join(error.detail for error in letter.errors),
        "became": letter.replayed_as,
    }


def _full_row(letter: DeadLetter) -> Row:
    errors = [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in letter.errors]
    replayed_at = None if letter.replayed_at is None else format_instant(letter.replayed_at)
    return {
        "id": letter.id,
        "reason": str(letter.reason),
        "tenant": letter.tenant,
        "waits_for": letter.waits_for,
        "origin": letter.origin,
        "received_at": format_instant(letter.received_at),
        "errors": errors,
        "body": letter.body,
        "replayed_at": replayed_at,
        "replayed_as": letter.replayed_as,
    }
