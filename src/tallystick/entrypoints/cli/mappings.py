"""`tallystick mappings`: through what a tenant's meter is billed, and since when."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting
from tallystick.domain.instant import EARLIEST, format_instant
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
    count_waiting,
    known_tenant,
    open_app,
    optional_instant,
)
from tallystick.entrypoints.cli.meters import known_meter
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.entrypoints.cli.tenants import accounts
from tallystick.publishers import (
    AWS_MARKETPLACE,
    HOUR_METER,
    SUM_METER,
    USAGE_RECORD,
    check_target,
)
from tallystick.stages.configuring import end_mapping, map_meter


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Where at Stripe, or AWS Marketplace, the quantity goes."""

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
    marketplace_customer: Annotated[
        str | None,
        Parameter(help="LICENSE_ARN/ACCOUNT_ID or PRODUCT_CODE/CUSTOMER_ID: AWS Marketplace."),
    ] = None
    marketplace_dimension: Annotated[
        str | None, Parameter(help="The product's metered dimension there.")
    ] = None

    def target(self) -> tuple[str, str, str]:
        """(route, destination, counter). InvalidSetting says which option is missing."""
        item, customer = self.stripe_subscription_item, self.stripe_customer
        if self.marketplace_customer is not None or self.marketplace_dimension is not None:
            return self._marketplace(is_alone=item is None and customer is None)
        if (item is None) is (customer is None):
            raise InvalidSetting(
                "give --stripe-customer or --stripe-subscription-item, one of them"
            )
        if item is not None:
            if self.event_name is not None or self.sum_meter:
                raise InvalidSetting("--event-name and --sum-meter go with --stripe-customer")
            return _checked("--stripe-subscription-item", USAGE_RECORD.name, item, "")
        if not self.event_name:
            raise InvalidSetting("--stripe-customer also needs the meter's --event-name")
        route = SUM_METER if self.sum_meter else HOUR_METER
        return _checked("--stripe-customer", route.name, customer or "", self.event_name)

    def _marketplace(self, *, is_alone: bool) -> tuple[str, str, str]:
        customer, dimension = self.marketplace_customer, self.marketplace_dimension
        if not (is_alone and customer and dimension):
            raise InvalidSetting(
                "--marketplace-customer and --marketplace-dimension go together, and with none of "
                "Stripe's options"
            )
        return _checked("--marketplace-customer", AWS_MARKETPLACE.name, customer, dimension)


def _checked(option: str, route: str, destination: str, counter: str) -> tuple[str, str, str]:
    try:
        check_target(route, destination, counter)
    except InvalidSetting as error:
        raise InvalidSetting(f"{option}: {error}") from error
    return route, destination, counter


NO_TARGET: Final = TargetOptions()


def register(app: App) -> None:
    group = App(name="mappings", help="Through what a tenant's meter is billed.")
    group.command(add)
    group.command(end)
    group.command(list_mappings, name="list")
    app.command(group)


def add(
    tenant: Annotated[str, Parameter(help="Whose usage.")],
    meter: Annotated[str, Parameter(help="Which meter's.")],
    *,
    target: TargetOptions = NO_TARGET,
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
    """Bill a tenant's meter through Stripe, or AWS Marketplace.

    What was held for want of a mapping is released; a changed one holds from the next full hour.
    """
    route, destination, counter = target.target()
    with open_app(store, at) as app:
        now = app.clock.now()
        known_tenant(app.store, tenant)
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
        line = audit(app, "mappings add", f"{tenant}/{meter}", who=who, why=why)
        added = map_meter(app.store.catalog, wanted, line, keep_start=since is None)
        count_waiting(app, f"tenant:{tenant}")  # what named no code goes to the only meter
        if added is None:
            say(f"{meter!r} of {tenant!r} is mapped so already")
            return CLEAN
    say(f"{meter!r} of {tenant!r} goes to {destination}, from {format_instant(added.publish_from)}")
    return CLEAN


def end(
    tenant: Annotated[str, Parameter(help="Whose usage.")],
    meter: Annotated[str, Parameter(help="Which meter's.")],
    *,
    group: Annotated[
        tuple[str, ...],
        Parameter(negative="", help="DIMENSION=VALUE; the whole if not given. Repeatable."),
    ] = (),
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Bill a tenant's meter no longer, from the next full hour. Counting goes on.

    What was counted until then is billed; what comes after is held until it is mapped again.
    """
    with open_app(store, at) as app:
        known_tenant(app.store, tenant)
        line = audit(app, "mappings end", f"{tenant}/{meter}", who=who, why=why)
        ended = end_mapping(app.store.catalog, (tenant, meter, _group(group)), line)
    if ended is None:
        say(f"{meter!r} of {tenant!r} is ended already")
    else:
        say(f"{meter!r} of {tenant!r} is billed until {format_instant(ended.effective_from)}")
    return CLEAN


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
