"""Reading what a caller sends: inflated where it was zipped, within limits, and not for ever.

Memory is bounded by what is admitted, never by what a caller says or sends.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Message

from tallystick.entrypoints.http.problems import Problem, overloaded, too_large
from tallystick.stages.decoding import REPORT_BYTES_MAX

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of a body that is read whole, after inflating."""

STREAM_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Of a body that is read line by line, after inflating."""

HELD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all bodies that are held at once."""

SILENCE_SECONDS: Final = 20
WHOLE_BODY_SECONDS: Final = 60
PIECE: Final = 64 * 1024
RATIO_MAX: Final = 200
"""Real events inflate by 10 to 50; a bomb by a thousand."""

RATIO_FROM: Final = 1024 * 1024
ZIPPED: Final = frozenset({"gzip", "x-gzip"})


IS_WHOLE: Final = "tallystick.is_whole"
"""In a request's scope where its body has come to its end, so that nobody waits for any of it."""


@dataclass(slots=True)
class Memory:
    """How many bytes of bodies are held now, by all requests."""

    held: int = 0
    limit: int = HELD_BYTES_MAX

    def take(self, count: int) -> None:
        if self.held + count > self.limit:
            raise overloaded("too many bytes are on their way in; try again in a second")
        self.held += count

    def give_back(self, count: int) -> None:
        self.held -= count


async def read_whole(request: Request, memory: Memory, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body; its bytes stay counted in `memory` until the caller gives them back."""
    _check_announced(request, bytes_max)
    until = asyncio.get_running_loop().time() + WHOLE_BODY_SECONDS
    inflater = _inflater(request)
    first = await _next_message(request)
    if inflater is None and not first.get("more_body"):
        # Most bodies come in one piece, and need nothing that waits for the next.
        body: bytes = first.get("body", b"")
        _check_size(len(body), bytes_max)
        memory.take(len(body))
        return body
    return await _read_rest(_inflated(request, inflater, first), memory, bytes_max, until)


async def _read_rest(
    pieces: AsyncGenerator[bytes, None], memory: Memory, bytes_max: int, until: float
) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout_at(until), aclosing(pieces) as read:
            async for piece in read:
                _check_size(len(found) + len(piece), bytes_max)
                memory.take(len(piece))
                found += piece
    except TimeoutError:
        memory.give_back(len(found))
        raise _too_slow(WHOLE_BODY_SECONDS) from None
    except BaseException:
        memory.give_back(len(found))
        raise
    return bytes(found)


def _check_announced(request: Request, bytes_max: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit():
        _check_size(int(announced[:20]), bytes_max)


async def read_lines(request: Request) -> AsyncGenerator[bytes, None]:
    """The lines that are not blank, one by one. Of one that is too long, only so much that it is
    still too long."""
    rest = bytearray()
    total = 0
    async with aclosing(pieces(request)) as read:
        async for piece in read:
            total += len(piece)
            _check_size(total, STREAM_BYTES_MAX)
            first, *others = piece.split(b"\n")
            rest += first[: REPORT_BYTES_MAX + 1 - len(rest)]
            for following in others:
                if line := bytes(rest).strip():
                    yield line
                rest = bytearray(following)
    if line := bytes(rest).strip():
        yield line


def pieces(request: Request) -> AsyncGenerator[bytes, None]:
    """The body's bytes as they come, inflated; each piece is small."""
    return _inflated(request, _inflater(request))


def _inflater(request: Request) -> "_Inflater | None":
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ZIPPED | {"identity", ""}:
        detail = f"Content-Encoding {encoding[:40]!r} is not read; send gzip, or none"
        headers = {"Accept-Encoding": "gzip"}
        raise Problem(status=415, kind="unsupported-content", detail=detail, headers=headers)
    return _Inflater() if encoding in ZIPPED else None


async def _inflated(
    request: Request, inflater: "_Inflater | None", first: Message | None = None
) -> AsyncGenerator[bytes, None]:
    """What follows the first message, where that was read already, and it."""
    message = await _next_message(request) if first is None else first
    while True:
        chunk = message.get("body", b"")
        if inflater is None:
            if chunk:
                yield chunk
        else:
            inflater.feed(chunk)
            while piece := inflater.next_piece():
                yield piece
        if not message.get("more_body"):
            break
        message = await _next_message(request)
    if inflater is not None:
        inflater.check_complete()


async def _next_message(request: Request) -> Message:
    """The next part of the body; the problem where none comes any more."""
    if IS_WHOLE in request.scope:
        message = await request.receive()
    else:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await request.receive()
        except TimeoutError:
            raise _too_slow(SILENCE_SECONDS) from None
    if message["type"] == "http.disconnect":
        detail = "the connection was closed before the whole request had come"
        raise Problem(status=400, kind="cut-off", detail=detail)
    return message


class _Inflater:
    """A gzip stream of one or several members, taken piece by piece."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._came = 0
        self._inflated = 0

    def feed(self, chunk: bytes) -> None:
        self._came += len(chunk)
        self._waiting += chunk

    def next_piece(self) -> bytes:
        """Up to PIECE more bytes; nothing where more input is needed."""
        while self._waiting or not self._member.eof:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            try:
                piece = self._member.decompress(self._waiting, PIECE)
            except zlib.error as error:
                detail = f"the body is no gzip: {error}"
                raise Problem(status=400, kind="unreadable", detail=detail) from error
            self._waiting = self._member.unconsumed_tail or self._member.unused_data
            if piece:
                return self._counted(piece)
            if not self._member.eof:
                return b""
        return b""

    def _counted(self, piece: bytes) -> bytes:
        self._inflated += len(piece)
        if self._inflated > RATIO_FROM and self._inflated > RATIO_MAX * self._came:
            raise too_large(f"the body inflates to more than {RATIO_MAX} times its size")
        return piece

    def check_complete(self) -> None:
        if not self._member.eof:
            detail = "the gzip stream ends too early; send the whole of it"
            raise Problem(status=400, kind="cut-off", detail=detail)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise too_large(f"the body has more than {limit} bytes; send it in several requests")


def _too_slow(seconds: int) -> Problem:
    detail = f"the rest of the request did not come within {seconds} seconds"
    return Problem(status=408, kind="too-slow", detail=detail, headers={"Connection": "close"})
