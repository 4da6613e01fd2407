"""Checkpoints of the ledger in memory."""

from tallystick.domain.checkpoint import ChainEnd, Checkpoint, Taken
from tallystick.domain.ledger import GENESIS
from tallystick.ports import PAGE, Page
from tallystick.stores.memory.pages import page_of
from tallystick.stores.memory.tables import Storage


class MemoryCheckpoints:
    """`tallystick.ports.Checkpoints` on dictionaries."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def ends(self, *, cursor: str = "", limit: int = PAGE) -> Page[tuple[ChainEnd, str]]:
        with self._storage.opened() as tables:
            found = (
                (chain, (ChainEnd(*chain, head.line, head.hash), tables.covered.get(chain, "")))
                for chain, head in tables.heads.items()
            )
            return page_of(found, cursor, limit)

    def keep(self, taken: Taken) -> bool:
        checkpoint = taken.checkpoint
        with self._storage.opened() as tables:
            number = len(tables.checkpoints)
            last = tables.checkpoints[number].checkpoint.hash if number else GENESIS
            if number and last == checkpoint.hash:
                return True
            if (checkpoint.number, checkpoint.previous_hash) != (number + 1, last):
                return False
            tables.checkpoints[checkpoint.number] = taken
            tables.covered.update({end.chain: end.hash for end in taken.moved or ()})
            return True

    def last(self) -> Checkpoint | None:
        with self._storage.opened() as tables:
            kept = tables.checkpoints.get(len(tables.checkpoints))
            return None if kept is None else kept.checkpoint

    def list(self, *, after: int = 0, limit: int = PAGE) -> tuple[Checkpoint, ...]:
        with self._storage.opened() as tables:
            upto = min(after + limit, len(tables.checkpoints))
            return tuple(tables.checkpoints[n].checkpoint for n in range(after + 1, upto + 1))

    def moved(self, number: int) -> tuple[ChainEnd, ...]:
        with self._storage.opened() as tables:
            kept = tables.checkpoints.get(number)
            return () if kept is None else kept.moved or ()
