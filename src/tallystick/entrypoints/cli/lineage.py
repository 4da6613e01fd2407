"""`trace` and `verify`: from a number back to its events, and whether the ledger is as written."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.ports import Store
from tallystick.stages.recounting import verify
from tallystick.stages.tracing import Lineage, trace


def register(app: Cli) -> None:
    app.command(run_trace, name="trace")
    app.command(run_verify, name="verify")


def run_trace(
    subject: Annotated[str, Parameter(help="A publication's identifier, or a slot's key.")],
    /,
    *,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the events behind a publication (its identifier) or behind a slot's total (its key)."""
    with open_app(store) as app:
        lineage = trace(app.store, subject)
        say(f"{lineage.slot}: {lineage.total}, from {len(lineage.lines)} ledger lines.")
        show(_rows(app.store, lineage), as_json=as_json, empty="No event.")
    return CLEAN


def _rows(store: Store, lineage: Lineage) -> Iterator[Row]:
    for line in lineage.lines:
        entry = line.entry
        for change in line.changes:
            part = change.contribution
            event = store.events.event(part.key.tenant, part.event_key)
            yield {
                "tenant": part.key.tenant,
                "meter": part.key.meter,
                "line": entry.line,
                "kind": entry.kind,
                "slot_gets": line.quantity,
                "event": part.event_key,
                "counts": f"-{part.value}" if change.removed else str(part.value),
                "member": part.member,
                "occurred_at": format_instant(part.occurred_at),
                "quantity": None if event is None else event.quantity,
                "void": change.by,
            }


def run_verify(
    *, store: StoreOption = None, at: AtOption = None, as_json: JsonOption = False
) -> int:
    """Check every hash chain of the ledger; name the first line of each that does not hold.

    Exit code 1 if there is any.
    """
    with open_app(store, at) as app:
        broken = (
            {"tenant": found.tenant, "meter": found.meter, "fault": found.detail}
            for found in verify(app.store, app.clock.now())
        )
        count = show(broken, as_json=as_json, empty="Every chain holds.")
    return NEEDS_A_PERSON if count else CLEAN
