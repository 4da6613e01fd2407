"""What the API answers about reports: counts in a header always, a receipt each on request."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.errors import FieldError
from tallystick.domain.instant import format_instant
from tallystick.entrypoints.http.problems import Problem, error_body
from tallystick.stages.ingesting import KINDS, Outcome, kind_of
from tallystick.stages.rehearsing import Fault

COUNTS: Final = "Tallystick-Counts"


def counts_header(counts: Counter[str]) -> dict[str, str]:
    """`recorded=2, duplicate=1, …`: each kind, none left out."""
    return {COUNTS: _counts_text(tuple(map(counts.__getitem__, KINDS)))}


@lru_cache(maxsize=256)
def _counts_text(counts: tuple[int, ...]) -> str:
    """Most requests are one event, or a batch of one size that was recorded whole."""
    return ", ".join(f"{kind}={count}" for kind, count in zip(KINDS, counts, strict=True))


def wants_receipts(request: Request) -> bool:
    """Whether `Prefer: return=representation` (or `?receipts=true`) was sent."""
    prefer = request.headers.get("prefer")
    preferred = [p.strip().lower() for p in prefer.split(",")] if prefer else ()
    return "return=representation" in preferred or flag(request, "receipts")


def flag(request: Request, name: str) -> bool:
    """A query parameter that is true or false."""
    if not request.scope["query_string"]:
        return False
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise Problem(
            status=400, kind="invalid-parameter", detail=f"?{name}= must be true or false"
        )
    return text in ("true", "1")


def answer(outcomes: Sequence[Outcome], counts: Counter[str], *, receipts: bool) -> Response:
    """204 with the counts; 200 with a receipt for each report where they were asked for."""
    if not receipts:
        return _counts_alone(_counts_text(tuple(map(counts.__getitem__, KINDS))))
    headers = counts_header(counts)
    body = {
        "counts": {kind: counts[kind] for kind in KINDS},
        "receipts": [receipt_body(index, outcome) for index, outcome in enumerate(outcomes)],
    }
    headers["Preference-Applied"] = "return=representation"
    return json_response(body, headers=headers)


@lru_cache(maxsize=256)
def _counts_alone(text: str) -> Response:
    """Nothing changes an answer that is made, so that many requests share one."""
    return Response(status_code=204, headers={COUNTS: text})


def json_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def receipt_body(index: int, outcome: Outcome) -> dict[str, object]:
    """What became of the n-th report of the request, from 0."""
    body: dict[str, object] = {"index": index, "receipt": kind_of(outcome)}
    if isinstance(outcome, DeadLetter):
        body |= {"dead_letter": outcome.id, "reason": str(outcome.reason)}
        return body | {"errors": [error_body(error) for error in outcome.errors]}
    if outcome.aggregates:
        body["aggregates"] = [_aggregate_body(key) for key in outcome.aggregates]
    return body


def _aggregate_body(key: AggregateKey) -> dict[str, str]:
    return {
        "tenant": key.tenant,
        "meter": key.meter,
        "group": key.group,
        "start": format_instant(key.window.start),
        "end": format_instant(key.window.end),
    }


def uncountable(faults: Iterable[Fault], *, is_single: bool) -> Problem:
    """The problem of a strict request: each fault with a pointer into what was sent."""
    errors = [
        _pointed(error, fault, is_single=is_single) for fault in faults for error in fault.errors
    ]
    return Problem(
        status=422,
        kind="not-countable",
        detail="nothing of this strict request was stored; mend what is named and send all again",
        errors=errors,
    )


def _pointed(error: FieldError, fault: Fault, *, is_single: bool) -> FieldError:
    prefix = "" if is_single else f"/{fault.index}"
    return FieldError(pointer=prefix + error.pointer, code=error.code, detail=error.detail)
