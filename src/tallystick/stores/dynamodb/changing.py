"""An Aggregate's changes: chunks that name events by digest, written with the Aggregate."""

from collections.abc import Sequence
from typing import Final

from tallystick.domain.aggregate import AggregateKey, Contribution
from tallystick.domain.errors import InvariantViolated
from tallystick.ports import Change
from tallystick.stores.dynamodb.event_rows import Stored, stored_of
from tallystick.stores.dynamodb.layout import (
    Place,
    changes_partition,
    event_digest,
    event_place,
    joined,
)
from tallystick.stores.dynamodb.packing import packed, row
from tallystick.stores.dynamodb.table import Attribute, Item, Table, place_of

DIGEST_BYTES: Final = 16


def chunk_place(key: AggregateKey, last_position: int) -> Place:
    return (changes_partition(key), joined(last_position))


def chunk_item(key: AggregateKey, changes: Sequence[Change]) -> dict[str, Attribute]:
    """The changes by the digests of their events; a removal also by who removed."""
    digests = (event_digest(key.tenant, change.contribution.event_key) for change in changes)
    item: dict[str, Attribute] = {
        "first": changes[0].position,
        "events": b"".join(bytes.fromhex(digest) for digest in digests),
    }
    removals = [[place, change.by] for place, change in enumerate(changes) if change.removed]
    if removals:
        item["removals"] = packed(removals)
    return item


def digests_in(item: Item) -> list[str]:
    """Those of the events that an item lists."""
    told = item["events"]
    if not isinstance(told, bytes):
        raise InvariantViolated(f"{place_of(item)} lists no events")
    return [told[i : i + DIGEST_BYTES].hex() for i in range(0, len(told), DIGEST_BYTES)]


def read_changes(
    table: Table, key: AggregateKey, *, after: int, upto: int, limit: int
) -> list[Change]:
    """The changes with after < position <= upto, the first `limit`."""
    chunks: list[Item] = []
    number = 0
    for chunk in table.query(changes_partition(key), after=joined(after), few=limit):
        if int(chunk["first"]) > upto or number >= limit:
            break
        chunks.append(chunk)
        number += len(digests_in(chunk)) - max(0, after + 1 - int(chunk["first"]))
    named = [event_place(digest) for chunk in chunks for digest in digests_in(chunk)]
    events = {place: stored_of(item) for place, item in table.get_all(named).items()}
    found = [change for chunk in chunks for change in _changes_of(chunk, key, events)]
    return [change for change in found if after < change.position <= upto][:limit]


def _changes_of(chunk: Item, key: AggregateKey, events: dict[Place, Stored]) -> list[Change]:
    first, removed = int(chunk["first"]), dict(row(chunk.get("removals", "[]")))
    return [
        Change(
            first + place,
            _contribution(events.get(event_place(digest)), key, chunk),
            place in removed,
            removed.get(place, ""),
        )
        for place, digest in enumerate(digests_in(chunk))
    ]


def _contribution(stored: Stored | None, key: AggregateKey, chunk: Item) -> Contribution:
    for contribution in stored.contributions if stored else ():
        if contribution.key == key:
            return contribution
    raise InvariantViolated(
        f"{place_of(chunk)}, a chunk of {key}, names an event that added nothing to it"
    )
