"""The append-only ledger and the Aggregates' due marks, in DynamoDB."""

from collections.abc import Sequence
from itertools import islice

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.ledger import Allocation, Book, Entry, Head, Holding
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.slot import SlotKey
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Appended, Page
from tallystick.stores.dynamodb.appending import append_all, balance_of
from tallystick.stores.dynamodb.due import due_page
from tallystick.stores.dynamodb.errands import Errands
from tallystick.stores.dynamodb.event_rows import AGGREGATES, aggregate_of
from tallystick.stores.dynamodb.layout import (
    AFTER_ALL_NAMES,
    DUE_AT,
    DUE_IN,
    SORT,
    Place,
    aggregate_place,
    balance_place,
    due_partitions,
    head_place,
    joined,
    last_place,
    ledger_partition,
    line_place,
    placed_prefix,
    slot_entries_partition,
    slot_place,
)
from tallystick.stores.dynamodb.listing import (
    Directory,
    Ranked,
    page_of,
    place_after,
    sizes,
    walked,
)
from tallystick.stores.dynamodb.packing import unpacked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.slots import slot_of
from tallystick.stores.dynamodb.table import Item, Refused, Table, Write

LINES = joined("line", "")
SHOWN_AFTER_MAX = 6
"""So often is read again what a transaction of somebody else's has not shown yet."""


class DynamoLedger:
    """`tallystick.ports.Ledger` on the table."""

    def __init__(
        self,
        table: Table,
        chains: Directory,
        slots: Directory,
        errands: Errands,
        pausing: Pausing,
    ) -> None:
        self._table = table
        self._errands = errands
        self._chains = chains
        self._slots = slots
        self._pausing = pausing

    def aggregates_due(
        self, before: int, *, cursor: str = "", limit: int = PAGE
    ) -> Page[Aggregate]:
        self._errands.run()
        return self.marked_due(before, cursor=cursor, limit=limit)

    def marked_due(self, before: int, *, cursor: str = "", limit: int = PAGE) -> Page[Aggregate]:
        """The same, without what a mapping's errand has yet to mark; it only reads."""
        until = joined(before) + AFTER_ALL_NAMES
        wanted = due_partitions(AGGREGATES)
        return due_page(self._table, wanted, aggregate_of, before=until, cursor=cursor, limit=limit)

    def book(self, key: AggregateKey, periods: Sequence[Window]) -> Book:
        # The head before the rest: several items are not read at one instant, and what is computed
        # from sums that are newer than their head is refused, not what is from older ones.
        head = _head(self._table.get(head_place(key.tenant, key.meter)))
        last = last_place(key)
        places = {period: balance_place(key, period) for period in periods}
        found = self._table.get_all([last, *places.values()])
        entry = None
        if last in found:
            entry = self._entry(line_place(key.tenant, key.meter, int(found[last]["line"])))
        balances = {period: balance_of(found.get(place)) for period, place in places.items()}
        return Book(head=head, last=entry, balances=balances)

    def holdings(self, key: AggregateKey, period: Window) -> tuple[Holding, ...]:
        for turn in range(SHOWN_AFTER_MAX):
            found = self._holdings(key, period)
            if found is not None:
                return found
            self._pausing.pause(turn)
        raise StoreUnavailable(
            f"the DynamoDB table {self._table.name} has other sums than lines for {key} in {period}"
        )

    def _holdings(self, key: AggregateKey, period: Window) -> tuple[Holding, ...] | None:
        """None where a transaction shows in some of what was read and not yet in the rest: what the
        slots hold must come to what the series' sums say."""
        sums = self._table.get(balance_place(key, period))
        partition = ledger_partition(key.tenant, key.meter)
        pointers = self._table.query(partition, prefix=placed_prefix(key.group, period))
        lines = [line_place(key.tenant, key.meter, int(pointer["line"])) for pointer in pointers]
        held: dict[SlotKey, Holding] = {}
        placed = ZERO
        for entry in self._entries(lines):
            for allocation in entry.allocations:
                placed = add(placed, allocation.quantity)
                _hold(held, allocation, is_own=entry.key == key)
        slots = self._table.get_all([slot_place(slot) for slot in held])
        if placed != balance_of(sums).allocated or len(slots) < len(held):
            return None
        found = [
            Holding(slot_of(slots[slot_place(slot)]).place, holding.quantity, holding.own)
            for slot, holding in held.items()
            if holding.quantity
        ]
        found.sort(key=lambda h: (h.place.slot.start, h.place.slot), reverse=True)
        return tuple(found)

    def append(self, batch: Sequence[tuple[Entry, ...]]) -> tuple[Appended, ...]:
        for entries in batch:
            for entry in entries:
                self._chains.enter(entry.key.tenant, entry.key.meter)
                for allocation in entry.allocations:
                    slot = allocation.place.slot
                    self._slots.enter(slot.route, slot.account, slot.destination, slot.counter)
        return append_all(self._table, batch, self._pausing)

    def clear_due(self, sealed: Sequence[tuple[AggregateKey, int, int]]) -> None:
        for key, position, marks in sealed:
            taken = Write(
                place=aggregate_place(key),
                removes=(DUE_IN, DUE_AT),
                expect={"position": position, "marks": marks or None},
            )
            try:
                self._table.write([taken])
            except Refused:
                continue  # it has changed since: it stays due

    def entries(
        self,
        *,
        tenant: str = "",
        meter: str = "",
        slot: SlotKey | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Entry]:
        after = place_after(cursor, 2)
        if slot is not None:
            return page_of(self._of_slot(slot, tenant, meter, after[1], limit + 1), limit)
        chains = (
            (place, names)
            for place, names in self._chains.names(
                *((tenant,) if tenant else ()), from_place=after[0], few=limit + 1
            )
            if meter in ("", names[1])
        )
        items = walked(
            self._table,
            chains,
            lambda names: ledger_partition(*names),
            after,
            prefix=LINES,
            few=limit + 1,
        )
        return page_of(((place, unpacked(item["entry"], Entry)) for place, item in items), limit)

    def head(self, tenant: str, meter: str) -> Head:
        return _head(self._table.get(head_place(tenant, meter)))

    def _of_slot(
        self, slot: SlotKey, tenant: str, meter: str, after: str, few: int
    ) -> Ranked[Entry]:
        pointers = self._table.query(slot_entries_partition(slot), after=after, few=few)
        for size in sizes(few):
            chunk = list(islice(pointers, size))
            if not chunk:
                return
            lines = [
                line_place(str(each["tenant"]), str(each["meter"]), int(each["line"]))
                for each in chunk
            ]
            for pointer, entry in zip(chunk, self._entries(lines), strict=True):
                if tenant in ("", entry.key.tenant) and meter in ("", entry.key.meter):
                    yield ("slot", str(pointer[SORT])), entry

    def _entry(self, place: Place) -> Entry:
        return self._entries([place])[0]

    def _entries(self, places: Sequence[Place]) -> list[Entry]:
        """What was read led to these lines, so they are there, or about to be shown."""
        for turn in range(SHOWN_AFTER_MAX):
            found = self._table.get_all(places)
            if found.keys() >= set(places):
                return [unpacked(found[place]["entry"], Entry) for place in places]
            self._pausing.pause(turn)
        raise StoreUnavailable(f"the DynamoDB table {self._table.name} lacks a line of the ledger")


def _head(item: Item | None) -> Head:
    return Head() if item is None else Head(int(item["line"]), str(item["hash"]))


def _hold(held: dict[SlotKey, Holding], allocation: Allocation, *, is_own: bool) -> None:
    slot = allocation.place.slot
    before = held.get(slot) or Holding(allocation.place, ZERO, ZERO)
    own = allocation.quantity if is_own else ZERO
    held[slot] = Holding(
        before.place, add(before.quantity, allocation.quantity), add(before.own, own)
    )
