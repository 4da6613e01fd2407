"""`tallystick tenants`: who is billed, in which time zone, by which billing period."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import HOUR, format_instant, parse_instant
from tallystick.domain.period import Interval, parse_interval
from tallystick.domain.tenant import (
    Tenant,
    Terms,
    check_name,
    check_zone,
    day_start,
    with_terms,
)
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    count_waiting,
    known_tenant,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.ports import Account, Catalog
from tallystick.stages.recounting import pages


def register(app: App) -> None:
    group = App(name="tenants", help="Who is billed.")
    group.command(add)
    group.command(list_tenants, name="list")
    group.command(show_tenant, name="show")
    app.command(group)


def add(
    tenant: Annotated[str, Parameter(help="What reports call it.")],
    /,
    *,
    name: Annotated[str | None, Parameter(help="What people call it.")] = None,
    zone: Annotated[str | None, Parameter(help="IANA time zone; UTC if not given.")] = None,
    anchor: Annotated[
        str | None,
        Parameter(help="A billing period's start: RFC 3339, or a date (midnight in the zone)."),
    ] = None,
    interval: Annotated[
        str | None, Parameter(help="month, year, '3 months', …; month if not given.")
    ] = None,
    why: WhyOption = "added",
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Add a tenant, or change one: new terms hold from its next billing period.

    Dead letters that waited for the tenant are counted.
    """
    check_name("tenant", tenant)
    with open_app(store, at, create=True) as app:
        now = app.clock.now()
        account = app.store.catalog.account(tenant)
        before = None if account is None else account.tenant
        terms = _terms(zone, anchor, interval, None if before is None else before.versions[-1])
        after = _changed(tenant, name, terms, before, now)
        if after == before:
            say(f"tenant {tenant!r} is so already")
        else:
            line = audit(app, "tenants add", tenant, who=who, why=why)
            app.store.catalog.save(after, line)
            _say_what_holds(after, before)
        count_waiting(app, f"tenant:{tenant}")
    return CLEAN


def _changed(
    tenant: str, name: str | None, terms: Terms, before: Tenant | None, now: int
) -> Tenant:
    if before is None:
        return Tenant(id=tenant, name=name or "", versions=(terms,))
    after = with_terms(before, terms, now)
    return after if name is None else replace(after, name=name)


def _terms(
    zone: str | None, anchor: str | None, interval: str | None, known: Terms | None
) -> Terms:
    """The terms that the options give; what they leave out stays as it is."""
    base = known or Terms()
    in_zone = base.zone if zone is None else check_zone(zone)
    return replace(
        base,
        zone=in_zone,
        anchor=base.anchor if anchor is None else _anchor(anchor, in_zone),
        interval=base.interval if interval is None else _interval(interval),
    )


def _anchor(text: str, zone: str) -> int:
    try:
        return day_start(zone, date.fromisoformat(text)) if len(text) == 10 else parse_instant(text)
    except (ValueError, OverflowError) as error:
        raise InvalidSetting(f"--anchor: {text!r} is no date and no RFC 3339 time") from error


def _interval(text: str) -> Interval:
    try:
        return parse_interval(text)
    except ValueError as error:
        raise InvalidSetting(f"--interval: {error}") from error


def _say_what_holds(tenant: Tenant, before: Tenant | None) -> None:
    latest = tenant.versions[-1]
    if before is None:
        say(f"tenant {tenant.id!r} is added: {latest.interval} in {latest.zone}")
    elif tenant.versions != before.versions:
        say(f"the new terms of {tenant.id!r} hold from {format_instant(latest.effective_from)}")
    else:
        say(f"tenant {tenant.id!r} is changed")
    if latest.anchor % HOUR:
        say(
            "its periods start inside a UTC hour: for a Stripe hour meter choose an anchor on a "
            "full hour, or a sum meter, or --boundary-hour when you map it"
        )


def list_tenants(
    *, store: StoreOption = None, at: AtOption = None, as_json: JsonOption = False
) -> int:
    """List all tenants with the terms that hold now."""
    with open_app(store, at) as app:
        now = app.clock.now()
        rows = (_row(account, now) for account in accounts(app.store.catalog))
        show(rows, as_json=as_json, empty="No tenants yet; `tallystick tenants add ID` makes one.")
    return CLEAN


def accounts(catalog: Catalog) -> Iterator[Account]:
    """All tenants with their mappings, page by page."""
    return pages(lambda cursor: catalog.accounts(cursor=cursor))


def _row(account: Account, now: int) -> Row:
    tenant = account.tenant
    terms = tenant.terms_at(now)
    period = tenant.period_at(now)
    return {
        "tenant": tenant.id,
        "name": tenant.name,
        "zone": terms.zone,
        "interval": str(terms.interval),
        "period_start": format_instant(period.start),
        "period_end": format_instant(period.end),
        "mappings": len(account.mappings),
    }


def show_tenant(
    tenant: Annotated[str, Parameter(help="Which tenant.")],
    /,
    *,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show all versions of a tenant's terms."""
    with open_app(store) as app:
        found = known_tenant(app.store, tenant).tenant
    rows = [
        {
            "tenant": found.id,
            "name": found.name,
            "from": format_instant(terms.effective_from),
            "zone": terms.zone,
            "anchor": format_instant(terms.anchor),
            "interval": str(terms.interval),
        }
        for terms in found.versions
    ]
    show(rows, as_json=as_json)
    return CLEAN
