"""A restore within a world: the store is lost, a copy takes its place, and people tell it again.

What the copy does not know is forgotten by the oracle too, but for what the lost store's ledger had
reached: what was sent then may stand at the provider, or land yet.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from tallystick.domain.errors import PublisherUnavailable, StoreUnavailable
from tallystick.domain.event import Event
from tallystick.domain.publication import Limits
from tallystick.ports import Clock, Override, Publisher, Store
from tallystick.stages.publishing import ADOPTING
from tallystick.stages.restoring import adopt
from tallystick.stores.memory import MemoryStore
from tallystick.testing.simulation.model import Model
from tallystick.testing.simulation.witness import Witness

WHY: Final = Override(at=0, who="simulation", why="restored", action="restore", subject="")


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a store, opened; and where it is a file, what opens that once more."""

    store: Store
    reopened: Callable[[], Store] | None = None


@dataclass
class Copied:
    """A backup, and what the oracle knew then. `since` is what was acked later."""

    backup: Backup
    model: dict[str, object]
    witness: dict[str, object]
    since: list[tuple[Event, ...]] = field(default_factory=list)


def copied(
    store: Store, back_up: Callable[[], Backup] | None, model: Model, witness: Witness
) -> Copied | None:
    """A backup of a store in memory, or of any that `back_up` knows to copy."""
    if isinstance(store, MemoryStore):
        backup = Backup(store.copy())
    elif back_up is not None:
        backup = back_up()
    else:
        return None
    return Copied(backup, model.remembered(), witness.remembered())


def adopted(store: Store, publisher: Publisher, clock: Clock, limits: Limits) -> None:
    """Adopt what the provider holds, where that is still to be done and can be."""
    with suppress(StoreUnavailable, PublisherUnavailable):
        if ADOPTING in store.catalog.switches():
            adopt(store, publisher, clock.now(), WHY, limits=limits)
