"""What the hourly loop of `tallystick serve` does in one pass."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tallystick.bootstrap import App
from tallystick.domain.instant import floor_hour
from tallystick.entrypoints.checking import Checks
from tallystick.entrypoints.composing import MARK, limits_of, publishing_of
from tallystick.entrypoints.worker import AGAIN, Passed
from tallystick.stages.passing import PassSummary, one_pass
from tallystick.stages.sealing import SealSummary, seal


def pass_of(app: App, senders: ThreadPoolExecutor, checks: Checks) -> Callable[[], Passed]:
    """One pass as this store is set up; it says what it did, and whether something is still due.

    The publisher is made here and now, so that a key that cannot be used stops the start.
    """
    if app.has_provider:
        return WholePass(app, senders, checks)
    routes, limits = app.publisher.routes, limits_of(app)
    return lambda: Passed(counts=_sealed(seal(app.store, routes, app.clock.now(), limits=limits)))


class WholePass:
    """Seal, publish, and once an hour hold a rolling share of the tenants beside the provider."""

    def __init__(self, app: App, senders: ThreadPoolExecutor, checks: Checks) -> None:
        self._app = app
        self._checks = checks
        self._publishing = publishing_of(app, senders)
        self._limits = limits_of(app)
        self._compared_hour: int | None = None

    def __call__(self) -> Passed:
        done = one_pass(self._publishing, self._limits)
        return Passed(
            counts=_sealed(done.sealed) | _published(done) | self._compared(done),
            trouble=_trouble(done),
            again=_any_due(self._app, by=self._app.clock.now() + AGAIN),
        )

    def _compared(self, done: PassSummary) -> dict[str, int]:
        """The share of this hour, where the provider can be read now; each share is read once."""
        published, hour = done.published, floor_hour(self._app.clock.now())
        is_away = published.paused or published.is_stopped or published.unread
        if is_away or hour == self._compared_hour:
            return {}
        found = self._checks.share()
        self._compared_hour = hour
        return {"discrepancies": len(found)}


def _any_due(app: App, *, by: int) -> bool:
    return bool(app.store.outbox.slots_due(by, limit=1).elements)


def _sealed(sealed: SealSummary) -> dict[str, int]:
    return {"entries": sealed.entries, "held": sealed.held, "looked_at": sealed.looked_at}


def _published(done: PassSummary) -> dict[str, int]:
    outcomes = {str(name): n for name, n in done.published.outcomes.items() if name != MARK}
    return {**outcomes, "carried": done.carried, "stuck": len(done.published.stuck)}


def _trouble(done: PassSummary) -> dict[str, str]:
    published = done.published
    told = {"provider_refuses": published.denied, "provider_unread": published.unread}
    return {name: why for name, why in told.items() if why}
