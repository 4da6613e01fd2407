"""Targets: what HTTP brings around a report: compression and header fields."""

import asyncio
import gzip
import zlib
from typing import Final

from starlette.requests import Request

from tallystick.entrypoints.http.bodies import RATIO_FROM, RATIO_MAX, Memory, read_whole
from tallystick.entrypoints.http.problems import Problem
from tallystick.entrypoints.http.reading import idempotency_key, media_type
from tests.fuzz.refusals import check_problem

LOOP: Final = asyncio.new_event_loop()


def zipped_body(raw: bytes) -> None:
    """A gzip body in pieces is what Python's gzip makes of it, or a problem; and bounded."""
    memory = Memory()
    cut = (raw[0] % 32 + 1) if raw else 1
    try:
        found = LOOP.run_until_complete(read_whole(_request(raw[1:], cut), memory))
    except Problem as problem:
        LOOP.run_until_complete(asyncio.sleep(0))  # the generators that the problem left behind
        check_problem(problem, 400, 413)
        _check_empty(memory)
        return
    assert memory.held == len(found)
    assert len(found) <= max(RATIO_FROM, RATIO_MAX * len(raw))
    try:
        assert found == gzip.decompress(raw[1:])
    except (OSError, EOFError, zlib.error):
        # Python's reader forgives nothing after a member; ours refuses some and takes no more.
        assert zlib.decompressobj(wbits=31).decompress(raw[1:]) == found


def _check_empty(memory: Memory) -> None:
    assert memory.held == 0


def _request(body: bytes, cut: int) -> Request:
    step = max(1, len(body) // cut)
    chunks = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    messages = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-encoding", b"gzip")],
    }
    return Request(scope, receive)


def header_fields(raw: bytes) -> None:
    """Content-Type and Idempotency-Key: taken, or a problem that can be answered."""
    text = raw.decode("latin-1")
    for read in (media_type, idempotency_key):
        try:
            found = read(text)
        except Problem as problem:
            check_problem(problem, 400, 415)
            continue
        assert found.isprintable()
