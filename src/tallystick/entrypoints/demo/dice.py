"""Seeded choices: the same seed and subject always give the same answer, in whatever order."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dice:
    """Chance that depends on what it is about, and not on what was asked before."""

    seed: int

    def below(self, limit: int, *subject: object) -> int:
        """A number from 0 to limit - 1."""
        recipe = repr((self.seed, subject)).encode()
        drawn = int.from_bytes(hashlib.blake2b(recipe, digest_size=8).digest())
        return drawn % limit

    def happens(self, per_thousand: int, *subject: object) -> bool:
        return self.below(1_000, *subject) < per_thousand

    def shuffled(self, things: Iterable[T], *subject: object) -> list[T]:
        numbered = enumerate(things)
        ranked = sorted((self.below(1 << 62, n, *subject), n, thing) for n, thing in numbered)
        return [thing for _, _, thing in ranked]
