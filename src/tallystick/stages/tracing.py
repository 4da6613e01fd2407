"""Trace: from a number told to the provider back to exactly the events behind it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.errors import InvariantViolated, NotFound
from tallystick.domain.event import Event
from tallystick.domain.ledger import Entry
from tallystick.domain.publication import Publication
from tallystick.domain.quantity import ZERO, add
from tallystick.domain.slot import SlotKey, parse_slot_key
from tallystick.ports import Change, Due, Store
from tallystick.stages.recounting import entries_of, pages


@dataclass(frozen=True, slots=True)
class Line:
    """One Entry behind a slot's total: what it put there, and the changes that it covers."""

    entry: Entry
    quantity: Decimal
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that is behind a slot's total: at one publication, or as the ledger stands now."""

    slot: SlotKey
    total: Decimal
    publication: Publication | None
    lines: tuple[Line, ...]

    def event_keys(self) -> list[tuple[str, str]]:
        """(tenant, key) of each event, in the order in which they were counted, each once."""
        keys = (
            (c.contribution.key.tenant, c.contribution.event_key)
            for line in self.lines
            for c in line.changes
        )
        return list(dict.fromkeys(keys))


def trace(store: Store, subject: str) -> Lineage:
    """The lineage of a publication (by its identifier) or of a slot's total now (by its key).

    Raises NotFound; InvariantViolated where the Entries do not add up to the number.
    """
    found = store.outbox.publications(identifier=subject).elements
    if found:
        publication = found[0]
        return _lineage(store, publication.slot, publication.slot_version, publication)
    try:
        key = parse_slot_key(subject)
    except ValueError as error:
        raise NotFound(f"no publication has the identifier {subject!r}, and {error}") from error
    slots = (d.slot for d in _slots_of(store, key) if d.slot.key == key)
    slot = next(slots, None)
    if slot is None:
        raise NotFound(f"there is no slot {subject}")
    return _lineage(store, key, slot.version, None)


def _slots_of(store: Store, key: SlotKey) -> Iterator[Due]:
    return pages(
        lambda cursor: store.outbox.slots(
            route=key.route, destination=key.destination, cursor=cursor
        )
    )


def _lineage(store: Store, slot: SlotKey, version: int, publication: Publication | None) -> Lineage:
    lines: list[Line] = []
    total = ZERO
    entries = pages(lambda cursor: store.ledger.entries(slot=slot, cursor=cursor))
    for entry, _ in zip(entries, range(version), strict=False):
        quantity = given_to(slot, entry)
        total = add(total, quantity)
        lines.append(Line(entry, quantity, covered(store, entry)))
    told = publication if publication and publication.slot_version == version else None
    if told is not None and total != told.total:
        raise InvariantViolated(
            f"the Entries of {slot} add up to {total}, the publication says {told.total}"
        )
    return Lineage(slot, total, told, tuple(lines))


def given_to(slot: SlotKey, entry: Entry) -> Decimal:
    """What an Entry put into a slot; negative where it took from it."""
    return sum((a.quantity for a in entry.allocations if a.place.slot == slot), ZERO)


def covered(store: Store, entry: Entry) -> tuple[Change, ...]:
    """The changes that an Entry brought into a slot: those since the Entry of its key that last
    did so, up to its own position. One that goes on with a fall covers what began it."""
    return tuple(_changes(store, entry.key, covered_after(store, entry), entry.position))


def covered_after(store: Store, entry: Entry) -> int:
    """The position after which the changes begin that an Entry covers."""
    if entry.revision == 1:
        return 0  # as the key's first it covers all, and the chain need not be read
    before = after = 0
    for earlier in entries_of(store, entry.key.tenant, entry.key.meter):
        if earlier.line >= entry.line:
            break
        if earlier.key == entry.key and (earlier.released or earlier.moved):
            before, after = after, earlier.position
    return before if entry.kind == "lowering" else after


def _changes(store: Store, key: AggregateKey, after: int, upto: int) -> Iterator[Change]:
    while found := store.events.changes(key, after=after, upto=upto):
        yield from found
        after = found[-1].position


def events_behind(store: Store, keys: Iterable[tuple[str, str]]) -> Iterator[Event]:
    """The events themselves."""
    for tenant, key in keys:
        event = store.events.event(tenant, key)
        if event is None:
            raise InvariantViolated(f"event {key!r} of {tenant!r} was counted and is gone")
        yield event
