"""The hourly work as every entry point composes it: by whose settings, with how many senders."""

from concurrent.futures import Executor
from typing import Final

from tallystick.bootstrap import App
from tallystick.domain.publication import Limits
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits

SENDERS: Final = 8
"""So many sends at once: enough to hide a provider's latency, far below its limits."""

LIMITS: Final = Limits()

MARK: Final = "cleared"
"""An outcome of ours alone: a due mark was taken away. It tells a person nothing."""


def limits_of(app: App) -> SealLimits:
    return SealLimits(grace=app.settings.grace)


def publishing_of(app: App, senders: Executor | None = None) -> Publishing:
    return Publishing(
        store=app.store,
        publisher=app.publisher,
        clock=app.clock,
        limits=LIMITS,
        senders=senders,
    )
