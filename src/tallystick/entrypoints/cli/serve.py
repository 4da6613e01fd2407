"""`tallystick serve`: the HTTP API and the hourly loop, in one process."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Annotated, Final

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import App
from tallystick.domain.api_key import Scope
from tallystick.entrypoints.cli.context import CLEAN, StoreOption, audit, open_app
from tallystick.entrypoints.cli.keys import issued
from tallystick.entrypoints.cli.passes import SENDERS, limits_of, publishing_of
from tallystick.entrypoints.cli.tables import say
from tallystick.entrypoints.worker import HourlyLoop
from tallystick.stages.passing import one_pass
from tallystick.stages.sealing import seal

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
    made and shown once. Several may run on one store.
    """
    from tallystick.entrypoints.http.api import build_api  # noqa: PLC0415  (only this needs it)
    from tallystick.entrypoints.http.server import listen, run_server  # noqa: PLC0415
    from tallystick.entrypoints.http.service import service_for  # noqa: PLC0415

    with open_app(store, create=True) as app, ExitStack() as open_things:
        listening = open_things.enter_context(listen(host, port))
        senders = open_things.enter_context(ThreadPoolExecutor(SENDERS))
        hourly = HourlyLoop(pass_of(app, senders), app.clock, grace=app.settings.grace)
        _make_first_key(app)
        hourly.start()
        open_things.callback(hourly.stop)
        address, port_taken = listening.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        say(f"Tallystick answers at http://{shown}:{port_taken}")
        run_server(build_api(service_for(app, {"hourly loop": hourly.trouble})), listening)
    return CLEAN


def pass_of(app: App, senders: ThreadPoolExecutor) -> Callable[[], bool]:
    """One pass as this store is set up; it says whether something is still due.

    The publisher is made here and now, so that a key that cannot be used stops the start.
    """
    publishing, limits = publishing_of(app, senders), limits_of(app)

    def whole_pass() -> bool:
        one_pass(publishing, limits)
        return bool(app.store.outbox.slots_due(limit=1).elements)

    def only_seal() -> bool:
        seal(app.store, app.publisher.routes, app.clock.now(), limits=limits)
        return False

    if app.has_provider:
        return whole_pass
    say("Nothing will be published: set TALLYSTICK_STRIPE_API_KEY for that.")
    return only_seal


def _make_first_key(app: App) -> None:
    key, text = issued(app, [Scope.ADMIN])
    line = audit(app, "keys create", key.id, who=None, why="the first start")
    if app.store.keys.add(key, line, only_first=True):
        say(f"The first admin key, shown only now: {text}")
