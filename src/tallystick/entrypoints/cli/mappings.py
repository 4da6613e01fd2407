"""`tallystick mappings`: through what a tenant's meter is billed, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import EARLIEST, HOUR, floor_hour, format_instant
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import WHOLE, group_of
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    known_tenant,
    open_app,
    optional_instant,
)
from tallystick.entrypoints.cli.meters import known_meter
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.entrypoints.cli.tenants import accounts
from tallystick.ports import Store
from tallystick.publishers import HOUR_METER, SUM_METER, USAGE_RECORD


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class StripeOptions:
    """Where at Stripe the quantity goes."""

    stripe_subscription_item: Annotated[
        str | None, Parameter(help="si_…: legacy usage records on this item.")
    ] = None
    stripe_customer: Annotated[
        str | None, Parameter(help="cus_…: meter events of this customer.")
    ] = None
    event_name: Annotated[str | None, Parameter(help="The Stripe meter's event name.")] = None
    sum_meter: Annotated[
        bool, Parameter(negative="", help="The Stripe meter has no hourly window: it adds up.")
    ] = False

    def target(self) -> tuple[str, str, str]:
        """(route, destination, counter). InvalidSetting says which option is missing."""
        item, customer = self.stripe_subscription_item, self.stripe_customer
        if (item is None) is (customer is None):
            raise InvalidSetting(
                "give --stripe-customer or --stripe-subscription-item, one of them"
            )
        if item is not None:
            if self.event_name is not None or self.sum_meter:
                raise InvalidSetting("--event-name and --sum-meter go with --stripe-customer")
            return USAGE_RECORD.name, _prefixed("--stripe-subscription-item", item, "si_"), ""
        if not self.event_name:
            raise InvalidSetting("--stripe-customer also needs the meter's --event-name")
        route = SUM_METER if self.sum_meter else HOUR_METER
        return route.name, _prefixed("--stripe-customer", customer or "", "cus_"), self.event_name


NO_TARGET: Final = StripeOptions()


def register(app: App) -> None:
    group = App(name="mappings", help="Through what a tenant's meter is billed.")
    group.command(add)
    group.command(list_mappings, name="list")
    app.command(group)


def add(
    tenant: Annotated[str, Parameter(help="Whose usage.")],
    meter: Annotated[str, Parameter(help="Which meter's.")],
    *,
    stripe: StripeOptions = NO_TARGET,
    group: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="DIMENSION=VALUE; the whole if not given. Repeatable."),
    ] = (),
    publish_from: Annotated[
        str | None, Parameter(help="Windows that start before it are never sent; now if not given.")
    ] = None,
    boundary_hour: Annotated[
        Literal["refuse", "previous", "next"],
        Parameter(help="A UTC hour in which a billing period starts: held, or billed in one."),
    ] = "refuse",
    why: WhyOption = "added",
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Bill a tenant's meter through Stripe. What was held for want of a mapping is released.

    A changed mapping holds from the next full hour.
    """
    route, destination, counter = stripe.target()
    with open_app(store, at) as app:
        now = app.clock.now()
        account = known_tenant(app.store, tenant)
        known_meter(app.store.catalog, meter)
        since = optional_instant("--publish-from", publish_from)
        wanted = Mapping(
            tenant=tenant,
            meter=meter,
            group=_group(group),
            route=route,
            destination=destination,
            counter=counter,
            publish_from=now if since is None else since,
            boundary_hour=boundary_hour,
        )
        _check_boundary_hour(app.store, wanted)
        added = _next_version(wanted, account.mappings, now, keep_start=since is None)
        if added is None:
            say(f"{meter!r} of {tenant!r} is mapped so already")
            return CLEAN
        line = audit(app, "mappings add", f"{tenant}/{meter}", who=who, why=why)
        app.store.catalog.save(added, line)
    say(f"{meter!r} of {tenant!r} goes to {destination}, from {format_instant(added.publish_from)}")
    return CLEAN


def _check_boundary_hour(store: Store, wanted: Mapping) -> None:
    """Who shares a customer and a meter shares its slots, so a cut hour has one bill for all."""
    if wanted.boundary_hour == "refuse":
        return
    for account in accounts(store.catalog):
        for mapping in account.mappings:
            if _opposes(mapping, wanted):
                raise InvalidSetting(
                    f"--boundary-hour: {mapping.meter!r} of {mapping.tenant!r} goes to the same "
                    f"meter of {wanted.destination} with {mapping.boundary_hour!r}; say the same"
                )


def _opposes(mapping: Mapping, wanted: Mapping) -> bool:
    one = (mapping.route, mapping.destination, mapping.counter)
    other = (wanted.route, wanted.destination, wanted.counter)
    own = (mapping.tenant, mapping.meter, mapping.group) == (
        wanted.tenant,
        wanted.meter,
        wanted.group,
    )
    says = {mapping.boundary_hour, wanted.boundary_hour}
    return one == other and not own and says == {"previous", "next"}


def _next_version(
    wanted: Mapping, known: Iterable[Mapping], now: int, *, keep_start: bool
) -> Mapping | None:
    """The version to save; None where the newest says the same."""
    own = [m for m in known if (m.meter, m.group) == (wanted.meter, wanted.group)]
    if not own:
        return wanted
    newest = own[-1]
    if keep_start:
        wanted = replace(wanted, publish_from=newest.publish_from)
    if replace(wanted, effective_from=newest.effective_from) == newest:
        return None
    # From a slot's boundary, so that no slot is fed by two mappings.
    return replace(wanted, effective_from=floor_hour(now) + HOUR)


def _group(assignments: tuple[str, ...]) -> str:
    if not assignments:
        return WHOLE
    values: dict[str, str | None] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidSetting(f"--group {text!r} is not DIMENSION=VALUE")
        values[name] = value
    return group_of(values)


def _prefixed(option: str, given: str, prefix: str) -> str:
    if not given.startswith(prefix) or not given.isascii() or not given.isprintable():
        raise InvalidSetting(f"{option}: {given[:40]!r} does not begin with {prefix}")
    return given


def list_mappings(
    *,
    tenant: Annotated[str, Parameter(help="Only this tenant's.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List all mappings with all their versions."""
    with open_app(store) as app:
        chosen = [known_tenant(app.store, tenant)] if tenant else accounts(app.store.catalog)
        rows = (_row(mapping) for account in chosen for mapping in account.mappings)
        show(rows, as_json=as_json, empty="No mappings yet; `tallystick mappings add` makes one.")
    return CLEAN


def _row(mapping: Mapping) -> Row:
    first = mapping.effective_from == EARLIEST
    return {
        "tenant": mapping.tenant,
        "meter": mapping.meter,
        "group": mapping.group,
        "route": mapping.route,
        "destination": mapping.destination,
        "counter": mapping.counter,
        "publish_from": format_instant(mapping.publish_from),
        "boundary_hour": mapping.boundary_hour,
        "from": "" if first else format_instant(mapping.effective_from),
    }
