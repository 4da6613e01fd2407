"""Checkpointing: every hour, write down where the ledger's chains end."""

from collections.abc import Iterator
from typing import Final

from tallystick.domain.checkpoint import Checkpoint, Signer, Taken, is_due, taken
from tallystick.ports import Store
from tallystick.stages.recounting import pages

AT_ONCE: Final = 200
"""So many checkpoints are read at once; the ends that moved one by one."""


def take(
    store: Store, now: int, *, grace: int, signer: Signer | None, only_if_due: bool = False
) -> Taken | None:
    """Take a checkpoint and store it. None where none is due, where there is no chain yet, and
    where another process took one meanwhile.

    Reads the end of every chain, and no more of it. Entries that are appended meanwhile may be in
    it or not; each end in it is one that the chain had.
    """
    last = store.checkpoints.last()
    if only_if_due and not is_due(last, now):
        return None
    found = taken(
        pages(lambda cursor: store.checkpoints.ends(cursor=cursor)),
        last,
        now=now,
        watermark=now - grace,
        incarnation=store.incarnation,
        signer=signer,
    )
    if not found.checkpoint.chains:
        return None
    return found if store.checkpoints.keep(found) else None


def listed(store: Store, after: int = 0) -> Iterator[Checkpoint]:
    """The store's checkpoints beyond a number."""
    while page := store.checkpoints.list(after=after, limit=AT_ONCE):
        yield from page
        after = page[-1].number


def kept(store: Store, after: int = 0) -> Iterator[Taken]:
    """The same, each with the ends that moved."""
    for checkpoint in listed(store, after):
        yield Taken(checkpoint, store.checkpoints.moved(checkpoint.number))
