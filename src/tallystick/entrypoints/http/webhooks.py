"""`POST /webhooks/stripe`: what Stripe says unasked. A 2xx means that its consequence is stored.

No key is asked for: the signature is the proof. What cannot be done now is answered so that
Stripe delivers it again (for three days), and every delivery may come twice.
"""

from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.bootstrap import App, stripe_of
from tallystick.config import Secret
from tallystick.domain.errors import InvalidSetting, PublisherMisconfigured, PublisherUnavailable
from tallystick.domain.publication import Limits
from tallystick.entrypoints.http.answers import json_response
from tallystick.entrypoints.http.bodies import read_whole
from tallystick.entrypoints.http.problems import Problem, unreadable
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.publishers.stripe.webhooks import (
    NotAnEvent,
    Notice,
    NotSigned,
    check_signature,
    notice_in,
)
from tallystick.stages.doubting import doubt
from tallystick.stages.heeding import heed_change
from tallystick.stages.reconciling import Reconciling

EVENT_BYTES_MAX: Final = 1024 * 1024
RETRY_SECONDS: Final = "60"
SECRET_SETTING: Final = "TALLYSTICK_STRIPE_WEBHOOK_SECRET"  # noqa: S105  # its name, not it


class Taken(StrEnum):
    """What a delivery came to."""

    NOTED = "noted"
    """Something is looked at again, or held, or released."""
    KNOWN = "known"
    """It says nothing that is not known and stored."""
    IGNORED = "ignored"
    """An event of a type that concerns nothing here."""


async def post_stripe(request: Request) -> Response:
    """Take an event that Stripe signed: publications reported as wrong are read back, and changed
    subscriptions compared. Anything but a 2xx has Stripe deliver it again."""
    service = service_of(request)
    secrets = _secrets(service.app)
    body = await read_whole(request, service.deliveries.memory, EVENT_BYTES_MAX)
    service.deliveries.memory.give_back(len(body))
    notice = _checked(request, body, secrets, service.app.clock.now())
    taken = await service.deliveries.in_thread(lambda: _heeded(service, notice))
    return json_response({"event": notice.id, "type": notice.kind, "taken": str(taken)})


def _secrets(app: App) -> tuple[Secret, ...]:
    if not app.settings.stripe_webhook_secrets:
        raise _not_set_up(f"set {SECRET_SETTING} to the endpoint's secret as Stripe shows it")
    if app.settings.stripe_api_key is None:
        raise _not_set_up("set TALLYSTICK_STRIPE_API_KEY: what Stripe tells is looked up with it")
    return app.settings.stripe_webhook_secrets


def _checked(request: Request, body: bytes, secrets: tuple[Secret, ...], now: int) -> Notice:
    header = request.headers.get("stripe-signature", "")
    try:
        check_signature(header, body, [secret.reveal() for secret in secrets], now)
        return notice_in(body)
    except NotSigned as error:
        raise Problem(status=400, kind="not-signed", detail=str(error)) from error
    except NotAnEvent as error:
        raise unreadable(str(error)) from error


def _heeded(service: Service, notice: Notice) -> Taken:
    try:
        if notice.is_report:
            return _doubted(service.app, notice)
        if notice.destinations:
            return _compared(service, notice)
    except InvalidSetting as error:
        raise _not_set_up(str(error)) from error
    except (PublisherMisconfigured, PublisherUnavailable) as error:
        raise _again(f"Stripe cannot be asked about it now: {error}") from error
    return Taken.IGNORED


def _doubted(app: App, notice: Notice) -> Taken:
    found = stripe_of(app).rejections_in(notice.id)
    doubts = doubt(app.store, found, app.clock.now())
    if doubts.early:
        raise _again("a request that it names is still under way here")
    return Taken.NOTED if doubts.stored else Taken.KNOWN


def _compared(service: Service, notice: Notice) -> Taken:
    app = service.app
    reconciling = Reconciling(
        store=app.store, publisher=app.publisher, now=app.clock.now(), limits=Limits()
    )
    before = app.store.catalog.switches()
    heed_change(reconciling, service.deliveries.directory, notice.destinations)
    return Taken.KNOWN if app.store.catalog.switches() == before else Taken.NOTED


def _not_set_up(detail: str) -> Problem:
    return Problem(status=503, kind="not-set-up", detail=detail)


def _again(detail: str) -> Problem:
    headers = {"Retry-After": RETRY_SECONDS}
    return Problem(status=503, kind="not-now", detail=detail, headers=headers)
