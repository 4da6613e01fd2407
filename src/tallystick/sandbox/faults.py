"""Ordered faults: which call is hit is decided by filters, counts, time spans and a seed."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase

OUTCOMES = frozenset(
    {
        "error_before",
        "error_after",
        "drop_before",
        "drop_after",
        "rate_limit",
        "rate_limit_retry",
        "rate_limit_lock_timeout",
        "conflict",
        "outage",
        "late",
    }
)
KINDS = OUTCOMES | {"slow", "reject", "summaries_lag"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One order. Filters left empty match everything; `start`/`end` are sandbox seconds."""

    kind: str
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    method: str | None = None
    path: str | None = None
    event_name: str | None = None
    customer: str | None = None
    identifier: str | None = None
    start: int | None = None
    end: int | None = None
    landing_seconds: int = 3_600
    delay_seconds: float = 0.05
    lag_seconds: int = 3_600
    code: str = "meter_event_invalid_value"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}: use one of {sorted(KINDS)}")
        for name, kinds in _TYPES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise TypeError(f"{name} cannot be {value!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must lie between 0 and 1")
        if self.landing_seconds < 0 or self.lag_seconds < 0 or not 0 <= self.delay_seconds <= 30:
            raise ValueError("seconds must not be negative, and a delay at most 30")


_WORD, _COUNT, _MAYBE = (str, type(None)), (int,), (int, type(None))
_TYPES: Mapping[str, tuple[type, ...]] = {
    "probability": (int, float),
    "delay_seconds": (int, float),
    "skip": _COUNT,
    "landing_seconds": _COUNT,
    "lag_seconds": _COUNT,
    "count": _MAYBE,
    "start": _MAYBE,
    "end": _MAYBE,
    "method": _WORD,
    "path": _WORD,
    "event_name": _WORD,
    "customer": _WORD,
    "identifier": _WORD,
    "code": (str,),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fault's filters look at."""

    method: str
    path: str
    now: int
    event_name: str | None = None
    customer: str | None = None
    identifier: str | None = None


def fault_from(wanted: Mapping[str, object]) -> Fault:
    """A fault from JSON; ValueError or TypeError names what is wrong with it."""
    known = {entry.name for entry in fields(Fault)}
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}: use {sorted(known)}")
    return Fault(**wanted)  # type: ignore[arg-type]


class _Order:
    """A fault with its own random stream, so that orders do not disturb each other."""

    def __init__(self, identity: int, fault: Fault, seed: int) -> None:
        self.identity = identity
        self.fault = fault
        self.matched = 0
        self.applied = 0
        self._random = random.Random(f"{seed}:{identity}")

    def strikes(self, subject: Subject) -> bool:
        fault = self.fault
        exhausted = fault.count is not None and self.applied >= fault.count
        if exhausted or not _matches(fault, subject):
            return False
        self.matched += 1
        if self.matched <= fault.skip or self._random.random() >= fault.probability:
            return False
        self.applied += 1
        return True


class FaultPlan:
    """All orders; the first that strikes decides."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._orders: list[_Order] = []
        self._ordered = 0

    def __bool__(self) -> bool:
        return bool(self._orders)

    def add(self, fault: Fault) -> int:
        """Order a fault; its number identifies it."""
        self._ordered += 1
        self._orders.append(_Order(self._ordered, fault, self._seed))
        return self._ordered

    def clear(self, identity: int | None = None) -> None:
        """Take back one order, or all."""
        self._orders = [o for o in self._orders if identity is not None and o.identity != identity]

    def striking(self, kinds: frozenset[str], subject: Subject) -> Fault | None:
        """The first fault of these kinds that hits this call."""
        for order in self._orders:
            if order.fault.kind in kinds and order.strikes(subject):
                return order.fault
        return None

    def listed(self) -> list[dict[str, object]]:
        """The orders with how often they matched and struck."""
        return [
            {"id": o.identity, "matched": o.matched, "applied": o.applied, **asdict(o.fault)}
            for o in self._orders
        ]


def _matches(fault: Fault, subject: Subject) -> bool:
    return (
        (fault.method is None or fault.method.upper() == subject.method)
        and (fault.path is None or fnmatchcase(subject.path, fault.path))
        and (fault.event_name is None or fault.event_name == subject.event_name)
        and (fault.customer is None or fault.customer == subject.customer)
        and (fault.identifier is None or fault.identifier == subject.identifier)
        and (fault.start is None or subject.now >= fault.start)
        and (fault.end is None or subject.now < fault.end)
    )
