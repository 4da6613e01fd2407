"""Requests, answers and refusals in Stripe's shapes; no rule decides anything here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower case, `target` is the path with its query."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: Body
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection is cut instead of an answer."""


class Refusal(Exception):
    """The request is refused with an error in Stripe's shape; nothing has been changed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


def error_answer(
    status: int,
    kind: str,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An error body; absent fields are left out, as Stripe does."""
    error: Body = {"type": kind, "message": message}
    if code is not None:
        error["code"] = code
    if param is not None:
        error["param"] = param
    return Answer(status, {"error": error}, headers or {})


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Refusal:
    """400: the caller's parameters are wrong."""
    return Refusal(error_answer(400, "invalid_request_error", message, code=code, param=param))


def missing(kind: str, identity: str, param: str = "id") -> Refusal:
    """404: no such object."""
    message = f"No such {kind}: '{identity}'"
    answer = error_answer(
        404, "invalid_request_error", message, code="resource_missing", param=param
    )
    return Refusal(answer)


def missing_reference(kind: str, identity: str, param: str) -> Refusal:
    """400: a parameter names an object that does not exist."""
    return invalid(f"No such {kind}: '{identity}'", code="resource_missing", param=param)


def unrecognized_url(method: str, path: str) -> Refusal:
    """404: what Stripe answers for a path that this API version does not have."""
    message = (
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs "
        "or we can help at https://support.stripe.com/."
    )
    return Refusal(error_answer(404, "invalid_request_error", message))


def server_error() -> Answer:
    """500: whether the request took effect is not said."""
    return error_answer(500, "api_error", "An unknown error occurred.")


def unavailable() -> Answer:
    """503: Stripe is down."""
    return error_answer(503, "api_error", "Stripe is temporarily unavailable.")


def too_many(
    message: str,
    *,
    code: str = "rate_limit",
    reason: str | None = None,
    should_retry: bool | None = None,
) -> Answer:
    """429: decided before the idempotency layer, so nothing is saved."""
    headers: dict[str, str] = {}
    if reason is not None:
        headers["Stripe-Rate-Limited-Reason"] = reason
    if should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if should_retry else "false"
    kind = "rate_limit_error" if code == "rate_limit" else "invalid_request_error"
    return error_answer(429, kind, message, code=code, headers=headers)
