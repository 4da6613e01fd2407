"""`tallystick checkpoints`: where the ledger's chains ended, hour by hour, to be kept elsewhere."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App, signer_for
from tallystick.domain.checkpoint import Checkpoint, Taken
from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli.context import (
    CLEAN,
    NEEDS_A_PERSON,
    AtOption,
    JsonOption,
    StoreOption,
    open_app,
)
from tallystick.entrypoints.cli.copies import OWNER_ONLY, catch_up, text_of
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.entrypoints.worker import Passed
from tallystick.signing import new_key_pair
from tallystick.stages.checkpointing import kept, listed, take

UNSIGNED: Final = (
    "unsigned: who can write the store can make them anew (TALLYSTICK_CHECKPOINT_KEY_FILE signs)"
)


def register(app: Cli) -> None:
    group = Cli(name="checkpoints", help="Where the ledger's chains ended, to be kept elsewhere.")
    group.command(run_take, name="take")
    group.command(list_checkpoints, name="list")
    group.command(export)
    group.command(new_key)
    app.command(group)


def run_take(*, store: StoreOption = None, at: AtOption = None) -> int:
    """Take a checkpoint now, print its line, and append it to TALLYSTICK_CHECKPOINT_COPY if set.

    `serve` and `run` take one in every hour by themselves.
    """
    with open_app(store, at) as app:
        found = take(app.store, app.clock.now(), grace=app.settings.grace, signer=signer_for(app))
        if found is None:
            say("Nothing was taken: there is no chain yet, or another program took one just now.")
            return NEEDS_A_PERSON
        trouble = catch_up(app)
    if trouble:
        say(f"Needs a person: {trouble}")
    if not found.checkpoint.signature:
        say(f"It is {UNSIGNED}.")
    print(text_of(found))
    return NEEDS_A_PERSON if trouble else CLEAN


def take_hourly(app: App) -> int:
    """The hour's checkpoint, where none was taken yet, and the copy brought up to date: for `run`.
    An exit code; what needs a person is said."""
    trouble = _taken_hourly(app)
    if trouble:
        say(f"Needs a person: {trouble}")
    return NEEDS_A_PERSON if trouble else CLEAN


def _taken_hourly(app: App) -> str:
    now, signer = app.clock.now(), signer_for(app)
    take(app.store, now, grace=app.settings.grace, signer=signer, only_if_due=True)
    return catch_up(app)


def checkpointed(app: App, one_pass: Callable[[], Passed]) -> Callable[[], Passed]:
    """The pass, and after it the hour's checkpoint. A key that cannot be used stops the start."""
    signer_for(app)

    def whole() -> Passed:
        done = one_pass()
        trouble = _taken_hourly(app)
        more = {"checkpoint_copy": trouble} if trouble else {}
        return replace(done, trouble={**done.trouble, **more})

    return whole


def list_checkpoints(*, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List all checkpoints, without the chains' ends."""
    with open_app(store) as app:
        show(
            map(_row, listed(app.store)),
            as_json=as_json,
            empty="No checkpoint yet; `tallystick checkpoints take` takes one.",
        )
    return CLEAN


def export(
    *,
    after: Annotated[int, Parameter(help="Only those with a greater number.")] = 0,
    brief: Annotated[
        bool,
        Parameter(negative="", help="Leave out the chains' ends: small, and names no chain."),
    ] = False,
    store: StoreOption = None,
) -> int:
    """Print the checkpoints, one JSON object a line, for a file that is kept elsewhere.

    `tallystick verify --checkpoints FILE` compares the ledger with it.
    """
    with open_app(store) as app:
        for one in kept(app.store, after):
            print(text_of(Taken(one.checkpoint) if brief else one))
    return CLEAN


def new_key(
    file: Annotated[Path, Parameter(help="A new file for the private key; only you may read it.")],
    /,
) -> int:
    """Make a key that signs checkpoints, and print its public half, which verifies them.

    Keep the private key from whoever may write the store, and the public one with the copies.
    """
    private, public = new_key_pair()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(private)
    except OSError as error:
        raise InvalidSetting(f"{file}: cannot be written: {error.strerror}") from error
    say(f"The private key is in {file}: set TALLYSTICK_CHECKPOINT_KEY_FILE to it. The public key:")
    print(public, end="")
    return CLEAN


def _row(checkpoint: Checkpoint) -> Row:
    return {
        "number": checkpoint.number,
        "taken": format_instant(checkpoint.taken_at),
        "chains": checkpoint.chains,
        "moved": checkpoint.moved,
        "hash": checkpoint.hash,
        "key": checkpoint.key_id,
        "incarnation": checkpoint.incarnation,
    }
