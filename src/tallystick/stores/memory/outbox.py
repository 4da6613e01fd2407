"""The slots and their publications, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from tallystick.domain.instant import LATEST
from tallystick.domain.publication import AT_ONCE, Publication, next_look
from tallystick.domain.reading import confirmed_after
from tallystick.domain.slot import Slot, SlotKey, slot_partition
from tallystick.domain.window import Window
from tallystick.ports import PAGE, Due, Page
from tallystick.stores.memory.pages import page_of, slot_rank
from tallystick.stores.memory.tables import Storage, Tables


class MemoryOutbox:
    """`tallystick.ports.Outbox` on dictionaries."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def slots_due(
        self,
        now: int = LATEST,
        *,
        partition: int | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        with self._storage.opened() as tables:
            found = (
                ((slot.due_at, *slot_rank(key)), _due(tables, slot))
                for key, slot in tables.slots.items()
                if slot.due and slot.due_at <= now
                if partition in (None, slot_partition(key))
            )
            return page_of(found, cursor, limit)

    def slots(
        self,
        *,
        route: str = "",
        destination: str = "",
        starting: Window | None = None,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Due]:
        with self._storage.opened() as tables:
            found = (
                (slot_rank(key), _due(tables, slot))
                for key, slot in tables.slots.items()
                if route in ("", key.route) and destination in ("", key.destination)
                if starting is None or starting.contains(key.start)
            )
            return page_of(found, cursor, limit)

    def intend(self, batch: Sequence[Publication]) -> tuple[bool, ...]:
        intended = []
        for publication in batch:
            with self._storage.opened() as tables:
                intended.append(_intended(tables, publication))
        return tuple(intended)

    def advance(self, batch: Sequence[tuple[Publication, Publication]]) -> tuple[bool, ...]:
        advanced = []
        for before, after in batch:
            with self._storage.opened() as tables:
                advanced.append(_advanced(tables, before, after))
        return tuple(advanced)

    def clear_due(self, read: Sequence[Slot]) -> None:
        for slot in read:
            with self._storage.opened() as tables:
                stored = tables.slots.get(slot.key)
                if stored is not None and _is_unchanged(stored, slot) and stored.is_settled:
                    tables.slots[slot.key] = replace(stored, due=False)

    def adjust(self, before: Slot, after: Slot) -> bool:
        with self._storage.opened() as tables:
            stored = tables.slots.get(before.key)
            if stored is None or not _is_unchanged(stored, before):
                return False
            if stored.confirmed != before.confirmed or stored.unsettled is not None:
                return False
            tables.slots[before.key] = replace(
                stored,
                confirmed=after.confirmed,
                earlier=after.earlier,
                due=after.due,
                due_at=AT_ONCE,
            )
            return True

    def publications(
        self,
        *,
        slot: SlotKey | None = None,
        identifier: str = "",
        unsettled: bool = False,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[Publication]:
        with self._storage.opened() as tables:
            found = (
                ((*slot_rank(p.slot), p.slot_revision), p)
                for p in tables.publications.values()
                if slot in (None, p.slot)
                and identifier in ("", p.identifier)
                and not (unsettled and p.state.is_settled)
            )
            return page_of(found, cursor, limit)


def _due(tables: Tables, slot: Slot) -> Due:
    return Due(slot, tables.publications[slot.unsettled] if slot.unsettled else None)


def _is_unchanged(stored: Slot, read: Slot) -> bool:
    return stored.version == read.version and stored.revision == read.revision


def _intended(tables: Tables, publication: Publication) -> bool:
    slot = tables.slots.get(publication.slot)
    if slot is None or slot.unsettled is not None:
        return False
    if slot.revision + 1 != publication.slot_revision or slot.version != publication.slot_version:
        return False
    tables.publications[publication.identifier] = publication
    tables.slots[slot.key] = replace(
        slot,
        revision=publication.slot_revision,
        unsettled=publication.identifier,
        due_at=next_look(publication, slot),
    )
    return True


def _advanced(tables: Tables, before: Publication, after: Publication) -> bool:
    stored = tables.publications.get(before.identifier)
    if stored is None or stored.step != before.step:
        return False
    tables.publications[before.identifier] = after
    slot = tables.slots[after.slot]
    looked_at = replace(slot, due_at=next_look(after, slot))
    if after.state.is_settled:
        looked_at = replace(
            looked_at,
            confirmed=confirmed_after(after, slot),
            earlier=(*slot.earlier, after.total),
            unsettled=None,
        )
    tables.slots[after.slot] = looked_at
    return True
