"""What a comparison found, told line by line in the log, and counted."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.quantity import format_quantity
from tallystick.entrypoints.logs import note

TOLD_MAX: Final = 1_000
"""So many get a line of their own; `tallystick reconcile` shows all."""


def tell(found: Iterable[Discrepancy]) -> Counter[str]:
    """How many there are of each kind."""
    kinds: Counter[str] = Counter()
    for one in found:
        kinds[str(one.kind)] += 1
        if kinds.total() <= TOLD_MAX:
            note(
                logging.WARNING,
                "discrepancy",
                kind=str(one.kind),
                tenant=one.tenant,
                meter=one.meter,
                subject=one.subject,
                ours=format_quantity(one.ours),
                theirs=format_quantity(one.theirs),
                detail=one.detail,
            )
    return kinds
