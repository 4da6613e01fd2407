"""Edits that name what they read: ETag, If-Match, and the reasons for the audit trail."""

import hashlib
import json
from typing import Final

from starlette.requests import Request

from tallystick.domain.api_key import ApiKey
from tallystick.entrypoints.http.problems import Problem, invalid_parameter
from tallystick.ports import Override

OVER_HTTP: Final = "over HTTP"


def audit(key: ApiKey, now: int, why: str, action: str, subject: str) -> Override:
    """The line of the audit trail for what a key did."""
    return Override(at=now, who=f"key {key.id}", why=why, action=action, subject=subject)


def check_why(why: str) -> str:
    """The reason of an override, for which nobody else can answer."""
    if not why.strip():
        raise invalid_parameter("/why", "is empty; say it for the audit trail")
    return why


def etag_of(body: object) -> str:
    """A strong ETag of what a resource shows."""
    text = json.dumps(body, sort_keys=True)
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]}"'


def read_as(request: Request) -> str | None:
    """What the edit read, by its If-Match; None where it does not say."""
    return request.headers.get("if-match")


def must_match(request: Request) -> str:
    """The same, for what must not be edited unread."""
    found = read_as(request)
    if found is None:
        raise unread()
    return found


def unread() -> Problem:
    detail = "send If-Match with the ETag as you read it"
    return Problem(status=428, kind="precondition-required", detail=detail)


def check_match(read: str | None, etag: str | None) -> None:
    """The problem where it is not what was read any more; `etag` None: where it is not there."""
    if read is None:
        return
    tags = {tag.strip() for tag in read.split(",")}
    if etag is None or not tags & {"*", etag}:
        raise changed_meanwhile()


def changed_meanwhile() -> Problem:
    detail = "it was changed since you read it; read it again"
    return Problem(status=412, kind="changed-meanwhile", detail=detail)
