"""What must hold at any moment, and what must hold when all is settled."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from tallystick.domain.instant import HOUR, MINUTE
from tallystick.domain.ledger import Entry
from tallystick.domain.mapping import BEFORE_PUBLISH_FROM, BOUNDARY_HOUR, CLOSED, NO_MAPPING
from tallystick.ports import Due, Store
from tallystick.stages.recounting import pages
from tallystick.testing.simulation.model import NOTHING
from tallystick.testing.simulation.witness import Witness, require

if TYPE_CHECKING:
    from tallystick.testing.simulation.world import World


def check_all(store: Store, witness: Witness) -> None:
    """Everything that is stored is what was seen to be written, and what the model says."""
    for aggregate in pages(lambda cursor: store.events.aggregates(cursor=cursor)):
        witness.seen(aggregate)
    for one in pages(lambda cursor: store.outbox.slots(cursor=cursor)):
        slot = one.slot
        total = witness.totals[slot.key]
        require(slot.total == total, f"{slot.key} is {slot.total}, its Entries say {total}")
        held = witness.provider.total(slot.key)
        require(held in witness.reached[slot.key], f"the provider holds {held} in {slot.key}")


def check_settled(world: "World") -> Counter[str]:
    """Nothing is left to do, and the provider holds what it must; says what was held, and why."""
    notes = Counter[str]()
    slots = list(pages(lambda cursor: world.store.outbox.slots(cursor=cursor)))
    for one in slots:
        _check_slot(world, one, notes)
    return notes


def _check_slot(world: "World", one: Due, notes: Counter[str]) -> None:
    slot, now = one.slot, world.clock.now()
    require(one.current is None, f"{slot.key} is still unsettled: {one.current}")
    held = world.provider.total(slot.key)
    if slot.place.is_closed(now) and slot.total != held:
        notes["closed undelivered"] += 1
        return
    require(slot.total == slot.confirmed, f"{slot.key}: {slot.total}, confirmed {slot.confirmed}")
    require(held == slot.total, f"{slot.key}: the provider holds {held} of {slot.total}")
    require(not slot.due, f"{slot.key} is still due")
