"""The state of a memory store, and the one lock around it.

Every table is a flat dictionary of immutable values, so that a copy is cheap and exact.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from tallystick.domain.aggregate import Aggregate, AggregateKey, Contribution
from tallystick.domain.api_key import ApiKey
from tallystick.domain.checkpoint import Taken
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.event import Event
from tallystick.domain.ledger import Balance, Entry, Head
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.publication import Publication
from tallystick.domain.slot import Slot, SlotKey
from tallystick.domain.tenant import Tenant
from tallystick.domain.window import Window
from tallystick.ports import Change, Override

EventKey = tuple[str, str]
"""(tenant, key)."""

Chain = tuple[str, str]
"""(tenant, meter)."""

Series = tuple[str, str, str]
"""(tenant, meter, group)."""


@dataclass(slots=True)
class Tables:
    """`events` and `letters` keep the order in which they came; nothing is ever taken out."""

    events: dict[EventKey, Event] = field(default_factory=dict)
    contributions: dict[EventKey, tuple[Contribution, ...]] = field(default_factory=dict)
    voids: dict[EventKey, str] = field(default_factory=dict)
    """The voided key, and the first void that names it."""
    aggregates: dict[AggregateKey, Aggregate] = field(default_factory=dict)
    changes: dict[tuple[AggregateKey, int], Change] = field(default_factory=dict)
    members: dict[tuple[AggregateKey, str], int] = field(default_factory=dict)
    """How many live contributions of an Aggregate have the same member."""
    groups: dict[tuple[str, str, Window], int] = field(default_factory=dict)
    """How many dimension sets a (tenant, meter, window) keeps apart."""

    heads: dict[Chain, Head] = field(default_factory=dict)
    entries: dict[tuple[str, str, int], Entry] = field(default_factory=dict)
    """By (tenant, meter, line)."""
    allocated: dict[SlotKey, tuple[tuple[str, str, int], ...]] = field(default_factory=dict)
    """Which of them allocate to a slot, in the order in which they were appended."""
    last: dict[AggregateKey, Entry] = field(default_factory=dict)
    balances: dict[tuple[Series, Window], Balance] = field(default_factory=dict)

    slots: dict[SlotKey, Slot] = field(default_factory=dict)
    publications: dict[str, Publication] = field(default_factory=dict)

    tenants: dict[str, Tenant] = field(default_factory=dict)
    meters: dict[tuple[str, int], Meter] = field(default_factory=dict)
    """By (id, effective_from)."""
    mappings: dict[tuple[str, int, str, str], Mapping] = field(default_factory=dict)
    """By (tenant, effective_from, meter, group)."""
    switches: dict[str, str] = field(default_factory=dict)
    overrides: dict[int, Override] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)

    letters: dict[str, DeadLetter] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    """By id, in the order in which they were added."""
    checkpoints: dict[int, Taken] = field(default_factory=dict)
    """By number."""
    covered: dict[Chain, str] = field(default_factory=dict)
    """The hash that the last checkpoint has for a chain."""

    def copied(self) -> "Tables":
        return Tables(*(dict(getattr(self, table.name)) for table in fields(self)))


class Storage:
    """The tables behind their lock: whoever opens them is alone until done."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._is_closed = False

    @contextmanager
    def opened(self) -> Iterator[Tables]:
        with self._lock:
            if self._is_closed:
                raise StoreUnavailable("the store is closed")
            yield self._tables

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
