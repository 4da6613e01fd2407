"""`append`: an Entry, or a linked pair, with the slots it raises, as one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.ledger import Balance, Entry
from tallystick.domain.publication import AT_ONCE
from tallystick.domain.quantity import add
from tallystick.domain.slot import Slot, SlotKey
from tallystick.ports import Appended
from tallystick.stores.dynamodb.event_rows import aggregate_of, due_mark
from tallystick.stores.dynamodb.layout import (
    Place,
    aggregate_place,
    balance_place,
    head_place,
    joined,
    last_place,
    line_place,
    placed_place,
    slot_entries_partition,
    slot_place,
)
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.slots import slot_of, slot_write
from tallystick.stores.dynamodb.table import Attribute, Item, Refused, Table, Write

REFUSALS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Read:
    """What stands where the Entries are to go."""

    items: dict[Place, Item]

    def line(self, entry: Entry) -> Item | None:
        return self.items.get(line_place(entry.key.tenant, entry.key.meter, entry.line))

    def head(self, entry: Entry) -> Item | None:
        return self.items.get(head_place(entry.key.tenant, entry.key.meter))

    def last(self, entry: Entry) -> Item | None:
        return self.items.get(last_place(entry.key))

    def balance(self, entry: Entry) -> Item | None:
        return self.items.get(balance_place(entry.key, entry.period))

    def slot(self, key: SlotKey) -> tuple[Slot | None, int]:
        item = self.items.get(slot_place(key))
        return (None, 0) if item is None else (slot_of(item), int(item["writes"]))


def append_all(
    table: Table, batch: Sequence[tuple[Entry, ...]], pausing: Pausing
) -> tuple[Appended, ...]:
    return tuple([_append(table, entries, pausing) for entries in batch])


def _append(table: Table, entries: tuple[Entry, ...], pausing: Pausing) -> Appended:
    for turn in range(REFUSALS_MAX):
        read = Read(table.get_all(_places(entries)))
        if all(_stands(read, entry) for entry in entries):
            return Appended.ALREADY
        if not (_is_next(read, entries[0]) and _goes_on_from_sums(read, entries)):
            return _what_came(table, entries)
        try:
            table.write(_writes(read, entries))
        except Refused:
            # The chain has gone on, or only a slot that others share has: what stands there says.
            pausing.pause(min(turn, 5))
            continue
        return Appended.APPENDED
    raise StoreUnavailable(f"the DynamoDB table {table.name} is too busy: try again")


def _what_came(table: Table, entries: tuple[Entry, ...]) -> Appended:
    """Whether what stands where the Entries belong is they. Their lines are looked at once more:
    several items are not read at one instant, and the head may have been read after them."""
    lines = [line_place(entry.key.tenant, entry.key.meter, entry.line) for entry in entries]
    read = Read(table.get_all(lines))
    is_there = all(_stands(read, entry) for entry in entries)
    return Appended.ALREADY if is_there else Appended.STALE


def _places(entries: tuple[Entry, ...]) -> list[Place]:
    places: list[Place] = []
    for entry in entries:
        key = entry.key
        places += [
            line_place(key.tenant, key.meter, entry.line),
            head_place(key.tenant, key.meter),
            last_place(key),
            balance_place(key, entry.period),
            aggregate_place(key),
            *(slot_place(allocation.place.slot) for allocation in entry.allocations),
        ]
    return places


def _stands(read: Read, entry: Entry) -> bool:
    there = read.line(entry)
    return there is not None and there["hash"] == entry.hash


def _is_next(read: Read, entry: Entry) -> bool:
    head, last = read.head(entry), read.last(entry)
    if head is None:
        follows = entry.line == 1
    else:
        follows = entry.line == int(head["line"]) + 1 and entry.previous_hash == head["hash"]
    if last is None:
        return follows and entry.revision == 1
    position = int(last["position"])
    reaches = entry.position > position or (entry.position == position and not entry.delta)
    return follows and entry.revision == int(last["revision"]) + 1 and reaches


def _goes_on_from_sums(read: Read, entries: tuple[Entry, ...]) -> bool:
    """Whether the series' sums are those that the Entries were computed from: whoever read the head
    may have been shown older sums than belong to it."""
    sums: dict[Place, Balance] = {}
    for entry in entries:
        place = balance_place(entry.key, entry.period)
        before = sums.get(place) or balance_of(read.balance(entry))
        billed = add(before.billed, add(entry.released, entry.moved))
        allocated = before.allocated
        for allocation in entry.allocations:
            allocated = add(allocated, allocation.quantity)
        sums[place] = Balance(billed, allocated)
        if sums[place] != Balance(entry.billed, entry.allocated):
            return False
    return True


def balance_of(item: Item | None) -> Balance:
    return Balance() if item is None else unpacked(item["balance"], Balance)


def _writes(read: Read, entries: tuple[Entry, ...]) -> list[Write]:
    """By place, so that a pair's second Entry takes over what both write."""
    writes: dict[Place, Write] = {}
    raised: dict[SlotKey, Slot] = {}
    for entry in entries:
        for key in _raise(read, raised, entry):
            version = raised[key].version
            pointer: dict[str, Attribute] = {
                "tenant": entry.key.tenant,
                "meter": entry.key.meter,
                "line": entry.line,
            }
            place = (slot_entries_partition(key), joined(version))
            writes[place] = Write(place=place, put=pointer)
        for write in _entry_writes(read, entry):
            writes[write.place] = write
    for write in (_head_write(read, entries), *_aggregate_writes(read, entries)):
        writes[write.place] = write
    for key, slot in raised.items():
        writes[slot_place(key)] = slot_write(slot, read.slot(key)[1])
    return list(writes.values())


def _raise(read: Read, raised: dict[SlotKey, Slot], entry: Entry) -> list[SlotKey]:
    """Raise the slots that the Entry allocates to; which they are, once each."""
    touched: list[SlotKey] = []
    for allocation in entry.allocations:
        key = allocation.place.slot
        slot = raised.get(key) or read.slot(key)[0] or Slot(place=allocation.place)
        raised[key] = replace(
            slot, total=add(slot.total, allocation.quantity), due=True, due_at=AT_ONCE
        )
        if key not in touched:
            touched.append(key)
    for key in touched:
        raised[key] = replace(raised[key], version=raised[key].version + 1)
    return touched


def _entry_writes(read: Read, entry: Entry) -> list[Write]:
    key, before, sums = entry.key, read.last(entry), read.balance(entry)
    line = line_place(key.tenant, key.meter, entry.line)
    last = {"line": entry.line, "revision": entry.revision, "position": entry.position}
    balance = Balance(entry.billed, entry.allocated)
    writes = [
        Write(place=line, put={"entry": packed(entry), "hash": entry.hash}),
        # Beside the head's condition, since these may have been read before the head was.
        Write(
            place=last_place(key),
            put=last,
            expect={"revision": None if before is None else int(before["revision"])},
        ),
        Write(
            place=balance_place(key, entry.period),
            put={"balance": packed(balance)},
            expect={"balance": None if sums is None else sums["balance"]},
        ),
    ]
    if entry.allocations:
        place = placed_place(key, entry.period, entry.line)
        writes.append(Write(place=place, put={"line": entry.line}))
    return writes


def _head_write(read: Read, entries: tuple[Entry, ...]) -> Write:
    """The chain's new end, on the condition that it ended where the first Entry begins. All that
    an Entry must follow changes only with the head, so this one condition covers it."""
    head = read.head(entries[0])
    return Write(
        place=head_place(entries[0].key.tenant, entries[0].key.meter),
        sets={"line": entries[-1].line, "hash": entries[-1].hash},
        expect={"line": None if head is None else int(head["line"])},
    )


def _aggregate_writes(read: Read, entries: tuple[Entry, ...]) -> list[Write]:
    """Sealed, and due anew: a writer that slept may append an old total after another saw the new
    one, whether that one has taken the mark already or is about to. On no condition but of the
    marks: an Aggregate never goes away, and events may come meanwhile."""
    places = {aggregate_place(entry.key) for entry in entries}
    return [_marked(place, read.items[place]) for place in places if place in read.items]


def _marked(place: Place, item: Item) -> Write:
    aggregate = aggregate_of(item)
    return Write(
        place=place,
        sets={"sealed": 1, "marks": aggregate.marks + 1, **due_mark(aggregate)},
        expect={"marks": aggregate.marks or None},
    )
