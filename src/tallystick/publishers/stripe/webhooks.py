"""What Stripe sends to us: whether a delivery is Stripe's own, and what its event names.

The SDK judges a delivery's age by this machine's time of day; here the instant is given, so the
documented scheme is followed by hand (docs.stripe.com/webhooks#verify-manually). An event's
content is never believed, only what it names: deliveries come late, twice and out of order.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from tallystick.domain.instant import MINUTE, SECOND
from tallystick.publishers.stripe.refusals import TYPES as REPORTS
from tallystick.publishers.stripe.statements import LineParent

TOLERANCE: Final = 5 * MINUTE
"""How far a delivery's time may lie from ours: what is older may be a replay."""

CHANGES: Final = (
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.finalized",
)
"""After these a subscription may not be what we bill by."""

SIGNATURES_MAX: Final = 16
"""Stripe signs once for each secret that is in force; nobody needs more comparisons."""

ID_LENGTH_MAX: Final = 255


class NotSigned(Exception):
    """The delivery is not shown to be Stripe's own, and now."""


class NotAnEvent(Exception):
    """The body is none of Stripe's events."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What an event names. `is_report`: it reports requests that were found wrong. `destinations`:
    the customer and items whose subscription may have changed."""

    id: str
    kind: str
    is_report: bool = False
    destinations: tuple[str, ...] = ()


class Envelope(msgspec.Struct, frozen=True):
    """What thin and snapshot events have in common."""

    id: str
    kind: str = msgspec.field(name="type")
    content: msgspec.Raw = msgspec.field(name="data", default=msgspec.Raw(b"{}"))


class NamedItem(msgspec.Struct, frozen=True):
    """A subscription's item."""

    id: str = ""


class NamedLine(msgspec.Struct, frozen=True):
    """An invoice's line, in today's shape and the one before API Basil."""

    parent: LineParent | None = None
    subscription_item: str | None = None

    @property
    def item(self) -> str:
        details = None if self.parent is None else self.parent.subscription_item_details
        return (self.subscription_item or "") if details is None else details.subscription_item


class NamedItems(msgspec.Struct, frozen=True):
    """A list of items within a snapshot."""

    rows: list[NamedItem] = msgspec.field(name="data", default_factory=list)


class NamedLines(msgspec.Struct, frozen=True):
    """A list of lines within a snapshot."""

    rows: list[NamedLine] = msgspec.field(name="data", default_factory=list)


class Billed(msgspec.Struct, frozen=True):
    """A subscription or an invoice, as far as it names who is billed."""

    customer: str | None = None
    items: NamedItems = NamedItems()
    lines: NamedLines = NamedLines()


class Snapshot(msgspec.Struct, frozen=True):
    """What a snapshot event carries."""

    changed: Billed = msgspec.field(name="object")


def check_signature(header: str, body: bytes, secrets: Sequence[str], now: int) -> None:
    """Nothing, where one of the secrets signed this body, at most TOLERANCE away from `now`.

    Raises NotSigned, with what to look at; it never shows a secret or a signature.
    """
    told_at, signatures = _parts(header)
    signed = told_at.encode() + b"." + body
    expected = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    # All pairs are compared, each in constant time: how long it takes tells nothing.
    matching = [
        hmac.compare_digest(ours.encode(), theirs.encode())
        for ours in expected
        for theirs in signatures
    ]
    if not any(matching):
        raise NotSigned("no v1 signature in Stripe-Signature was made with a secret of ours")
    if abs(now - int(told_at) * SECOND) > TOLERANCE:
        raise NotSigned("it was signed over 5 minutes away from our time: a replay, or a clock")


def _parts(header: str) -> tuple[str, list[str]]:
    """(time as it was signed, the v1 signatures)."""
    pairs = [part.strip().partition("=") for part in header.split(",", SIGNATURES_MAX + 1)]
    times = [text for name, _, text in pairs if name == "t"]
    signatures = [text for name, _, text in pairs if name == "v1"][:SIGNATURES_MAX]
    is_dated = len(times) == 1 and times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12
    if not is_dated or not signatures:
        raise NotSigned("there is no Stripe-Signature with one t= and a v1=")
    return times[0], signatures


def notice_in(body: bytes) -> Notice:
    """What the event in this body names; one of another type names nothing. Raises NotAnEvent."""
    try:
        event = msgspec.json.decode(body, type=Envelope)
        if not 0 < len(event.id) <= ID_LENGTH_MAX:
            raise NotAnEvent("its id is no id of Stripe's")
        if event.kind in REPORTS:
            return Notice(event.id, event.kind, is_report=True)
        if event.kind not in CHANGES:
            return Notice(event.id, event.kind)
        changed = msgspec.json.decode(event.content, type=Snapshot).changed
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NotAnEvent(f"the body is none of Stripe's events: {error}") from error
    return Notice(event.id, event.kind, destinations=_destinations(changed))


def _destinations(changed: Billed) -> tuple[str, ...]:
    items = [item.id for item in changed.items.rows] + [line.item for line in changed.lines.rows]
    return tuple(dict.fromkeys(one for one in (changed.customer or "", *items) if one))
