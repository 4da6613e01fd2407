"""Slots as items: the whole record in one attribute, and how often it was written.

Each write is on the condition of that number, so that what was read is what is replaced.
"""

from dataclasses import replace

from tallystick.domain.slot import Slot, SlotKey, slot_partition
from tallystick.stores.dynamodb.layout import (
    DUE_AT,
    DUE_IN,
    SEPARATOR,
    due_partition,
    joined,
    slot_place,
    slot_rank,
)
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.table import Attribute, Item, Table, Write

SLOTS = "slot"


def slot_of(item: Item) -> Slot:
    return replace(unpacked(item["slot"], Slot), due=DUE_IN in item)


def read_slot(table: Table, key: SlotKey) -> tuple[Slot | None, int]:
    """The slot, and how often it was written."""
    item = table.get(slot_place(key))
    return (None, 0) if item is None else (slot_of(item), int(item["writes"]))


def slot_write(slot: Slot, writes: int) -> Write:
    """The slot in place of what was read after so many writes."""
    item: dict[str, Attribute] = {"slot": packed(slot), "writes": writes + 1}
    if slot.due:
        rank = slot_rank(slot.key)
        partition = due_partition(SLOTS, slot_partition(slot.key))
        item |= {DUE_IN: partition, DUE_AT: joined(slot.due_at) + SEPARATOR + rank}
    return Write(place=slot_place(slot.key), put=item, expect={"writes": writes or None})
