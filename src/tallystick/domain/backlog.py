"""The backlog: what a store holds that is not done yet, at one moment. To watch it, not to decide
by it: each count stops at COUNTED_MAX."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tallystick.domain.dead_letter import Reason
from tallystick.domain.publication import State

COUNTED_MAX: Final = 10_000
"""A count of this says: so many, or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Instants are None where nothing waits.

    aggregates_due       Aggregates that the ledger may be behind
    unsealed_since       the earliest end of a window that is over and has no Entry yet
    unpublished          open slots whose total is to be told, with nothing under way
    unpublished_since    the earliest start of such a slot
    undelivered          slots that closed before the provider had their whole total
    unsettled            publications under way, by state
    unsettled_since      when the oldest of each state was intended
    dead_letters         open dead letters by reason: the COUNTED_MAX newest
    """

    aggregates_due: int = 0
    unsealed_since: int | None = None
    unpublished: int = 0
    unpublished_since: int | None = None
    undelivered: int = 0
    unsettled: Mapping[State, int] = field(default_factory=lambda: MappingProxyType({}))
    unsettled_since: Mapping[State, int] = field(default_factory=lambda: MappingProxyType({}))
    dead_letters: Mapping[Reason, int] = field(default_factory=lambda: MappingProxyType({}))
