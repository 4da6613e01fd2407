"""`POST /api/v1/events` and `/api/v1/events/batch`: reports in, answered when they are durable."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.domain.dead_letter import DeadLetter
from tallystick.entrypoints.http.answers import (
    answer,
    counts_header,
    flag,
    json_response,
    uncountable,
    wants_receipts,
)
from tallystick.entrypoints.http.bodies import read_lines, read_whole
from tallystick.entrypoints.http.counting import GROUP_MAX, Outcomes, Uncountable
from tallystick.entrypoints.http.lago import (
    lago_event,
    lago_fields,
    lago_refusal,
    repeated,
    taken,
)
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.reading import (
    BATCH_MAX,
    CLOUD_EVENT,
    CLOUD_EVENTS,
    JSON,
    LINES,
    Sender,
    Sent,
    Shape,
    idempotency_key,
    media_type,
    read_binary,
    read_events,
    read_lago_batch,
    read_line_group,
)
from tallystick.entrypoints.http.service import Service, service_of
from tallystick.stages.ingesting import Outcome, Report, kinds_of
from tallystick.stages.tabulating import Plain

INLINE_BYTES: Final = 32 * 1024
"""A larger body is parsed in a thread, so that other requests are not held up."""

LINE_GROUP_BYTES: Final = 2 * 1024 * 1024


async def post_events(request: Request) -> Response:
    """One report, a batch of them, or a stream of lines; in any of the formats."""
    key = await service_of(request).granted(request, Scope.INGEST)
    sender = _sender(request, key)
    if _is_binary(request):
        if request.headers.get("content-type"):
            media_type(request.headers["content-type"])
        headers = dict(request.headers)
        return await _whole(request, lambda body: read_binary(body, headers, sender))
    kind = media_type(request.headers.get("content-type", ""))
    if kind in LINES:
        return await _stream(request, sender)
    return await _whole(request, lambda body: read_events(body, kind, sender))


async def post_lago_batch(request: Request) -> Response:
    """Lago's batch."""
    key = await service_of(request).granted(request, Scope.INGEST)
    if media_type(request.headers.get("content-type", "")) != JSON:
        detail = f"Content-Type must be {JSON} here"
        raise Problem(status=415, kind="unsupported-content", detail=detail)
    sender = _sender(request, key)
    return await _whole(request, lambda body: read_lago_batch(body, sender))


def _sender(request: Request, key: ApiKey) -> Sender:
    return Sender(
        origin=f"POST {request.scope['path']} by key {key.id}",
        tenant=key.tenant,
        idempotency_key=idempotency_key(request.headers.get("idempotency-key")),
    )


def _is_binary(request: Request) -> bool:
    if "ce-specversion" not in request.headers:
        return False
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind not in (CLOUD_EVENT, CLOUD_EVENTS)


# ── Bodies that are read whole ────────────────────────────────────────────────────────────────────


async def _whole(request: Request, read: Callable[[bytes], Sent]) -> Response:
    service = service_of(request)
    is_strict, receipts = flag(request, "strict"), wants_receipts(request)
    body = await read_whole(request, service.memory)
    try:
        is_small = len(body) <= INLINE_BYTES
        sent = read(body) if is_small else await service.in_thread(lambda: read(body))
        _check_lago_batch(sent)
        await _check_repeated(service, sent)
        outcomes = await _counted(service, sent, strict=is_strict)
        if sent.shape is Shape.EVENTS or receipts:
            return answer(outcomes, kinds_of(outcomes), receipts=receipts)
        return await _lago_answer(service, sent, outcomes)
    finally:
        service.memory.give_back(len(body))


async def _counted(service: Service, sent: Sent, *, strict: bool) -> Outcomes:
    if strict:
        try:
            return await service.counting.count(sent.reports, strict=True)
        except Uncountable as refusal:
            raise uncountable(refusal.faults, is_single=sent.is_single) from refusal
    if isinstance(sent.reports, Plain):
        return await service.counting.count(sent.reports)
    found: list[Outcome] = []
    for start in range(0, len(sent.reports), GROUP_MAX):
        found += await service.counting.count(sent.reports[start : start + GROUP_MAX])
    return tuple(found)


# ── Lago ──────────────────────────────────────────────────────────────────────────────────────────


def _check_lago_batch(sent: Sent) -> None:
    if sent.shape is Shape.LAGO_BATCH and not sent.reports:
        raise lago_refusal("no_events", "/events is empty; send at least one event")


async def _check_repeated(service: Service, sent: Sent) -> None:
    """By a setting, as Lago's own server does: nothing of a request with a used id is stored. Of
    two requests at one instant that bring the same new id, both may be taken; it counts once."""
    if sent.shape is Shape.EVENTS or not service.app.settings.lago_refuse_duplicates:
        return
    events = service.app.store.events
    found = await service.in_thread(lambda: repeated(sent.reports, events))
    if found:
        raise taken(found, is_single=sent.shape is Shape.LAGO)


async def _lago_answer(service: Service, sent: Sent, outcomes: Sequence[Outcome]) -> Response:
    """The events as they are stored, in Lago's shape; the counts in the header all the same."""
    events = service.app.store.events
    now = service.app.clock.now()

    def described(report: Report, outcome: Outcome) -> dict[str, object]:
        fields = lago_fields(report)
        tenant, key = fields.get("external_subscription_id"), fields.get("transaction_id")
        is_stored = not isinstance(outcome, DeadLetter)
        stored = events.event(str(tenant), str(key)) if is_stored else None
        return lago_event(report, stored, now)

    found = await service.in_thread(
        lambda: [described(r, o) for r, o in zip(sent.reports, outcomes, strict=True)]
    )
    headers = counts_header(kinds_of(outcomes))
    body = {"event": found[0]} if sent.shape is Shape.LAGO else {"events": found}
    return json_response(body, headers=headers)


# ── Streams of lines ──────────────────────────────────────────────────────────────────────────────


async def _stream(request: Request, sender: Sender) -> Response:
    """Count the lines group by group as they come, so that memory stays flat.

    What was counted before a line that cannot be taken stays counted: send the whole again, and it
    is a duplicate. Receipts are kept for as many lines as a batch may have.
    """
    if flag(request, "strict"):
        detail = "a stream is stored as it comes, so it cannot be strict; send a JSON array"
        raise Problem(status=400, kind="invalid-parameter", detail=detail)
    receipts, kept = wants_receipts(request), list[Outcome]()
    counts, lines, size = Counter[str](), list[bytes](), 0
    async for line in read_lines(request):
        lines.append(line)
        size += len(line)
        if len(lines) == GROUP_MAX or size >= LINE_GROUP_BYTES:
            kept += await _line_group(request, lines, counts, sender)
            kept = kept if receipts and len(kept) <= BATCH_MAX else []
            lines, size = [], 0
    if lines:
        kept += await _line_group(request, lines, counts, sender)
    return answer(kept, counts, receipts=receipts and len(kept) == counts.total())


async def _line_group(
    request: Request, lines: Sequence[bytes], counts: Counter[str], sender: Sender
) -> Outcomes:
    service = service_of(request)
    size = sum(map(len, lines))
    service.memory.take(size)
    try:
        first = counts.total()
        reports = await service.in_thread(lambda: read_line_group(lines, first, sender))
        outcomes = await service.counting.count(reports)
    finally:
        service.memory.give_back(size)
    counts.update(kinds_of(outcomes))
    return outcomes
