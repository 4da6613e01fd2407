"""Errands: what a mapping's write leaves to do, kept in the same transaction until it is done.

A mapping marks all Aggregates of its tenant and meter due, so that what was held is released.
"""

from tallystick.stores.dynamodb.event_rows import aggregate_of, due_mark
from tallystick.stores.dynamodb.layout import Place, aggregate_partition, joined
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Item, Refused, Table, Write, place_of

ERRANDS = joined("errands")


class Errands:
    """Those that are open."""

    def __init__(self, table: Table, pausing: Pausing) -> None:
        self._table = table
        self._pausing = pausing

    def write(self, tenant: str, meter: str, number: int) -> Write:
        """The errand to mark the Aggregates of a tenant and meter, as part of a transaction."""
        return Write(place=(ERRANDS, joined(number)), put={"tenant": tenant, "meter": meter})

    def run(self) -> None:
        """Do and end all that are open. Who runs one twice marks twice, which costs a look."""
        for errand in self._table.query(ERRANDS):
            partition = aggregate_partition(str(errand["tenant"]), str(errand["meter"]))
            for item in self._table.query(partition):
                self._mark(item)
            self._table.delete(place_of(errand))

    def _mark(self, found: Item) -> None:
        place: Place = place_of(found)
        item: Item | None = found
        turn = 0
        while item is not None:
            marks = int(item.get("marks", 0))
            marked = Write(
                place=place,
                sets={"marks": marks + 1, **due_mark(aggregate_of(item))},
                expect={"marks": marks or None},
            )
            try:
                self._table.write([marked])
            except Refused:
                self._pausing.pause(min(turn, 5))
                turn += 1
                item = self._table.get(place)
                continue
            return
