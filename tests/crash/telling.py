"""What the clients of the crash tests tell: events, and the bodies that carry them.

A body keeps its bytes, so that what was not answered can be sent again exactly as it was.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from tallystick.domain.event import key_of
from tallystick.domain.instant import DAY, HOUR, MINUTE, floor_hour, format_instant

TENANTS = ("acme", "beta", "gamma", "delta")
CODE = "requests"
SOURCE = "crash"
HOURS = 12
"""So many whole hours before now hold all that is told: they are sealed while more arrives."""

BILLED_SINCE = 10 * DAY
"""How long ago the billing period began, so that no test meets its end, whatever day it is."""

Name = tuple[str, str]
"""A tenant, and the key that is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event as it was told."""

    tenant: str
    id: str
    quantity: Decimal
    occurred_at: int
    is_cloud_event: bool

    @property
    def name(self) -> Name:
        return self.tenant, key_of(SOURCE, self.id) if self.is_cloud_event else self.id


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One request's content."""

    content_type: str
    content: bytes
    events: tuple[Told, ...]


def anchor_of(now: int) -> int:
    """Where the billing period began: on a full UTC hour, as an hour meter needs it."""
    return floor_hour(now) - BILLED_SINCE


class Teller:
    """Draws bodies from a seed; two tellers of different names never use the same key."""

    def __init__(self, name: str, now: int, *, size_max: int = 200) -> None:
        self._name = name
        self._draws = Random(name)
        self._until = floor_hour(now) - HOUR
        self._count = 0
        self._size_max = size_max

    def body(self) -> Body:
        """Something new, in one of the formats."""
        kind, write, is_cloud, is_single = self._draws.choice(FORMATS)
        size = 1 if is_single else self._draws.randint(2, self._size_max)
        events = tuple(self._event(is_cloud_event=is_cloud) for _ in range(size))
        return Body(kind, write(events), events)

    def _event(self, *, is_cloud_event: bool) -> Told:
        self._count += 1
        minutes = self._draws.randrange(HOURS * 60)
        return Told(
            tenant=self._draws.choice(TENANTS),
            id=f"{self._name}.{self._count}",
            quantity=Decimal(self._draws.randint(1, 99)) / 10,
            occurred_at=self._until - (minutes + 1) * MINUTE,
            is_cloud_event=is_cloud_event,
        )


# ── The formats ───────────────────────────────────────────────────────────────────────────────────


def _cloud_event(told: Told) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": told.id,
        "source": SOURCE,
        "type": CODE,
        "subject": told.tenant,
        "time": format_instant(told.occurred_at),
        "data": {"quantity": str(told.quantity)},
    }


def _plain(told: Told) -> dict[str, object]:
    return {
        "tenant": told.tenant,
        "code": CODE,
        "key": told.id,
        "quantity": str(told.quantity),
        "occurred_at": format_instant(told.occurred_at),
    }


def _native(told: Told) -> dict[str, object]:
    return {
        "TenantID": told.tenant,
        "ProductCode": CODE,
        "EventID": told.id,
        "Quantity": str(told.quantity),
        "Timestamp": told.occurred_at // 1_000,
    }


def report_of(told: Told) -> dict[str, object]:
    """The event by itself, for whoever is not asked over HTTP."""
    return _cloud_event(told) if told.is_cloud_event else _plain(told)


def _cloud_batch(events: Sequence[Told]) -> bytes:
    return json.dumps([_cloud_event(told) for told in events]).encode()


def _lines(events: Sequence[Told]) -> bytes:
    return b"\n".join(json.dumps(_plain(told)).encode() for told in events)


def _native_batch(events: Sequence[Told]) -> bytes:
    return json.dumps([_native(told) for told in events]).encode()


def _single(events: Sequence[Told]) -> bytes:
    return json.dumps(_plain(events[0])).encode()


Format = tuple[str, Callable[[Sequence[Told]], bytes], bool, bool]
FORMATS: tuple[Format, ...] = (
    ("application/cloudevents-batch+json", _cloud_batch, True, False),
    ("application/x-ndjson", _lines, False, False),
    ("application/json", _native_batch, False, False),
    ("application/json", _single, False, True),
)
"""Content type, how it is written, whether as CloudEvents, and whether it holds one event only."""
