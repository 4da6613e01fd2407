"""`tallystick meters`: which codes become which quantities."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import App, Parameter

from tallystick.domain.errors import InvalidSetting, NotFound
from tallystick.domain.instant import EARLIEST, format_instant
from tallystick.domain.meter import Aggregation, Closed, Filter, Meter, Operator, Span
from tallystick.domain.tenant import check_name
from tallystick.entrypoints.cli.context import (
    CLEAN,
    AtOption,
    JsonOption,
    StoreOption,
    WhoOption,
    WhyOption,
    audit,
    count_waiting,
    open_app,
)
from tallystick.entrypoints.cli.tables import Row, say, show
from tallystick.ports import Catalog
from tallystick.stages.configuring import archive_meter, save_meter, versions_of_meter

_FILTER: Final = re.compile(r"\s*(\S+)\s+(\w+)(?:\s+(.*?))?\s*")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RuleOptions:
    """What a meter reads, and how it becomes a quantity."""

    code: Annotated[str | None, Parameter(help="The code it reads; its own name if empty.")] = None
    aggregation: Annotated[Aggregation, Parameter(help="How values become a quantity.")] = (
        Aggregation.SUM
    )
    span: Annotated[Span, Parameter(help="What one window covers.")] = Span.HOUR
    path: Annotated[str, Parameter(help="Where the value is: quantity, or a property.")] = (
        "quantity"
    )
    filters: Annotated[
        tuple[str, ...],
        Parameter(name="--filter", negative="", help="'PATH OPERATOR VALUE[,VALUE…]'. Repeatable."),
    ] = ()
    dimensions: Annotated[
        tuple[str, ...],
        Parameter(name="--dimension", negative="", help="A property to count apart. Repeatable."),
    ] = ()
    negatives: Annotated[bool, Parameter(negative="", help="A sum may take negatives.")] = False
    closed: Annotated[Closed, Parameter(help="Usage the provider takes no more.")] = Closed.HOLD

    def of(self, meter: str) -> Meter:
        """The meter that the options describe. InvalidSetting names what cannot be meant."""
        return Meter(
            id=check_name("meter", meter),
            code=check_name("code", meter if self.code is None else self.code),
            aggregation=self.aggregation,
            span=self.span,
            value_path=check_name("path", self.path),
            filters=tuple(map(_parse_filter, self.filters)),
            dimensions=self.dimensions,
            negatives=self.negatives,
            closed=self.closed,
        )


SUM_OF_QUANTITIES: Final = RuleOptions()


def register(app: App) -> None:
    group = App(name="meters", help="Which codes become which quantities.")
    group.command(add)
    group.command(archive)
    group.command(list_meters, name="list")
    group.command(show_meter, name="show")
    app.command(group)


def add(
    meter: Annotated[str, Parameter(help="Its name.")],
    /,
    *,
    rule: RuleOptions = SUM_OF_QUANTITIES,
    why: WhyOption = "added",
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Add a meter, or a new version of one: it holds from each tenant's next billing period.

    A filter's operators: eq, ne, in, not_in, gt, gte, lt, lte, exists.
    Dead letters that waited for the code are counted.
    """
    wanted = rule.of(meter)
    with open_app(store, at, create=True) as app:
        line = audit(app, "meters add", meter, who=who, why=why)
        added = save_meter(app.store.catalog, wanted, line)
        if added is None:
            say(f"meter {meter!r} is so already")
        else:
            _say_what_holds(added)
        count_waiting(app, f"code:{wanted.code}")
    return CLEAN


def _say_what_holds(meter: Meter) -> None:
    if meter.effective_from == EARLIEST:
        rule = f"{meter.aggregation} of {meter.value_path} by {meter.span}"
        say(f"meter {meter.id!r} is added: {rule}")
    else:
        say(f"version {meter.version} of {meter.id!r} holds from each tenant's next billing period")


def archive(
    meter: Annotated[str, Parameter(help="Which meter.")],
    /,
    *,
    why: WhyOption,
    who: WhoOption = None,
    store: StoreOption = None,
    at: AtOption = None,
) -> int:
    """Count with a meter no longer, from each tenant's next billing period on.

    What it counted stays, and is sealed and billed. Reports of a code that no meter reads become
    dead letters; `meters add` with its name takes it up again, and counts them.
    """
    with open_app(store, at) as app:
        line = audit(app, "meters archive", meter, who=who, why=why)
        known_meter(app.store.catalog, meter)
        done = archive_meter(app.store.catalog, meter, line)
    state = "is archived already" if done is None else "counts until each tenant's period ends"
    say(f"meter {meter!r} {state}")
    return CLEAN


def _parse_filter(text: str) -> Filter:
    match = _FILTER.fullmatch(text)
    operators = ", ".join(Operator)
    if match is None or match[2] not in list(Operator):
        raise InvalidSetting(f"--filter {text!r} is not 'PATH OPERATOR VALUE'; use {operators}")
    operator, values = Operator(match[2]), match[3] or ""
    many = operator in (Operator.IN, Operator.NOT_IN)
    operands = tuple(v.strip() for v in values.split(",")) if many else (values,)
    if operator is Operator.EXISTS:
        return Filter(match[1], operator)
    if not values:
        raise InvalidSetting(f"--filter {text!r} has no value to compare with")
    return Filter(match[1], operator, operands)


def list_meters(*, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List all meters, each in its newest version."""
    with open_app(store) as app:
        rows = [_row(versions[-1]) for versions in app.store.catalog.meters()]
    show(rows, as_json=as_json, empty="No meters yet; `tallystick meters add ID` makes one.")
    return CLEAN


def show_meter(
    meter: Annotated[str, Parameter(help="Which meter.")],
    /,
    *,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Show all versions of a meter."""
    with open_app(store) as app:
        show(map(_row, known_meter(app.store.catalog, meter)), as_json=as_json)
    return CLEAN


def known_meter(catalog: Catalog, meter: str) -> tuple[Meter, ...]:
    """The meter's versions; NotFound says where to look."""
    found = versions_of_meter(catalog, meter)
    if not found:
        raise NotFound(f"there is no meter {meter!r}; `tallystick meters list` shows them")
    return found


def _row(meter: Meter) -> Row:
    return {
        "meter": meter.id,
        "code": meter.code,
        "aggregation": str(meter.aggregation),
        "span": str(meter.span),
        "path": meter.value_path,
        "filters": tuple(
            f"{f.path} {f.operator} {','.join(f.operands)}".strip() for f in meter.filters
        ),
        "dimensions": meter.dimensions,
        "negatives": meter.negatives,
        "closed": str(meter.closed),
        "archived": meter.archived,
        "version": meter.version,
        "from": format_instant(meter.effective_from),
    }
