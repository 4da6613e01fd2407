"""`stripe setup`, `stripe allow-live` and `sandbox stripe`."""

from typing import Annotated

from cyclopts import App as Cli
from cyclopts import Parameter

from tallystick.bootstrap import LIVE_KEY, stripe_of
from tallystick.domain.instant import SECOND
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    open_app,
    optional_instant,
)
from tallystick.entrypoints.cli.tables import say


def register(app: Cli) -> None:
    stripe = Cli(name="stripe", help="Make Stripe ready.")
    stripe.command(setup)
    stripe.command(allow_live)
    app.command(stripe)
    sandbox = Cli(name="sandbox", help="Stand-ins for providers, to bill offline.")
    sandbox.command(sandbox_stripe, name="stripe")
    app.command(sandbox)


def setup(
    event_name: Annotated[str, Parameter(help="The meter's event name at Stripe.")],
    /,
    *,
    display_name: Annotated[str, Parameter(help="What people see at Stripe.")] = "",
    sum_meter: Annotated[
        bool, Parameter(negative="", help="A meter that adds up, where hours will not do.")
    ] = False,
    store: StoreOption = None,
) -> int:
    """Find or make Stripe's meter of an event name, by default one of hour windows."""
    from tallystick.publishers.stripe.setup import MeterKind  # noqa: PLC0415

    with open_app(store, create=True) as app:
        kind = MeterKind.SUM if sum_meter else MeterKind.HOUR
        found = stripe_of(app).setup_meter(display_name or event_name, event_name, kind)
    say(f"Meter {found.meter} ({found.kind}): {'made' if found.created else 'was there'}.")
    return CLEAN


def allow_live(*, why: WhyOption, who: WhoOption = None, store: StoreOption = None) -> int:
    """Say once that this store may bill real customers with a live key."""
    with open_app(store, create=True) as app:
        line = audit(app, "allow live key", "stripe", who=who, why=why)
        app.store.catalog.switch(LIVE_KEY, "yes", line)
    say("Live keys are allowed for this store from now on.")
    return CLEAN


def sandbox_stripe(
    *,
    port: Annotated[int, Parameter(help="Where it listens, on 127.0.0.1.")] = 12111,
    seed: Annotated[int, Parameter(help="Draws the faults that are ordered by rate.")] = 0,
    state_file: Annotated[str | None, Parameter(help="Remember everything in this file.")] = None,
    at: AtOption = None,
) -> int:
    """Serve the stand-in for Stripe until interrupted."""
    from tallystick.sandbox import run  # noqa: PLC0415

    begins = optional_instant("--at", at)
    run(
        port=port,
        at=None if begins is None else begins // SECOND,
        seed=seed,
        state_file=state_file,
        announce=lambda url: say(f"The Stripe sandbox answers at {url}"),
    )
    return CLEAN
