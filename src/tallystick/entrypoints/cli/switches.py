"""`tallystick pause` and `resume`: stop publishing, for one tenant or for all. Counting goes on."""

from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.instant import format_instant
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    known_tenant,
    open_app,
)
from tallystick.entrypoints.cli.tables import say
from tallystick.ports import Store
from tallystick.stages.publishing import PAUSE

TenantOption = Annotated[str, Parameter(help="Only this tenant; all if not given.")]


def register(app: App) -> None:
    app.command(pause)
    app.command(resume)


def pause(
    tenant: TenantOption = "",
    *,
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Send nothing more to the provider until `resume`. Events are counted and sealed as ever."""
    with open_app(store, at) as app:
        switch = _switch(app.store, tenant)
        since = format_instant(app.clock.now())
        line = audit(app, "pause", tenant or "all", who=who, why=why)
        app.store.catalog.switch(switch, since, line)
    say(f"publishing is paused for {tenant or 'all tenants'}; `tallystick resume` ends it")
    return CLEAN


def resume(
    tenant: TenantOption = "",
    *,
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Send to the provider again, what has piled up included."""
    with open_app(store, at) as app:
        switch = _switch(app.store, tenant)
        if switch not in app.store.catalog.switches():
            say(f"publishing is not paused for {tenant or 'all tenants'}")
            return CLEAN
        line = audit(app, "resume", tenant or "all", who=who, why=why)
        app.store.catalog.switch(switch, None, line)
    say(f"publishing goes on for {tenant or 'all tenants'}")
    return CLEAN


def _switch(store: Store, tenant: str) -> str:
    if not tenant:
        return PAUSE
    known_tenant(store, tenant)
    return f"{PAUSE}:{tenant}"
