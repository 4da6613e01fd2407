"""A meter: a rule from a code to a quantity. The aggregations are a closed set.

Definitions are versioned; a version is in force for the billing periods of a tenant that start at
or after its `effective_from`. The first version holds since ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from tallystick.domain.errors import FieldError, InvalidReport, InvalidSetting
from tallystick.domain.event import Event, canonical_json
from tallystick.domain.instant import EARLIEST, HOUR, floor_hour
from tallystick.domain.quantity import (
    ONE,
    QuantityError,
    format_quantity,
    parse_quantity,
    read_number,
)
from tallystick.domain.tenant import Calendar
from tallystick.domain.window import Window

WHOLE: Final = ""
"""The group of the Aggregate over all dimension values."""

OTHER: Final = '{"other":true}'
"""The group of what came after the last dimension set that is kept apart."""

GROUPS_MAX: Final = 1_000
GROUP_LENGTH_MAX: Final = 1_024
MEMBER_LENGTH_MAX: Final = 255
OWN_QUANTITY: Final = ("quantity", "$.quantity")
"""The paths that find an event's own quantity."""


class Aggregation(StrEnum):
    """How a meter folds its values; a closed set."""

    SUM = "sum"
    COUNT = "count"
    MIN = "min"
    MAX = "max"
    LATEST = "latest"
    UNIQUE_COUNT = "unique_count"
    AVERAGE = "average"

    @property
    def is_additive(self) -> bool:
        """Whether the whole's value is the sum of its parts' values, in any order."""
        return self in (Aggregation.SUM, Aggregation.COUNT)


class Span(StrEnum):
    """What one window of a meter covers."""

    HOUR = "hour"
    DAY = "day"
    PERIOD = "period"


class Closed(StrEnum):
    """What happens to usage whose slot takes no more: kept and shown, or billed later."""

    HOLD = "hold"
    CARRY = "carry"


class Operator(StrEnum):
    """How a filter compares."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    IN = "in"
    NOT_IN = "not_in"
    GREATER = "gt"
    GREATER_EQUAL = "gte"
    LESS = "lt"
    LESS_EQUAL = "lte"
    EXISTS = "exists"


_ORDERED: Final = frozenset(
    {Operator.GREATER, Operator.GREATER_EQUAL, Operator.LESS, Operator.LESS_EQUAL}
)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on an event; a path that is not there satisfies only `ne` and `not_in`."""

    path: str
    operator: Operator
    operands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.operator in _ORDERED and (
            len(self.operands) != 1 or read_number(self.operands[0]) is None
        ):
            raise InvalidSetting(f"a filter by {self.operator} needs one number to compare with")

    def matches(self, event: Event) -> bool:
        found = value_at(event, self.path)
        if self.operator is Operator.EXISTS:
            return found is not None
        text = None if found is None else scalar_text(found)
        if self.operator in (Operator.EQUAL, Operator.IN):
            return text is not None and text in self.operands
        if self.operator in (Operator.NOT_EQUAL, Operator.NOT_IN):
            return text not in self.operands
        return found is not None and self._compares(found)

    def _compares(self, found: object) -> bool:
        left, right = read_number(found), read_number(self.operands[0])
        if left is None or right is None:
            return False
        if self.operator is Operator.GREATER:
            return left > right
        if self.operator is Operator.GREATER_EQUAL:
            return left >= right
        return left < right if self.operator is Operator.LESS else left <= right


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One version of a meter. Paths are dotted, into the properties; `quantity` is the event's own.

    `negatives` says whether a sum may take negative quantities; min, max and latest always may.
    An archived version reads nothing: in the periods that it is in force for, its code is unknown.
    """

    id: str
    code: str
    aggregation: Aggregation = Aggregation.SUM
    span: Span = Span.HOUR
    value_path: str = "quantity"
    filters: tuple[Filter, ...] = ()
    dimensions: tuple[str, ...] = ()
    negatives: bool = False
    closed: Closed = Closed.HOLD
    archived: bool = False
    version: int = 1
    effective_from: int = EARLIEST

    def __post_init__(self) -> None:
        if len(self.dimensions) > 8 or len(self.filters) > 32:
            raise InvalidSetting("a meter has at most 8 dimensions and 32 filters")

    def matches(self, event: Event) -> bool:
        if event.code != self.code or self.archived:
            return False
        return not self.filters or all(f.matches(event) for f in self.filters)

    def window_at(self, tenant: Calendar, at: int) -> Window:
        if self.span is Span.HOUR:
            return tenant.hour_at(at)
        return tenant.day_at(at) if self.span is Span.DAY else tenant.period_at(at)

    def groups(self, event: Event) -> tuple[str, ...]:
        """The whole, and the event's dimension set where the meter has dimensions.

        Raises InvalidReport where the set is too long to name anything.
        """
        if not self.dimensions:
            return (WHOLE,)
        found = ((d, value_at(event, d)) for d in self.dimensions)
        group = group_of({d: None if v is None else scalar_text(v) for d, v in found})
        if len(group) > GROUP_LENGTH_MAX:
            raise _too_long(self, len(group))
        return (WHOLE, group)


def in_force(versions: tuple[Meter, ...], period: Window) -> Meter:
    """The version for a billing period: the newest that was effective when the period began."""
    effective = [m for m in versions if m.effective_from <= period.start]
    return effective[-1] if effective else versions[0]


def next_meter(wanted: Meter, known: Sequence[Meter], now: int) -> Meter | None:
    """The version to save so that the meter is as `wanted` says; None where it is so already.

    The first holds since ever, a later one from each tenant's next billing period. One that follows
    an archived one takes its place, so that what waited since then is counted.
    """
    if not known:
        return wanted
    newest = known[-1]
    version, starts = newest.version + 1, max(now, newest.effective_from + 1)
    if newest.archived and not wanted.archived:
        version, starts = newest.version, newest.effective_from
    if same_rule(wanted, newest):
        return None
    return replace(wanted, version=version, effective_from=starts)


def same_rule(one: Meter, other: Meter) -> bool:
    """Whether two versions say the same."""
    return replace(one, version=other.version, effective_from=other.effective_from) == other


def group_of(values: Mapping[str, str | None]) -> str:
    """The name of a dimension set: canonical JSON of dimension to value."""
    return canonical_json(values)


def first_sealed_at(span: Span, window: Window) -> int:
    """When a window can first be sealed, the grace aside.

    An hour at its end. A longer window as soon as its first full hour is over, then every hour.
    """
    if span is Span.HOUR:
        return window.end
    return min(window.end, floor_hour(window.start + HOUR - 1) + HOUR)


def value_at(event: Event, path: str) -> object | None:
    """What the path finds in the event; None where there is nothing (JSON null included)."""
    if path in OWN_QUANTITY:
        return event.quantity
    found: object = event.attributes()
    for step in path.removeprefix("$.").removeprefix("properties.").split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found


def scalar_text(value: object) -> str:
    """A scalar as text, one text a value (5 = 5.0); a string is itself."""
    return value if isinstance(value, str) else canonical_json(value)


def measured(meter: Meter, event: Event) -> tuple[Decimal, str]:
    """(value, member) of an event for a meter; the member is '' but for a unique count.

    Raises InvalidReport, which names the path, where the event has no such value.
    """
    if meter.aggregation is Aggregation.COUNT:
        return ONE, ""
    found = value_at(event, meter.value_path)
    if found is None:
        raise _unmeasured(meter, "missing_value", "is missing; send it, or change the meter's path")
    if meter.aggregation is Aggregation.UNIQUE_COUNT:
        return ONE, _member(meter, found)
    try:
        # The event's own was read as a quantity already.
        value = event.quantity if found is event.quantity else parse_quantity(found)
    except QuantityError as error:
        raise _unmeasured(meter, "invalid_value", str(error)) from error
    if meter.aggregation is Aggregation.SUM and not meter.negatives and value < 0:
        raise _unmeasured(
            meter, "negative", f"is {format_quantity(value)}, and the meter takes no negatives"
        )
    return value, ""


def _member(meter: Meter, found: object) -> str:
    if isinstance(found, dict | list):
        raise _unmeasured(meter, "invalid_value", "must be a text, a number or true/false")
    member = scalar_text(found)
    if not member or len(member) > MEMBER_LENGTH_MAX:
        raise _unmeasured(meter, "invalid_value", f"must have 1 to {MEMBER_LENGTH_MAX} characters")
    return member


def _too_long(meter: Meter, length: int) -> InvalidReport:
    detail = (
        f"meter {meter.id!r}: the dimensions {', '.join(meter.dimensions)} and their values have"
        f" {length} characters together; at most {GROUP_LENGTH_MAX}"
    )
    return InvalidReport(FieldError(pointer="/properties", code="too_long", detail=detail))


def _unmeasured(meter: Meter, code: str, detail: str) -> InvalidReport:
    pointer = "/" + meter.value_path.removeprefix("$.").replace(".", "/")
    return InvalidReport(
        FieldError(pointer=pointer, code=code, detail=f"meter {meter.id!r}: {pointer} {detail}")
    )
