"""The oracle: what must be true, from the plan and what was reported, in as few lines as can be.

It shares no arithmetic with the product: neither fold, window, slot nor next Entry.
"""

import json
from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from typing import Final

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.event import Event, Receipt
from tallystick.domain.meter import Meter
from tallystick.domain.window import Window
from tallystick.testing.simulation.plan import Plan

NOTHING: Final = Decimal(0)
REMEMBERED: Final = ("content", "voided", "live", "position", "periods", "_where", "_values")


@dataclass(frozen=True, slots=True)
class Counted:
    """What one live event counts as, in one Aggregate."""

    at: int
    key: str
    value: Decimal
    member: str


class Model:
    """Every event that was taken, and what each Aggregate must therefore be."""

    def __init__(self, plan: Plan) -> None:
        self._meters = (*plan.meters, *(meter for _, meter in plan.versions))
        self._calendars = {c.tenant: c.calendar for c in plan.customers}
        self.content: dict[tuple[str, str], str] = {}
        self.voided: set[tuple[str, str]] = set()
        self.live: dict[AggregateKey, dict[str, Counted]] = defaultdict(dict)
        self.position: dict[AggregateKey, int] = defaultdict(int)
        self.periods: dict[AggregateKey, Window] = {}
        self._where: dict[tuple[str, str], list[AggregateKey]] = {}
        self._newest: dict[Window, list[Meter]] = {}
        self._values: dict[tuple[AggregateKey, int], Decimal] = {}

    def remembered(self) -> dict[str, object]:
        """All that it knows, to be recalled when the store is replaced by a copy made now."""
        return {name: deepcopy(getattr(self, name)) for name in REMEMBERED}

    def recall(self, known: dict[str, object]) -> None:
        for name, value in deepcopy(known).items():
            setattr(self, name, value)

    def take(self, event: Event) -> Receipt:
        """What must become of a report, and what it changes. LATE is not told from RECORDED."""
        identity = (event.tenant, event.key)
        if identity in self.content:
            same = self.content[identity] == event.fingerprint
            return Receipt.DUPLICATE if same else Receipt.CONFLICT
        self.content[identity] = event.fingerprint
        target = (event.tenant, event.voids or "")
        if event.voids is not None and target not in self.voided:
            self.voided.add(target)
            for key in self._where.pop(target, []):
                del self.live[key][event.voids]
                self.position[key] += 1
        if identity not in self.voided and event.voids is None:
            self._count(event)
        return Receipt.RECORDED

    def _count(self, event: Event) -> None:
        found = self._where.setdefault((event.tenant, event.key), [])
        period = self._calendars[event.tenant].period(event.occurred_at)
        for meter in self._in_force(period):
            if not _is_read_by(meter, event):
                continue
            counted = _counted(meter, event)
            for key in self._keys(meter, event):
                self.live[key][event.key] = counted
                self.position[key] += 1
                found.append(key)

    def _in_force(self, period: Window) -> list[Meter]:
        """Of each meter the newest version that was there when the period began."""
        if period not in self._newest:
            newest = {m.id: m for m in self._meters if m.effective_from <= period.start}
            self._newest[period] = list(newest.values())
        return self._newest[period]

    def _keys(self, meter: Meter, event: Event) -> list[AggregateKey]:
        calendar = self._calendars[event.tenant]
        window = calendar.window(meter.span, event.occurred_at)
        groups = [""]
        if meter.dimensions:
            region = _properties(event.properties).get("region")
            groups.append('{"region":%s}' % json.dumps(region))  # noqa: UP031
        keys = [AggregateKey(event.tenant, meter.id, group, window) for group in groups]
        for key in keys:
            self.periods[key] = calendar.period(event.occurred_at)
        return keys

    def value(self, key: AggregateKey) -> Decimal:
        """What the Aggregate must be now."""
        place = (key, self.position[key])
        if place not in self._values:
            versions = self._in_force(self.periods[key]) if key in self.periods else self._meters
            meter = next(m for m in versions if m.id == key.meter)
            self._values[place] = _folded(meter.aggregation, list(self.live[key].values()))
        return self._values[place]

    def may_carry(self, meter: str) -> bool:
        """Whether some version of the meter says that closed usage is carried."""
        return any(m.id == meter and m.closed == "carry" for m in self._meters)

    def value_at(self, key: AggregateKey, position: int) -> Decimal | None:
        """What it was at an earlier position; None where nobody looked."""
        return self._values.get((key, position))


@cache
def _properties(text: str) -> dict[str, str]:
    parsed: dict[str, str] = json.loads(text)
    return parsed


def _is_read_by(meter: Meter, event: Event) -> bool:
    if meter.code != event.code:
        return False
    return not meter.filters or _properties(event.properties).get("region") == "eu"


def _counted(meter: Meter, event: Event) -> Counted:
    who = _properties(event.properties)["who"]
    return Counted(event.occurred_at, event.key, event.quantity, who)


def _folded(aggregation: str, live: list[Counted]) -> Decimal:
    values = [counted.value for counted in live]
    if aggregation == "count":
        return Decimal(len(live))
    if aggregation == "unique_count":
        return Decimal(len({counted.member for counted in live}))
    if not live:
        return NOTHING
    if aggregation == "latest":
        return max(live, key=lambda counted: (counted.at, counted.key)).value
    if aggregation in ("min", "max"):
        return min(values) if aggregation == "min" else max(values)
    total = sum(values, NOTHING)
    if aggregation == "sum":
        return total
    with localcontext() as exact:
        exact.prec = 60
        quotient = total / len(live)
        return quotient.quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN)
