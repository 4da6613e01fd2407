"""`trace` and `verify`: from a number back to its events, and whether the ledger is as written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import verdicts_for
from tallystick.domain.checkpoint import Verdict
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import format_instant
from tallystick.domain.tampering import Evidence
from tallystick.entrypoints.cli.checkpoints import UNSIGNED
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    open_app,
)
from tallystick.entrypoints.cli.copies import read_copy
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.ports import Store
from tallystick.stages.tracing import Lineage, trace
from tallystick.stages.verifying import evidence_for, verify


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
    *,
    checkpoints: Annotated[
        Path | None, Parameter(help="A copy of the checkpoints that was kept elsewhere.")
    ] = None,
    public_keys: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--public-key",
            negative="",
            help="What they must be signed by (PEM). Repeatable, for a key that was changed.",
        ),
    ] = (),
    store: StoreOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check the ledger against its hash chains and its checkpoints; name the first line of each
    chain that is not as it was written.

    Exit code 1 if there is any.
    """
    with open_app(store, at) as app:
        copy = () if checkpoints is None else read_copy(checkpoints)
        verdict_of = verdicts_for(app, map(_read_key, public_keys))
        evidence = evidence_for(app.store, copy, verdict_of)
        _say_what_was_checked(evidence, is_judged=verdict_of is not None)
        broken = (
            {"tenant": found.tenant, "meter": found.meter, "fault": found.detail}
            for found in verify(app.store, app.clock.now(), evidence)
        )
        count = show(broken, as_json=as_json, empty="Every chain holds.")
    return NEEDS_A_PERSON if count else CLEAN


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"--public-key {path}: cannot be read: {error}") from error


def _say_what_was_checked(evidence: Evidence, *, is_judged: bool) -> None:
    if not evidence.hashes:
        say("There is no checkpoint: only what was changed and not hashed anew can be found.")
        return
    read, unsigned = len(evidence.hashes), evidence.verdicts[Verdict.UNSIGNED]
    say(f"{read} checkpoints were read; the last is number {max(evidence.hashes)}.")
    if unsigned:
        say(f"Some are {UNSIGNED}.")
    if not is_judged and unsigned < sum(evidence.verdicts.values()):
        say("Signatures were not checked: name the public key with --public-key.")
