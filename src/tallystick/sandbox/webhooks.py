"""Webhooks: what is told to an endpoint unasked, signed and repeated as Stripe does.

Deliveries wait here until they are sent; sending is the owner's business, since an endpoint may
ask the sandbox back before it answers.
"""

import hmac
import http.client
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from . import rendering
from .answers import Body
from .books import Books
from .clock import rfc3339
from .records import Invoice, Subscription, ThinEvent
from .rendering import Shape
from .settings import DAY, HOUR
from .thin_events import notification

RETRIES = (60, 300, 1_800, 2 * HOUR, 5 * HOUR, 10 * HOUR)
"""Seconds until a delivery in vain is repeated; then every 12 hours."""

GIVEN_UP_AFTER = 3 * DAY
DELIVERIES_KEPT = 1_000
_ANSWER_SECONDS = 10
_LOOPBACK = frozenset({"localhost"})

Post = Callable[[str, Mapping[str, str], bytes], int]
"""Posts a body to a URL; the status, or 0 where no answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events go. As with Stripe one endpoint takes thin events or snapshots, never both."""

    id: str
    url: str
    secrets: tuple[str, ...]
    thin: bool
    types: frozenset[str] = frozenset()

    def takes(self, kind: str) -> bool:
        """Whether events of this type go there; without named types all of its kind do."""
        is_thin = kind.startswith(("v1.", "v2."))
        return is_thin is self.thin and (not self.types or kind in self.types)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint; `status` is the last answer's, 0 without one."""

    endpoint: Endpoint
    event: str
    kind: str
    body: bytes
    created: int
    due_at: int
    attempts: int = 0
    status: int | None = None

    @property
    def arrived(self) -> bool:
        """Whether the endpoint took it."""
        return self.status is not None and 200 <= self.status < 300


class Webhooks:
    """The endpoints of one sandbox, and what waits for them."""

    def __init__(self, books: Books, version: str) -> None:
        self._books = books
        self._shape = Shape(version, livemode=False)
        self._count = 0
        self.endpoints: dict[str, Endpoint] = {}
        self._waiting: list[Delivery] = []
        self._over: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)
        books.announce = self.announce

    def add(
        self, url: str, secrets: Iterable[str], *, thin: bool, types: Iterable[str]
    ) -> Endpoint:
        """A new endpoint; without a secret it is given one. ValueError for a bad URL."""
        identity = self._new_id("we")
        endpoint = Endpoint(
            id=identity,
            url=checked_url(url),
            secrets=tuple(secrets) or (f"whsec_{sha256(identity.encode()).hexdigest()[:32]}",),
            thin=thin,
            types=frozenset(types),
        )
        self.endpoints[identity] = endpoint
        return endpoint

    def remove(self, identity: str) -> None:
        """Forget an endpoint, and what waits for it; KeyError when there is none."""
        del self.endpoints[identity]
        self._waiting = [one for one in self._waiting if one.endpoint.id != identity]

    def announce(self, kind: str, record: Subscription | Invoice | ThinEvent, at: int) -> None:
        """Have an event delivered to every endpoint that takes it."""
        takers = [endpoint for endpoint in self.endpoints.values() if endpoint.takes(kind)]
        if not takers:
            return
        event, body = self._event(kind, record, at)
        content = json.dumps(body).encode()
        self._waiting += [
            Delivery(endpoint=one, event=event, kind=kind, body=content, created=at, due_at=at)
            for one in takers
        ]

    def _event(
        self, kind: str, record: Subscription | Invoice | ThinEvent, at: int
    ) -> tuple[str, Body]:
        if isinstance(record, ThinEvent):
            return record.id, notification(self._books, record, livemode=self._shape.livemode)
        render = (
            rendering.subscription(self._books, record, self._shape)
            if isinstance(record, Subscription)
            else rendering.invoice(self._books, record, self._shape)
        )
        identity = self._new_id("evt_snapshot")
        return identity, {
            "id": identity,
            "object": "event",
            "api_version": self._shape.version,
            "created": at,
            "livemode": self._shape.livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
            "data": {"object": render},
        }

    def _new_id(self, prefix: str) -> str:
        """Counted apart from the books, which a state file replays without any endpoint."""
        self._count += 1
        return f"{prefix}_{self._count:014d}"

    def take_due(self, now: int) -> list[Delivery]:
        """What is to be sent now, in the order of its happening; each is given out once."""
        due = [one for one in self._waiting if one.due_at <= now]
        self._waiting = [one for one in self._waiting if one.due_at > now]
        return due

    def note(self, sent: Delivery, status: int, now: int) -> Delivery:
        """Keep what came of an attempt; one in vain is repeated for three days."""
        wait = RETRIES[sent.attempts] if sent.attempts < len(RETRIES) else 12 * HOUR
        tried = replace(sent, status=status, attempts=sent.attempts + 1, due_at=now + wait)
        if tried.arrived or tried.due_at > sent.created + GIVEN_UP_AFTER:
            self._over.append(tried)
        elif sent.endpoint.id in self.endpoints:
            self._waiting.append(tried)
        return tried

    def resend(self, event: str, now: int) -> int:
        """Deliver an event once more, as the button in Stripe's Dashboard does; how often."""
        again = [one for one in self._over if one.event == event]
        self._waiting += [replace(one, due_at=now, created=now, attempts=0) for one in again]
        return len(again)

    def listed(self) -> Body:
        """Endpoints without their secrets, and deliveries: those that are over first."""
        return {
            "endpoints": [
                {"id": e.id, "url": e.url, "thin": e.thin, "types": sorted(e.types)}
                for e in self.endpoints.values()
            ],
            "deliveries": [described(one) for one in (*self._over, *self._waiting)],
        }


def described(delivery: Delivery) -> Body:
    """A delivery for people."""
    return {
        "event": delivery.event,
        "type": delivery.kind,
        "endpoint": delivery.endpoint.id,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "arrived": delivery.arrived,
        "next_at": None if delivery.arrived else rfc3339(delivery.due_at),
    }


def signed(delivery: Delivery, now: int) -> dict[str, str]:
    """The headers of a delivery that is sent at `now`: one v1 for each of the secrets."""
    message = f"{now}.".encode() + delivery.body
    proofs = (
        hmac.new(secret.encode(), message, sha256).hexdigest()
        for secret in delivery.endpoint.secrets
    )
    signature = ",".join((f"t={now}", *(f"v1={proof}" for proof in proofs)))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (sandbox)",
    }


def checked_url(url: str) -> str:
    """The URL, if a webhook may go there: over https, or to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" and host:
        return url
    if parts.scheme == "http" and _is_loopback(host):
        return url
    raise ValueError("a webhook goes to an https URL, or by http to a loopback address")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _LOOPBACK


def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """One attempt, straight to the URL's host; redirects are not followed, as with Stripe."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, dict(headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
