"""What the functions share: one cold start opens the store and keeps it, and each call is a turn.

A turn ends in an answer, or in an error by whose name the state machine knows what to do:
StoreUnavailable, PublisherUnavailable, PublisherMisconfigured.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from typing import Any, Final, Protocol, TypeVar

from tallystick.bootstrap import ARN, App, clock_at, open_store, with_secret
from tallystick.clock import SystemClock
from tallystick.config import read_settings
from tallystick.domain.errors import InvalidSetting, PublisherMisconfigured
from tallystick.domain.instant import parse_instant
from tallystick.entrypoints.aws.metrics import metric_line
from tallystick.entrypoints.logs import CONTEXT, log_at_once, note
from tallystick.stages.ingesting import Intake, intake_of

T = TypeVar("T")
Payload = Mapping[str, Any]
Answer = dict[str, object]

TURN_SECONDS: Final = 100
"""Nothing new is begun with less time left: a claimed publication may be sent for 80 seconds."""


class Context(Protocol):
    """What Lambda says of one call."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


class ColdStart:
    """What one process of a function keeps from turn to turn."""

    def __init__(self) -> None:
        self.settings = read_settings()
        log_at_once(sys.stderr, self.settings.log_level, self.settings.log_format)
        self.store = open_store(self.settings.store, create=False)
        self._app = App(store=self.store, clock=SystemClock(), settings=self.settings)
        self._keyed: App | None = None

    @cached_property
    def intake(self) -> Intake:
        return intake_of(self.store, auto_onboard=self.settings.auto_onboard)

    def app(self, event: Payload) -> App:
        """The application by this machine's clock, or at the instant that the event names. It
        cannot reach the provider."""
        return self._at(event, self._app)

    def with_provider(self, event: Payload, work: Callable[[App], T]) -> T:
        """What the work answers. The provider's key is read once; where the provider refuses it
        and it was changed since, the work is done once more with the new one.

        Raises PublisherMisconfigured, which says where the key lies.
        """
        app, was_warm = self._keyed or self._with_key(), self._keyed is not None
        self._keyed = app
        try:
            return self._done(work, self._at(event, app))
        except PublisherMisconfigured:
            self._keyed = fresh = self._with_key()
            if not was_warm or fresh.settings == app.settings:
                raise
        note(logging.WARNING, "the provider refuses our key, and another is there")
        return self._done(work, self._at(event, fresh))

    def _at(self, event: Payload, app: App) -> App:
        at = event.get("at")
        return app if at is None else replace(app, clock=clock_at(_instant(at)))

    def _with_key(self) -> App:
        if not self._app.has_provider:
            raise PublisherMisconfigured("TALLYSTICK_STRIPE_API_KEY names no key, and no secret")
        return replace(self._app, settings=with_secret(self.settings))

    def _done(self, work: Callable[[App], T], app: App) -> T:
        """An error about the key says where it lies."""
        try:
            _make_publisher(app)
            return work(app)
        except PublisherMisconfigured as error:
            key = self.settings.stripe_api_key
            if key is None or not key.reveal().startswith(ARN):
                raise
            raise PublisherMisconfigured(f"the secret {key.reveal()}: {error}") from error

    def count(self, **counts: int) -> None:
        """Tell CloudWatch of these, as numbers of the stack."""
        print(metric_line(self.settings.stack, SystemClock().now(), counts), flush=True)


@cache
def cold_start() -> ColdStart:
    return ColdStart()


@contextmanager
def turn(context: Context) -> Iterator[ColdStart]:
    """One call; every line that is logged meanwhile names it."""
    token = CONTEXT.set({"request": context.aws_request_id})
    try:
        yield cold_start()
    finally:
        CONTEXT.reset(token)


def while_time_is_left(context: Context, seconds: int = TURN_SECONDS) -> Callable[[], bool]:
    """Whether something new may be begun: until so many seconds are left, or half of the turn
    where that is short, so that every turn does something."""
    last = min(seconds * 1_000, context.get_remaining_time_in_millis() // 2)
    return lambda: context.get_remaining_time_in_millis() > last


def _make_publisher(app: App) -> None:
    """Here and now, so that what is wrong with the key is told as such."""
    try:
        app.publisher  # noqa: B018  # it is made when it is first asked for
    except InvalidSetting as error:
        raise PublisherMisconfigured(str(error)) from error


def _instant(at: object) -> int:
    try:
        return parse_instant(str(at))
    except (ValueError, OverflowError) as error:
        raise InvalidSetting(f"at: {at!r} is {error}") from error
