"""`tallystick usage`: what was counted, by tenant, meter and window."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import EARLIEST, LATEST, format_instant
from tallystick.domain.window import Window
from tallystick.entrypoints.cli.context import (
    CLEAN,
    JsonOption,
    StoreOption,
    known_tenant,
    open_app,
    optional_instant,
)
from tallystick.entrypoints.cli.meters import known_meter
from tallystick.entrypoints.cli.tables import Row, show
from tallystick.stages.totalling import By, Total, totals


def register(app: App) -> None:
    app.command(usage)


def usage(
    *,
    tenant: Annotated[str, Parameter(help="Only this tenant's.")] = "",
    meter: Annotated[str, Parameter(help="Only this meter's.")] = "",
    start: Annotated[
        str | None, Parameter(name="--from", help="Windows that end after it (RFC 3339).")
    ] = None,
    end: Annotated[
        str | None, Parameter(name="--to", help="Windows that start before it (RFC 3339).")
    ] = None,
    by: Annotated[
        By, Parameter(help="The meter's own window, the tenant's day, its period, or all in one.")
    ] = By.PERIOD,
    groups: Annotated[
        bool, Parameter(negative="", help="Also each set of dimension values.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show what was counted. Longer spans add sums up, and fold everything else again."""
    window = _window(optional_instant("--from", start), optional_instant("--to", end))
    with open_app(store) as app:
        if tenant:
            known_tenant(app.store, tenant)
        if meter:
            known_meter(app.store.catalog, meter)
        found = totals(app.store, by, tenant=tenant, meter=meter, window=window, groups=groups)
        show(_rows(found, groups=groups), as_json=as_json, empty="Nothing was counted yet.")
    return CLEAN


def _window(start: int | None, end: int | None) -> Window | None:
    if start is None and end is None:
        return None
    try:
        return Window(EARLIEST if start is None else start, LATEST if end is None else end)
    except ValueError as error:
        raise InvalidSetting("--from must be before --to") from error


def _rows(found: Iterator[Total], *, groups: bool) -> Iterator[Row]:
    for total in found:
        row: dict[str, object] = {"tenant": total.tenant, "meter": total.meter}
        if groups:
            row["group"] = total.group
        yield row | {
            "start": format_instant(total.span.start),
            "end": format_instant(total.span.end),
            "quantity": total.quantity,
            "events": total.events,
        }
