"""What an answer means for the events that were sent, as pure functions: delivered, try again
later, or refused for good.

Only Tallystick may take events away from us. A 2xx without its counts, or a 4xx that is not one
of its problems, comes from something in between (a proxy, a login page), and says nothing.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

from tallystick.client.limits import Limits

COUNTS: Final = "tallystick-counts"
PROBLEM: Final = "urn:tallystick:problem:"

_COUNT: Final = re.compile(r"(\w+)=(\d{1,9})")
_POINTER: Final = re.compile(r"/(\d{1,6})(?:/.*)?", re.DOTALL)
_SECONDS: Final = re.compile(r"\d{1,9}")
_FOR_GOOD: Final = frozenset(
    {"unreadable", "idempotency-key-required", "too-large", "unsupported-content", "not-countable"}
)
"""The problems that the same bytes will meet again, whenever they are sent."""


class Unanswered(Exception):
    """No whole answer came: the events may or may not have been stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Transport = Callable[[bytes, Mapping[str, str]], Answer]
"""Sends a body with headers to POST /api/v1/events, once, in bounded time. Raises Unanswered."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Stored and counted, or kept as dead letters; how many of each kind."""

    kinds: Mapping[str, int]


class Patience(Enum):
    """Whose idea the wait is."""

    BACKOFF = auto()
    """Ours: longer each time, cut short by `flush` and `close`."""
    TOLD = auto()
    """The service's, by Retry-After."""
    DENIED = auto()
    """A person has to mend something first: slowly, and loudly."""


@dataclass(frozen=True, slots=True)
class Later:
    """Keep the events and try again; `seconds` where the service says when."""

    reason: str
    patience: Patience = Patience.BACKOFF
    seconds: float = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """These events can never be delivered as they are: those at `blamed`, or where that is empty
    some of them."""

    reason: str
    blamed: frozenset[int] = frozenset()


Verdict = Delivered | Later | Refused


def judge(answer: Answer, count: int, *, now: float, limits: Limits) -> Verdict:
    """What the answer to a request of `count` events means; `now` is in seconds since 1970."""
    if 200 <= answer.status < 300:
        return _delivered(answer, count)
    kind = _problem_kind(answer)
    reason = _reason(answer, kind)
    if answer.status in (429, 503) and (seconds := _retry_after(answer, now, limits)) is not None:
        return Later(reason, Patience.TOLD, seconds)
    if kind in _FOR_GOOD or answer.status == 413:
        return Refused(reason, _blamed(answer, count))
    if kind == "not-found" and (blamed := _blamed(answer, count)):
        return Refused(reason, blamed)  # tenants that this key may not report for
    is_passing = answer.status >= 500 or answer.status in (408, 425, 429) or kind == "cut-off"
    return Later(reason, Patience.BACKOFF if is_passing else Patience.DENIED)


def _delivered(answer: Answer, count: int) -> Delivered | Later:
    found = _COUNT.findall(answer.headers.get(COUNTS, ""))
    kinds = {name: int(number) for name, number in found}
    if kinds and sum(kinds.values()) == count:
        return Delivered(kinds)
    reason = f"HTTP {answer.status} without the counts of Tallystick: something else answered"
    return Later(reason, Patience.DENIED)


def _problem(answer: Answer) -> Mapping[str, object]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _problem_kind(answer: Answer) -> str:
    """The last part of our problem's type; '' where the answer is none of ours."""
    kind = _problem(answer).get("type")
    return kind.removeprefix(PROBLEM) if isinstance(kind, str) and kind.startswith(PROBLEM) else ""


def _reason(answer: Answer, kind: str) -> str:
    detail = _problem(answer).get("detail") if kind else None
    told = f" {kind}" if kind else ""
    return f"HTTP {answer.status}{told}" + (f": {str(detail)[:300]}" if detail else "")


def _blamed(answer: Answer, count: int) -> frozenset[int]:
    """The places of the events that the problem's pointers name; empty where it names none."""
    errors = _problem(answer).get("errors")
    named = errors if isinstance(errors, list) else []
    pointers = [error.get("pointer") for error in named if isinstance(error, dict)]
    matches = [_POINTER.fullmatch(p) for p in pointers if isinstance(p, str)]
    found = frozenset(int(m[1]) for m in matches if m)
    return found if all(index < count for index in found) else frozenset()


def _retry_after(answer: Answer, now: float, limits: Limits) -> float | None:
    """Seconds to wait: a number, or a date held against the answer's own (our clock may be off)."""
    text = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), limits.retry_after_max_seconds)
    until = _timestamp(text)
    if until is None:
        return None
    answered_at = _timestamp(answer.headers.get("date", ""))
    seconds = until - (now if answered_at is None else answered_at)
    return min(max(seconds, 0), limits.retry_after_max_seconds)


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def backoff(failures: int, random_bytes: bytes, limits: Limits) -> float:
    """Seconds to wait after so many failures in a row: from nothing to twice the last ceiling, so
    that clients which failed together do not come back together ("full jitter")."""
    ceiling = limits.backoff_first_seconds * (1 << min(failures - 1, 30))
    share = int.from_bytes(random_bytes) / (1 << 8 * len(random_bytes))
    return share * min(ceiling, limits.backoff_max_seconds)
