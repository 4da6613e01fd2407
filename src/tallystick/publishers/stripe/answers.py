"""What an answer of Stripe's means for a publication: a table, without any I/O.

REFUSED is final when it answers an only request, so it is said only where Stripe itself says that
the parameters were wrong; whatever cannot be read, or is not known, is UNKNOWN and gets resolved
by evidence. Sources: docs.stripe.com/error-low-level, /api/idempotent_requests, /rate-limits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

import msgspec

from tallystick.domain.instant import HOUR, SECOND, to_instant
from tallystick.domain.publication import Answer, Outcome
from tallystick.publishers.stripe.api_key import redacted

RETRY_AFTER_MAX: Final = HOUR
DETAIL_LENGTH_MAX: Final = 400

# How long to wait where a 429 says why, but not how long (docs.stripe.com/rate-limits). Without
# a reason it is a lock on one object.
_WAIT_BY_REASON: Final[Mapping[str, int]] = MappingProxyType(
    {
        "global-rate": SECOND,
        "endpoint-rate": SECOND,
        "global-concurrency": SECOND // 4,
        "endpoint-concurrency": SECOND // 4,
        "resource-specific": SECOND,
    }
)
_OF_THE_ACCOUNT: Final = frozenset(_WAIT_BY_REASON) - {"resource-specific"}
_BUSY_CODES: Final = frozenset({"rate_limit", "lock_timeout", "idempotency_key_in_use"})
# The message is the only sign on API v1; the code is v2's. Said too often it costs a reading,
# said too rarely it bills twice, so any wording of it will do.
_DUPLICATE: Final = re.compile(
    r"(already exists|duplicate)\b.*\bidentifier", re.IGNORECASE | re.DOTALL
)
_DUPLICATE_CODE: Final = "duplicate_meter_event"


@dataclass(frozen=True, slots=True)
class Heard:
    """An HTTP answer as it came; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_replay(self) -> bool:
        """Whether this is the saved answer to an earlier request with the same key."""
        return self.headers.get("idempotent-replayed", "").lower() == "true"


class Fault(msgspec.Struct, frozen=True):
    """The `error` object of Stripe's answers."""

    kind: str | None = msgspec.field(default=None, name="type")
    code: str | None = None
    message: str | None = None
    param: str | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: Fault


class _Named(msgspec.Struct, frozen=True):
    object: str


def fault_in(heard: Heard) -> Fault | None:
    """The error that the answer's body describes; None where it is not Stripe's."""
    try:
        return msgspec.json.decode(heard.body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeError):
        return None


def answer_to(heard: Heard, expected: str) -> Answer:
    """What an answer to a sent publication means; a success must name the `expected` object."""
    fault = None if heard.is_success else fault_in(heard)
    outcome = _of_success(heard, expected) if heard.is_success else _of_fault(heard.status, fault)
    return Answer(
        outcome,
        _detail(heard, fault, outcome),
        retry_after(heard) if outcome is Outcome.BUSY else 0,
    )


def _of_success(heard: Heard, expected: str) -> Outcome:
    """A 2xx of somebody in between (a proxy, a wrong address) is no acceptance."""
    try:
        named = msgspec.json.decode(heard.body, type=_Named).object
    except (msgspec.DecodeError, UnicodeError):
        return Outcome.UNKNOWN
    return Outcome.ACCEPTED if named == expected else Outcome.UNKNOWN


def _of_fault(status: int, fault: Fault | None) -> Outcome:
    if fault is None:
        return Outcome.UNKNOWN
    if status in (409, 429) or (status < 500 and fault.code in _BUSY_CODES):
        return Outcome.BUSY
    if status in (401, 403):
        return Outcome.DENIED
    if status >= 500:
        return Outcome.FAILED
    if fault.kind == "idempotency_error":
        return Outcome.MISMATCH
    if fault.code == _DUPLICATE_CODE or _DUPLICATE.search(fault.message or ""):
        return Outcome.KNOWN
    if 400 <= status < 500 and fault.kind == "invalid_request_error":
        return Outcome.REFUSED
    return Outcome.UNKNOWN


def _detail(heard: Heard, fault: Fault | None, outcome: Outcome) -> str:
    parts = [f"HTTP {heard.status}"]
    if fault is not None:
        parts += [word for word in (fault.kind, fault.code) if word]
    if heard.is_replay:
        parts.append("replayed")
    said = (fault.message or "") if fault is not None else ""
    if fault is None and outcome is Outcome.UNKNOWN:
        said = "an answer that is not Stripe's"
    request = heard.headers.get("request-id", "")
    text = " ".join(parts) + (f": {said}" if said else "") + (f" [{request}]" if request else "")
    return redacted(text)[:DETAIL_LENGTH_MAX]


def retry_after(heard: Heard) -> int:
    """How long to wait, in microseconds: as told, else by the reason, else zero."""
    told = heard.headers.get("retry-after", "")
    if told.isascii() and told.isdigit() and len(told) <= 9:
        return min(int(told) * SECOND, RETRY_AFTER_MAX)
    return _WAIT_BY_REASON.get(rate_limited_by(heard), 0)


def rate_limited_by(heard: Heard) -> str:
    return heard.headers.get("stripe-rate-limited-reason", "").lower()


def limits_whole_account(heard: Heard) -> bool:
    """Whether a 429 concerns every sender and not one customer or object."""
    return heard.status == 429 and rate_limited_by(heard) in _OF_THE_ACCOUNT


def provider_time(heard: Heard) -> int | None:
    """Stripe's own clock when it answered; None where it did not say."""
    try:
        return to_instant(parsedate_to_datetime(heard.headers.get("date", "")))
    except (ValueError, OverflowError):
        return None
