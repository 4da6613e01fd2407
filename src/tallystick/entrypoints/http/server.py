"""The server around the API: it listens, loses patience with the silent, and drains at the end."""

import asyncio
import gc
import signal
import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tallystick.domain.errors import InvalidSetting
from tallystick.entrypoints.http.bodies import IS_WHOLE
from tallystick.entrypoints.running import Running

HEADER_BYTES_MAX: Final = 64 * 1024
HEADER_SECONDS: Final = 20
LINGER_SECONDS: Final = 2
KEEP_ALIVE_SECONDS: Final = 30
DRAIN_SECONDS: Final = 20
CONNECTIONS_MAX: Final = 4_096
BACKLOG: Final = 2_048

OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
"""So many more objects are alive than before when the collector looks for cycles. A crowd's
requests under way are some thousands: with Python's 700 they would be searched all the time."""


class PatientProtocol(HttpToolsProtocol):
    """A connection that must say what it wants within a time and a size.

    The server's own limits begin when the headers are complete; these hold before that, and after
    an answer that came before the body did.
    """

    _deadline: asyncio.TimerHandle | None = None
    _is_in_headers = False
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._give(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES_MAX:
                self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_headers, self._header_bytes = True, 0
        self._give(HEADER_SECONDS)

    def on_headers_complete(self) -> None:
        self._is_in_headers = False
        self._forget_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.scope[IS_WHOLE] = True  # type: ignore[typeddict-unknown-key]  # one of ours
        super().on_message_complete()

    def on_response_complete(self) -> None:
        is_early = self.cycle.more_body
        super().on_response_complete()
        if is_early:
            # Not at once, or whoever is still sending would never see the answer.
            self._give(LINGER_SECONDS)

    def _give(self, seconds: int) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(seconds, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; InvalidSetting says why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise InvalidSetting(f"cannot listen on {host} port {port}: {error}") from error


class EndingServer(uvicorn.Server):
    """Drains and ends by itself where the process must end."""

    def __init__(self, config: uvicorn.Config, running: Running) -> None:
        super().__init__(config)
        self._running = running

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._running.lost is not None


def run_server(api: ASGIApp, listening: socket.socket, running: Running) -> None:
    """Answer until SIGTERM or SIGINT, then take no more, finish what was begun, and return.

    Raises StoreLost where that ended it.
    """
    config = uvicorn.Config(
        api,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    # The server raises the signal again when it has drained; by then there is nothing to do.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: None)
    _spare_the_collector()
    EndingServer(config, running).run(sockets=[listening])
    if running.lost is not None:
        raise running.lost


def _spare_the_collector() -> None:
    """What is alive at the start stays; to look through it again and again costs every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
