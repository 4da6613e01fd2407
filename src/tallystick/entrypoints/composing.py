"""The hourly work as every entry point composes it: by whose settings, with how many senders."""

from collections import Counter
from concurrent.futures import Executor
from typing import Final

from tallystick.bootstrap import App
from tallystick.domain.publication import Limits
from tallystick.publishers import target_of
from tallystick.stages.ingesting import Intake, replay
from tallystick.stages.onboarding import Desk, replay_onboardings
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits

SENDERS: Final = 8
"""So many sends at once: enough to hide a provider's latency, far below its limits."""

LIMITS: Final = Limits()

MARK: Final = "cleared"
"""An outcome of ours alone: a due mark was taken away. It tells a person nothing."""


def desk_of(intake: Intake) -> Desk:
    """Where onboardings are heeded; their destinations are Stripe's."""
    return Desk(intake=intake, target=target_of)


def replay_everything(
    intake: Intake, now: int, *, tenant: str = "", waits_for: str = "", letter_id: str = ""
) -> Counter[str]:
    """Give open dead letters another try, onboardings first; how many became what."""
    became = replay_onboardings(
        desk_of(intake), now, tenant=tenant, waits_for=waits_for, letter_id=letter_id
    )
    return became + replay(intake, now, tenant=tenant, waits_for=waits_for, letter_id=letter_id)


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
