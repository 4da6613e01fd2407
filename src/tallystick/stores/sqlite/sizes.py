"""How large the parts of the event log may become: all of its tuning in one place."""

from dataclasses import dataclass
from typing import Final

HASH_BITS: Final = 48
"""Two keys of a hundred million share a hash now and then. That costs a look at both events, and
two bytes more for each key would cost more."""

WORD_BITS: Final = 64
FILTER_BITS: Final = 16
"""Bits of a filter for each key at least, and twice as many at most."""


def filter_words(keys: int) -> int:
    """How many words a filter over so many keys has: a power of two."""
    words = max(1, keys * FILTER_BITS // WORD_BITS)
    return 1 << (words - 1).bit_length()


def filter_bytes(keys: int) -> int:
    return filter_words(keys) * WORD_BITS // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Tests make all of it small, so that a few events meet everything that millions would.

    The events of a call become a segment, and more than `segment_max` of them several. Segments of
    fewer than `small_max` events and `small_bytes` that follow one another are gathered into one,
    as soon as they hold `gathered_events`, or `gathered_bytes`, or a larger one comes.

    `recent_max` keys wait in memory (about 100 bytes each) before they become a run; `fan_in` runs
    become one; `slice_keys` of them move at once; all filters together take `filters_max` bytes.
    After a store was opened, `filled_pages` of a run go into them with each transaction, or as many
    as keys were looked up in the one before: a first write that read a hundred million keys would
    take a minute, and a lone event must not wait for what a large batch can.
    `hash_bits` must stay what it was for a file.
    """

    segment_max: int = 4_096
    small_max: int = 64
    small_bytes: int = 16 * 1024
    gathered_events: int = 256
    gathered_bytes: int = 128 * 1024
    signpost_every: int = 1_024
    accounts_max: int = 16_384
    recent_max: int = 65_536
    fan_in: int = 6
    slice_keys: int = 16_384
    filled_pages: int = 256
    filters_max: int = 256 * 1024 * 1024
    hash_bits: int = HASH_BITS


STANDARD: Final = Sizes()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMemory:
    """The filters over all keys, in bytes: with fewer than are needed, more keys that are new are
    looked for in the file."""

    needed: int
    allowed: int
