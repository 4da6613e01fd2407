"""Doubt: have read back what the provider reports as not counted, however we heard of it.

A report names one request, not every copy of it, and it comes with samples only: it is a reason to
read the total, and no verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tallystick.domain.publication import State, doubted
from tallystick.domain.statement import Rejection
from tallystick.ports import Store


@dataclass(frozen=True, slots=True)
class Doubts:
    """How many publications are read back now because of it, and how many could not take it yet:
    their own answer is under way, or somebody changed them at the same moment."""

    stored: int
    early: int


def doubt(store: Store, rejections: Iterable[Rejection], now: int) -> Doubts:
    """Have every accepted publication read that the provider reports as not counted.

    What is settled stays so, and what is doubted already is not changed again.
    """
    pairs, early = [], 0
    for rejection in rejections:
        for one in store.outbox.publications(identifier=rejection.identifier).elements:
            if one.state is State.ACCEPTED:
                if one.read_from > now:
                    detail = f"{rejection.code}: {rejection.detail}"
                    pairs.append((one, doubted(one, detail, now)))
            elif not one.state.is_settled and one.resendable:
                early += 1
    stored = sum(store.outbox.advance(pairs))
    return Doubts(stored, early + len(pairs) - stored)
