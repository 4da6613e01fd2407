"""Calls of Stripe's API through its official SDK: one attempt each, answers kept raw.

The SDK puts parameters, version and key on the wire; it never repeats a request (every attempt
is a decision of the domain's) and tells Stripe nothing about earlier ones.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import stripe

from tallystick.domain.errors import (
    InvalidSetting,
    PublisherMisconfigured,
    PublisherUnavailable,
)
from tallystick.domain.instant import SECOND
from tallystick.domain.publication import Outcome
from tallystick.ports import Clock
from tallystick.publishers.stripe.answers import Heard, answer_to, provider_time
from tallystick.publishers.stripe.api_key import SETTING, redacted
from tallystick.publishers.stripe.pacing import Pace
from tallystick.publishers.stripe.wire import Answered, Broken, NotConnected, TooLate, Wire

T = TypeVar("T")

STRIPE: Final = "https://api.stripe.com"

API_VERSION: Final = "2026-10-28.endive"
"""Pinned, so that an update of the SDK changes nothing on the wire by itself."""

LEGACY_API_VERSION: Final = "2025-02-24.acacia"
"""The last version with usage records; a new SDK reaches it by raw request (docs.stripe.com/
billing/subscriptions/usage-based-legacy/sdk-upgrade)."""

READ_SECONDS_MAX: Final = 30


class NotReadable(Exception):
    """Stripe does not show this one thing (there is none of that name, or not to be read so)."""


class Connection:
    """An account at Stripe, or at a stand-in. Safe to share between threads."""

    def __init__(
        self, api_key: str, *, api_base: str, clock: Clock, reads: Pace, proxy: str | None = None
    ) -> None:
        # The SDK has this switch only for the whole process.
        stripe.enable_telemetry = False
        self.clock = clock
        self.clock_ahead = 0
        self._api_key = api_key
        self._reads = reads
        self._wire = Wire(clock, proxy)
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base},
            max_network_retries=0,
            http_client=self._wire,
        )

    def post(
        self,
        path: str,
        params: Mapping[str, object],
        *,
        deadline: int,
        idempotency_key: str | None = None,
        version: str = API_VERSION,
    ) -> Heard:
        """One attempt that begins before the deadline and waits for an answer until then.

        Raises TooLate or NotConnected where nothing was sent, Broken where that is not known.
        """
        self._wire.until(deadline)
        options = {"stripe_version": version}
        if idempotency_key is not None:
            options["idempotency_key"] = idempotency_key
        return self._call("post", path, {**params, **options})

    def read(
        self, path: str, kind: type[T], params: Mapping[str, object], version: str = API_VERSION
    ) -> T:
        """What Stripe shows at `path`, as a `kind`.

        Raises NotReadable for this one thing, PublisherMisconfigured for our key,
        PublisherUnavailable for everything that may be better next time.
        """
        deadline = self.clock.now() + READ_SECONDS_MAX * SECOND
        if not self._reads.wait(deadline):
            raise PublisherUnavailable("Stripe cannot be read now: too many readings wait")
        self._wire.until(deadline)
        try:
            heard = self._call("get", path, {**params, "stripe_version": version})
        except (TooLate, NotConnected, Broken) as error:
            text = redacted(f"Stripe cannot be read now: {type(error).__name__} {error}")
            raise PublisherUnavailable(text.strip()) from None
        if not heard.is_success:
            raise self._unread(path, heard)
        try:
            return msgspec.json.decode(heard.body, type=kind)
        except (msgspec.DecodeError, UnicodeError) as error:
            text = f"Stripe's answer for {path} cannot be understood: {error}"
            raise PublisherUnavailable(redacted(text, self._api_key)) from None

    def _call(self, method: str, path: str, params: Mapping[str, object]) -> Heard:
        heard = self._heard(method, path, params)
        told = provider_time(heard)
        if told is not None:
            self.clock_ahead = max(0, told - self.clock.now())
        return heard

    def _heard(self, method: str, path: str, params: Mapping[str, object]) -> Heard:
        try:
            answer = self._client.raw_request(method, path, **params)
        except Answered as answered:
            return answered.heard
        except stripe.APIError as unreadable:
            # A success whose body is no JSON; whoever asked judges what that means.
            return Heard(unreadable.http_status or 200, {}, unreadable.http_body or "")
        return Heard(answer.code, answer.headers, answer.body)

    def _unread(self, path: str, heard: Heard) -> Exception:
        answer = answer_to(heard, "")
        detail = redacted(answer.detail, self._api_key)
        match answer.outcome:
            case Outcome.DENIED:
                return PublisherMisconfigured(f"Stripe does not take {SETTING}: {detail}")
            case Outcome.REFUSED | Outcome.KNOWN | Outcome.MISMATCH:
                return NotReadable(f"{path}: {detail}")
            case _:
                self._reads.hold_back(answer.retry_after)
                return PublisherUnavailable(f"Stripe cannot be read now: {detail}")


def checked_base(api_base: str | None) -> str:
    """The API's address; none means Stripe itself. Raises InvalidSetting: a key goes over https,
    or to this machine only."""
    if not api_base:
        return STRIPE
    parts = urlsplit(api_base)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    plain = plain and parts.path in ("", "/") and bool(parts.hostname) and api_base.isprintable()
    if plain and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(api_base))):
        return api_base.rstrip("/")
    raise InvalidSetting(
        "TALLYSTICK_STRIPE_API_BASE must be https://HOST, or http:// with a loopback address "
        "such as http://127.0.0.1:12111"
    )


def is_loopback(api_base: str) -> bool:
    host = urlsplit(api_base).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
