"""`tallystick serve`: the HTTP API and the hourly loop, in one process."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App
from tallystick.domain.api_key import Scope
from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.checking import Checks
from tallystick.entrypoints.cli.checkpoints import checkpointed
from tallystick.entrypoints.cli.context import CLEAN, StoreOption, audit, open_app
from tallystick.entrypoints.cli.hourly import pass_of
from tallystick.entrypoints.cli.tables import say
from tallystick.entrypoints.composing import SENDERS
from tallystick.entrypoints.issuing import issued
from tallystick.entrypoints.logs import logging_to, note
from tallystick.entrypoints.running import Running
from tallystick.entrypoints.tracing import tracing
from tallystick.entrypoints.worker import HourlyLoop

HOST: Final = "127.0.0.1"
PORT: Final = 8750


def register(app: Cli) -> None:
    app.command(serve)


def serve(
    *,
    host: Annotated[str, Parameter(help="Where it listens; 0.0.0.0 for every network.")] = HOST,
    port: Annotated[int, Parameter(help="0 takes one that is free.")] = PORT,
    store: StoreOption = None,
) -> int:
    """Take events over HTTP, and seal and publish every hour, until SIGTERM or Ctrl-C.

    What is missed while it is off is caught up at the start. At the first start an admin key is
    made and shown once. Several may run on one store. Exit code 3: the store was lost in the middle
    of a write; start it again.
    """
    from tallystick.entrypoints.http.api import build_api  # noqa: PLC0415  (only this needs it)
    from tallystick.entrypoints.http.server import listen, run_server  # noqa: PLC0415
    from tallystick.entrypoints.http.service import service_for  # noqa: PLC0415

    with open_app(store, create=True) as app, ExitStack() as open_things:
        listening = open_things.enter_context(listen(host, port))
        running = _running(app, open_things)
        checks = Checks(app, lambda told, error: note(logging.ERROR, told, error=repr(error)))
        hourly = _hourly(app, open_things, running, checks)
        _make_first_key(app)
        if not app.has_provider:
            say("Nothing will be published: set TALLYSTICK_STRIPE_API_KEY for that.")
        hourly.start()
        open_things.callback(hourly.stop)
        address, port_taken = listening.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        say(f"Tallystick answers at http://{shown}:{port_taken}")
        service = service_for(app, hourly=hourly, running=running, checks=checks)
        run_server(build_api(service), listening, running)
    return CLEAN


def _running(app: App, open_things: ExitStack) -> Running:
    settings = app.settings
    spans = open_things.enter_context(tracing(settings.otel_asked))
    log = logging_to(sys.stderr.fileno(), settings.log_level, settings.log_format)
    writing = open_things.enter_context(log)
    return Running(spans, lambda: writing.dropped)


def _hourly(app: App, open_things: ExitStack, running: Running, checks: Checks) -> HourlyLoop:
    senders = open_things.enter_context(ThreadPoolExecutor(SENDERS))
    one_pass = checkpointed(app, pass_of(app, senders, checks))
    if running.spans is not None:
        one_pass = running.spans.around_pass(one_pass)
    return HourlyLoop(one_pass, app.clock, grace=app.settings.grace, on_lost=running.lose)


def _make_first_key(app: App) -> None:
    """Shown once, or where a log keeps all that is shown, written to a file of its owner alone."""
    key, text = issued([Scope.ADMIN], app.clock.now())
    line = audit(app, "keys create", key.id, who=None, why="the first start")
    place = app.settings.first_key_file
    if app.store.keys.list():
        return
    if place:
        _write_secret(Path(place), text)
    if app.store.keys.add(key, line, only_first=True):
        say(f"The first admin key{f' is in {place}' if place else f', shown only now: {text}'}")
    elif place:
        Path(place).unlink()  # another server was quicker, and its key opens the doors


def _write_secret(path: Path, text: str) -> None:
    """A new file that only its owner reads; InvalidSetting where that cannot be."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        reason = f"TALLYSTICK_FIRST_KEY_FILE: {path} cannot be made: {error}"
        raise InvalidSetting(reason) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
