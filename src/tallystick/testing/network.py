"""A bad network between any HTTP client and any HTTP server: a proxy that goes wrong on purpose.

What goes wrong is decided for each request by its number, and so by a seed or a list, and never by
the time: where a client has to lose its patience first, the proxy waits until it has. It reads
HTTP/1.1 with Content-Length, which is what our own client, the Stripe SDK, our server and the
sandbox speak; it decrypts nothing.
"""

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

PATIENCE_SECONDS: Final = 60
"""So long the proxy waits for either side at most."""

PAUSE_SECONDS: Final = 0.05

_PIECE: Final = 64 * 1024
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_NO_BODY: Final = re.compile(rb"HTTP/1\.1 (1\d\d|204|304) ")


class Mishap(StrEnum):
    """What happens to one request and its answer."""

    NONE = "none"
    REFUSED = "refused"
    """The connection is closed; the server sees nothing."""
    REQUEST_CUT = "request cut"
    """The server gets half of the request, and then the end of the line."""
    REQUEST_SLOW = "request slow"
    """The request comes in two pieces, with a pause between them."""
    LANDED_LATE = "landed late"
    """The server gets the request when its client has given up waiting."""
    REPEATED = "repeated"
    """The server gets the request twice; the client hears the second answer."""
    HALF_CLOSED = "half closed"
    """The server hears that nothing more will come, and the client that no answer will."""
    ANSWER_LOST = "answer lost"
    """The server has answered; the client's connection ends without it."""
    ANSWER_CUT = "answer cut"
    """The client gets half of the answer, which may be half of its head."""
    ANSWER_LATE = "answer late"
    """The server has answered; the client hears nothing until it gives up."""


Choice = Callable[[int], Mishap]
"""The mishap of the n-th request, from 0."""


def drawn(seed: int, *, share: float = 0.5) -> Choice:
    """A mishap for about this share of the requests, any kind as likely as another."""
    kinds = [mishap for mishap in Mishap if mishap is not Mishap.NONE]

    def choose(number: int) -> Mishap:
        source = random.Random(f"{seed}:{number}")
        return source.choice(kinds) if source.random() < share else Mishap.NONE

    return choose


def listed(*mishaps: Mishap) -> Choice:
    """These in turn, and then none."""
    return lambda number: mishaps[number] if number < len(mishaps) else Mishap.NONE


@dataclass(eq=False)
class BadNetwork:
    """A proxy that runs. `seen` holds what happened so far, in the order of the requests."""

    server: tuple[str, int]
    choose: Choice
    url: str = ""
    seen: list[Mishap] = field(default_factory=list)
    _is_well: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: set[socket.socket] = field(default_factory=set)

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self._is_well = True

    def lead_to(self, url: str) -> None:
        """Lead to another server, such as one that was started again."""
        self.server = _place(url)

    # Connections.

    def accept(self, listening: socket.socket) -> None:
        """Serve each connection in a thread of its own, until the socket is closed."""
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            client.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def hang_up(self) -> None:
        """End every connection."""
        with self._lock:
            for connection in self._open:
                _end(connection)

    def _converse(self, client: socket.socket) -> None:
        """One request after the other, for as long as they go well. An error of either side is
        the end of the connection, as on any network."""
        with self._lock:
            self._open.add(client)
        with suppress(OSError), closing(client):
            while (request := _message(client)) and self._exchanged(client, request):
                pass
        with self._lock:
            self._open.discard(client)

    def _exchanged(self, client: socket.socket, request: bytes) -> bool:
        """Whether the connection is still good after what happened."""
        with self._lock:
            mishap = Mishap.NONE if self._is_well else self.choose(len(self.seen))
            self.seen.append(mishap)
        answer = self._carried(client, request, mishap)
        if mishap is Mishap.ANSWER_CUT:
            answer = answer[: len(answer) // 2]
        elif mishap is Mishap.ANSWER_LATE:
            _wait_for_end(client)
            return False
        elif mishap is Mishap.ANSWER_LOST:
            return False
        client.sendall(answer)
        return bool(answer) and mishap is not Mishap.ANSWER_CUT

    def _carried(self, client: socket.socket, request: bytes, mishap: Mishap) -> bytes:
        """What the server answers; nothing where it is not asked, or where nobody hears it."""
        if mishap is Mishap.REFUSED:
            return b""
        if mishap is Mishap.LANDED_LATE:
            _wait_for_end(client)
            self._asked(request)
            return b""
        if mishap is Mishap.REQUEST_CUT:
            return self._asked(request, until=len(request) // 2)
        if mishap is Mishap.HALF_CLOSED:
            client.shutdown(socket.SHUT_WR)
            self._asked(request, is_last=True)
            return b""
        if mishap is Mishap.REPEATED:
            self._asked(request)
        return self._asked(request, in_pieces=mishap is Mishap.REQUEST_SLOW)

    def _asked(
        self,
        request: bytes,
        *,
        until: int | None = None,
        is_last: bool = False,
        in_pieces: bool = False,
    ) -> bytes:
        """The server's answer to the request, on a connection of its own."""
        with socket.create_connection(self.server, timeout=PATIENCE_SECONDS) as server:
            if until is not None:
                server.sendall(request[:until])
                return b""
            half = len(request) // 2 if in_pieces else 0
            server.sendall(request[:half])
            time.sleep(PAUSE_SECONDS if in_pieces else 0)
            server.sendall(request[half:])
            if is_last:
                server.shutdown(socket.SHUT_WR)
            return _message(server)


@contextmanager
def bad_network(server_url: str, choose: Choice) -> Iterator[BadNetwork]:
    """A proxy to the server on a free port of this machine, for as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        network = BadNetwork(server=_place(server_url), choose=choose)
        network.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=network.accept, args=(listening,), daemon=True)
        thread.start()
        try:
            yield network
        finally:
            _end(listening)
            network.hang_up()
            thread.join(PATIENCE_SECONDS)


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def _message(connection: socket.socket) -> bytes:
    """One request or answer, head and body; empty where the other side has ended."""
    found = bytearray()
    while b"\r\n\r\n" not in found:
        if not (piece := connection.recv(_PIECE)):
            return b""
        found += piece
    head = bytes(found[: found.index(b"\r\n\r\n") + 4])
    whole = len(head) + _body_length(head)
    while len(found) < whole:
        if not (piece := connection.recv(_PIECE)):
            return b""
        found += piece
    return bytes(found)


def _body_length(head: bytes) -> int:
    if length := _LENGTH.search(head):
        return int(length[1])
    if head.startswith(b"HTTP/") and not _NO_BODY.match(head):
        raise ValueError("the proxy reads answers with a Content-Length only")
    return 0


def _wait_for_end(connection: socket.socket) -> None:
    """Until the other side has closed its connection."""
    with suppress(OSError):
        while connection.recv(_PIECE):
            pass


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
