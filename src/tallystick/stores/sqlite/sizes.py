"""How large the parts of the event log may become: all of its tuning in one place."""

from dataclasses import dataclass
from typing import Final

HASH_BITS: Final = 48
"""Two keys of a hundred million share a hash now and then. That costs a look at both events, and
two bytes more for each key would cost more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Tests make all of it small, so that a few events meet everything that millions would.

    Fewer events than `segment_min` in a call become rows; more than `segment_max` become several
    segments. `recent_max` keys wait in memory (about 100 bytes each) before they become a run;
    `fan_in` runs become one; `slice_keys` of them move at once; all filters together take
    `filters_max` bytes. `hash_bits` must stay what it was for a file.
    """

    segment_min: int = 24
    segment_max: int = 4_096
    signpost_every: int = 1_024
    accounts_max: int = 16_384
    recent_max: int = 65_536
    fan_in: int = 6
    slice_keys: int = 16_384
    filters_max: int = 256 * 1024 * 1024
    hash_bits: int = HASH_BITS


STANDARD: Final = Sizes()
