"""Checkpoints of the ledger in DynamoDB.

A checkpoint may cover more chains than a transaction holds. So the ends that moved are written
first, each under the checkpoint's hash and as a claim beside its chain's head; then the checkpoint
itself, on the condition that its number is free. A claim holds only where that checkpoint stands:
what a crash or a rival left is passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from tallystick.domain.checkpoint import ChainEnd, Checkpoint, Taken
from tallystick.domain.ledger import GENESIS
from tallystick.ports import PAGE, Page
from tallystick.stores.dynamodb.layout import Place, head_place, joined
from tallystick.stores.dynamodb.listing import Directory, Names, page_of, place_after
from tallystick.stores.dynamodb.packing import packed, row, unpacked
from tallystick.stores.dynamodb.table import Item, Refused, Table, Write

CHECKPOINTS: Final = joined("checkpoints")
LAST: Final[Place] = (joined("counter"), joined("checkpoints"))
READ_AT_ONCE: Final = 100

Claim = tuple[int, str, str]
"""(number of a checkpoint, its hash, the end's hash)."""


@dataclass(slots=True)
class Standing:
    """Which checkpoints stand, looked up once each."""

    table: Table
    _hashes: dict[int, str] = field(default_factory=dict)

    def has(self, claim: Claim) -> bool:
        number, told, _ = claim
        if number not in self._hashes:
            found = self.table.get(_place(number))
            if found is None:
                return False
            self._hashes[number] = _checkpoint(found).hash
        return self._hashes[number] == told


class DynamoCheckpoints:
    """`tallystick.ports.Checkpoints` on the table."""

    def __init__(self, table: Table, chains: Directory) -> None:
        self._table = table
        self._chains = chains

    def ends(self, *, cursor: str = "", limit: int = PAGE) -> Page[tuple[ChainEnd, str]]:
        (after,) = place_after(cursor, 1)

        def found() -> Iterator[tuple[tuple[str], tuple[ChainEnd, str]]]:
            standing = Standing(self._table)
            named = (pair for pair in self._chains.names(from_place=after) if pair[0] != after)
            while chunk := list(islice(named, READ_AT_ONCE)):
                heads = self._table.get_all([head_place(*_chain(names)) for _, names in chunk])
                for place, names in chunk:
                    head = heads.get(head_place(*_chain(names)))
                    if head is not None and "line" in head:
                        end = ChainEnd(*_chain(names), int(head["line"]), str(head["hash"]))
                        yield (place,), (end, _covered(head, standing))

        return page_of(found(), limit)

    def keep(self, taken: Taken) -> bool:
        checkpoint = taken.checkpoint
        last = self.last()
        if last is not None and last.hash == checkpoint.hash:
            return True
        number, previous = (last.number, last.hash) if last is not None else (0, GENESIS)
        if (checkpoint.number, checkpoint.previous_hash) != (number + 1, previous):
            return False
        for end in taken.moved or ():
            self._claim(checkpoint, end)
        try:
            self._table.write(
                [
                    Write(
                        place=_place(checkpoint.number),
                        put={"checkpoint": packed(checkpoint)},
                        expect={"checkpoint": None},
                    ),
                    Write(place=LAST, put={"number": checkpoint.number}),
                ]
            )
        except Refused:
            kept = self.last()
            return kept is not None and kept.hash == checkpoint.hash
        return True

    def last(self) -> Checkpoint | None:
        counter = self._table.get(LAST)
        item = None if counter is None else self._table.get(_place(int(counter["number"])))
        return None if item is None else _checkpoint(item)

    def list(self, *, after: int = 0, limit: int = PAGE) -> tuple[Checkpoint, ...]:
        items = self._table.query(CHECKPOINTS, after=joined(after), few=limit)
        return tuple(_checkpoint(item) for item in islice(items, limit))

    def moved(self, number: int) -> tuple[ChainEnd, ...]:
        item = self._table.get(_place(number))
        if item is None:
            return ()
        ends = self._table.query(_moved_partition(_checkpoint(item)))
        return tuple(unpacked(each["end"], ChainEnd) for each in ends)

    def _claim(self, checkpoint: Checkpoint, end: ChainEnd) -> None:
        """Say what the checkpoint, should it come to stand, has for the end's chain."""
        moved = (_moved_partition(checkpoint), joined(end.tenant, end.meter))
        self._table.put(Write(place=moved, put={"end": packed(end)}))
        claim: Claim = (checkpoint.number, checkpoint.hash, end.hash)
        while True:
            head = self._table.get(head_place(end.tenant, end.meter))
            claims = _claims(head)
            if claim in claims:
                return
            standing = Standing(self._table)
            kept = [each for each in claims if standing.has(each)][-1:]
            rivals = [each for each in claims if each[0] == checkpoint.number]
            before = None if head is None or "claims" not in head else head["claims"]
            told = Write(
                place=head_place(end.tenant, end.meter),
                sets={"claims": packed([*kept, *rivals, claim])},
                expect={"claims": before},
            )
            try:
                self._table.write([told])
            except Refused:
                continue
            return


def _place(number: int) -> Place:
    return (CHECKPOINTS, joined(number))


def _moved_partition(checkpoint: Checkpoint) -> str:
    return joined("moved", checkpoint.hash)


def _checkpoint(item: Item) -> Checkpoint:
    return unpacked(item["checkpoint"], Checkpoint)


def _chain(names: Names) -> tuple[str, str]:
    return names[0], names[1]


def _claims(head: Item | None) -> list[Claim]:
    told = row(head["claims"]) if head is not None and "claims" in head else []
    return [(int(number), str(checkpoint), str(end)) for number, checkpoint, end in told]


def _covered(head: Item, standing: Standing) -> str:
    """What the newest checkpoint that stands has for the chain."""
    return next((each[2] for each in reversed(_claims(head)) if standing.has(each)), "")
