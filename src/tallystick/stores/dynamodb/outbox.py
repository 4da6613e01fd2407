"""The slots and their publications, in DynamoDB."""

from collections.abc import Sequence
from dataclasses import replace

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.instant import LATEST
from tallystick.domain.publication import AT_ONCE, Publication, next_look
from tallystick.domain.reading import confirmed_after
from tallystick.domain.slot import Slot, SlotKey
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Due, Page
from tallystick.stores.dynamodb.due import due_page
from tallystick.stores.dynamodb.layout import (
    AFTER_ALL_NAMES,
    due_partition,
    due_partitions,
    identifier_place,
    joined,
    publication_place,
)
from tallystick.stores.dynamodb.listing import (
    Directory,
    Names,
    Ranked,
    page_of,
    place_after,
    walked,
)
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.slots import SLOTS, read_slot, slot_of, slot_write
from tallystick.stores.dynamodb.table import Attribute, Item, Refused, Table, Write

TRIES_MAX = 200


class DynamoOutbox:
    """`tallystick.ports.Outbox` on the table."""

    def __init__(self, table: Table, series: Directory) -> None:
        self._table = table
        self._series = series

    def slots_due(
        self,
        now: int = LATEST,
        *,
        partition: int | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        until = joined(now) + AFTER_ALL_NAMES
        wanted = due_partitions(SLOTS) if partition is None else [due_partition(SLOTS, partition)]
        return due_page(self._table, wanted, self._due, before=until, cursor=cursor, limit=limit)

    def slots(
        self,
        *,
        route: str = "",
        destination: str = "",
        starting: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        after = place_after(cursor, 2)
        prefix = (route,) if route else ()
        few = limit + 1
        series = self._series.names(*prefix, listed=destination, from_place=after[0], few=few)
        # Slots lie in order of their start.
        since = joined(starting.start - 1) if starting else ""
        until = joined(starting.end) if starting else ""
        items = walked(
            self._table, series, _slots_partition, after, since=since, until=until, few=few
        )
        return page_of(((place, self._due(item)) for place, item in items), limit)

    def intend(self, batch: Sequence[Publication]) -> tuple[bool, ...]:
        return tuple([self._intend(publication) for publication in batch])

    def advance(self, batch: Sequence[tuple[Publication, Publication]]) -> tuple[bool, ...]:
        return tuple([self._advance(before, after) for before, after in batch])

    def clear_due(self, read: Sequence[Slot]) -> None:
        for slot in read:
            stored, writes = read_slot(self._table, slot.key)
            if stored is not None and _is_unchanged(stored, slot) and stored.is_settled:
                self._written([slot_write(replace(stored, due=False), writes)])

    def adjust(self, before: Slot, after: Slot) -> bool:
        stored, writes = read_slot(self._table, before.key)
        if stored is None or not _is_unchanged(stored, before):
            return False
        if stored.confirmed != before.confirmed or stored.unsettled is not None:
            return False
        adjusted = replace(
            stored,
            confirmed=after.confirmed,
            earlier=after.earlier,
            due=after.due,
            due_at=AT_ONCE,
        )
        return self._written([slot_write(adjusted, writes)])

    def publications(
        self,
        *,
        slot: SlotKey | None = None,
        identifier: str = "",
        unsettled: bool = False,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Publication]:
        after = place_after(cursor, 2)

        def chosen() -> Ranked[Publication]:
            for place, item in self._publications(slot, identifier, after, limit + 1):
                publication = unpacked(item["publication"], Publication)
                if slot in (None, publication.slot) and not (
                    unsettled and publication.state.is_settled
                ):
                    yield place, publication

        return page_of(chosen(), limit)

    def _publications(
        self, slot: SlotKey | None, identifier: str, after: tuple[str, ...], few: int
    ) -> Ranked[Item]:
        """As few as may be the ones wanted: by identifier, of a slot's series, or all."""
        if identifier:
            pointer = self._table.get(identifier_place(identifier))
            if pointer is None:
                return
            place = (str(pointer["partition"]), str(pointer["sort"]))
            item = self._table.get(place)
            if item is not None and place > after:
                yield place, item
            return
        series = self._series.names(from_place=after[0], few=few)
        prefix = ""
        if slot is not None:
            names = (slot.route, slot.account, slot.destination, slot.counter)
            series = iter([(joined(*names), names)])
            prefix = joined(slot.start, "")
        yield from walked(
            self._table, series, _publications_partition, after, prefix=prefix, few=few
        )

    def _due(self, item: Item) -> Due:
        slot = slot_of(item)
        if slot.unsettled is None:
            return Due(slot)
        page = self.publications(identifier=slot.unsettled)
        return Due(slot, page.elements[0] if page.elements else None)

    def _intend(self, publication: Publication) -> bool:
        slot, writes = read_slot(self._table, publication.slot)
        if slot is None or slot.unsettled is not None:
            return False
        if slot.revision + 1 != publication.slot_revision:
            return False
        if slot.version != publication.slot_version:
            return False
        intended = replace(
            slot,
            revision=publication.slot_revision,
            unsettled=publication.identifier,
            due_at=next_look(publication, slot),
        )
        place = publication_place(publication.slot, publication.slot_revision)
        return self._written(
            [
                slot_write(intended, writes),
                Write(place=place, put=_publication_item(publication)),
                Write(
                    place=identifier_place(publication.identifier),
                    put={"partition": place[0], "sort": place[1]},
                    expect={"partition": None},
                ),
            ]
        )

    def _advance(self, before: Publication, after: Publication) -> bool:
        """The slot changes with its publication, and others may change it meanwhile."""
        place = publication_place(before.slot, before.slot_revision)
        for _ in range(TRIES_MAX):
            item = self._table.get(place)
            slot, writes = read_slot(self._table, after.slot)
            if item is None or slot is None or item["step"] != before.step:
                return False
            changes = [
                Write(place=place, put=_publication_item(after), expect={"step": before.step}),
                slot_write(_looked_at(slot, after), writes),
            ]
            if self._written(changes):
                return True
        raise StoreUnavailable(f"{after.slot} is too busy: try again")

    def _written(self, writes: Sequence[Write]) -> bool:
        try:
            self._table.write(writes)
        except Refused:
            return False
        return True


def _looked_at(slot: Slot, after: Publication) -> Slot:
    """The slot with what became of its publication."""
    looked_at = replace(slot, due_at=next_look(after, slot))
    if not after.state.is_settled:
        return looked_at
    return replace(
        looked_at,
        confirmed=confirmed_after(after, slot),
        earlier=(*slot.earlier, after.total),
        unsettled=None,
    )


def _is_unchanged(stored: Slot, read: Slot) -> bool:
    return stored.version == read.version and stored.revision == read.revision


def _publication_item(publication: Publication) -> dict[str, Attribute]:
    return {"publication": packed(publication), "step": publication.step}


def _slots_partition(names: Names) -> str:
    return joined("slot", *names)


def _publications_partition(names: Names) -> str:
    return joined("publications", *names)
