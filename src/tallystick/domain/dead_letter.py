"""A dead letter: a report that could not be counted, kept with its reason; it can be replayed."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from tallystick.domain.errors import FieldError


class Reason(StrEnum):
    """Why it was not counted. The first three wait for a setting and are replayed when it comes."""

    UNKNOWN_TENANT = "unknown_tenant"
    UNKNOWN_CODE = "unknown_code"
    INVALID = "invalid"
    UNREADABLE = "unreadable"
    CONFLICT = "conflict"
    FUTURE = "in_the_future"
    OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`origin` says where it came from (a file and line, a route); `body` is what was sent.

    `waits_for` names the tenant or code whose appearance should replay it ('tenant:UA').
    """

    id: str
    reason: Reason
    errors: tuple[FieldError, ...] = ()
    tenant: str = ""
    waits_for: str = ""
    origin: str
    body: str
    received_at: int
    replayed_at: int | None = None
    replayed_as: str = ""


def dead_letter_id(origin: str, body: str) -> str:
    """The same report from the same place is the same dead letter, however often it comes."""
    return hashlib.sha256(f"{len(origin)}:{origin}{body}".encode("utf-8", "replace")).hexdigest()[
        :24
    ]
