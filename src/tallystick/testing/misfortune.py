"""What can go wrong with a provider: the fate of one request, and when nothing works at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tallystick.domain.window import Window


class Fate(StrEnum):
    """What happens to one request on its way."""

    LANDS = "lands"
    LOST = "lost"
    ANSWER_LOST = "answer_lost"
    LATE = "late"
    BUSY = "busy"
    FAILED = "failed"
    FAILED_AFTER = "failed_after"
    SWALLOWED = "swallowed"
    HOURS_LATE = "hours_late"
    """Beyond the bound that the design assumes: only where a run asks for it by name."""


@dataclass(frozen=True, kw_only=True)
class Misfortune:
    """What goes wrong, in requests of a thousand (`fates`), and when nothing works at all.

    `lag_max` bounds how old a shown total may be. While `unknown` says so of a destination, the
    provider refuses what is sent to it; while `suspended` does, its subscription there is paused.
    """

    fates: tuple[tuple[Fate, int], ...] = ()
    reads_fail: int = 0
    lag_max: int = 0
    outages: tuple[Window, ...] = ()
    denials: tuple[Window, ...] = ()
    unknown: tuple[tuple[str, Window], ...] = ()
    suspended: tuple[tuple[str, Window], ...] = ()

    def fate(self, draw: int) -> Fate:
        """The fate for a draw from 0 to 999."""
        for fate, share in self.fates:
            if draw < share:
                return fate
            draw -= share
        return Fate.LANDS


def is_within(spans: Sequence[Window], at: int) -> bool:
    """Whether one of the spans holds the instant."""
    return any(span.contains(at) for span in spans)
