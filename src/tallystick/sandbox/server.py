"""HTTP/1.1 in front of a sandbox: keep-alive, one write per answer, and cut connections.

The standard library's request parser is built for any header there is; this one reads only what
an API client sends, which is what makes one core answer thousands of requests a second.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Self, cast

from .answers import Answer, Dropped, Request, error_answer
from .control import PREFIX, control
from .desk import Reply
from .journal import open_sandbox
from .settings import Settings
from .stripe_sandbox import StripeSandbox

_LINE_MAX = 16_384
_HEADERS_MAX = 100
_IDLE_SECONDS = 120
_DELIVERY_SECONDS = 0.5
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class _BadRequest(Exception):
    """The bytes are no request that can be answered; the connection is closed afterwards."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = error_answer(status, "invalid_request_error", message)


class _Connection:
    """One client's connection, from its first request to its end."""

    def __init__(self, client: socket.socket, _: object, server: "_Server") -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(_IDLE_SECONDS)
        self._client = client
        with client.makefile("rb", 65_536) as self._incoming:
            try:
                self._converse(server.sandbox)
            except _BadRequest as refused:
                self._write(refused.answer, keep=False)
            except (ConnectionError, TimeoutError):
                return

    def _converse(self, sandbox: StripeSandbox) -> None:
        keep = True
        while keep:
            request = self._read(sandbox.settings.body_bytes_max)
            if request is None:
                return
            reply = _reply(sandbox, request)
            if isinstance(reply, Dropped):
                self._cut()
                return
            keep = request.headers.get("connection", "").lower() != "close"
            self._write(reply, keep=keep, now=sandbox.now())

    def _read(self, body_bytes_max: int) -> Request | None:
        line = self._incoming.readline(_LINE_MAX)
        if not line.strip():
            return None
        parts = line.decode("latin-1").split()
        if len(parts) != 3 or not parts[1].startswith("/"):
            raise _BadRequest(400, "Not an HTTP/1.1 request.")
        headers = self._read_headers()
        if "transfer-encoding" in headers:
            raise _BadRequest(411, "The request needs a Content-Length.")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _BadRequest(400, "Invalid Content-Length.")
        if len(length) > 12 or int(length) > body_bytes_max:
            raise _BadRequest(413, f"The request body is larger than {body_bytes_max} bytes.")
        if headers.get("expect", "").lower() == "100-continue":
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._incoming.read(int(length)) if int(length) else b""
        if len(body) < int(length):
            return None
        return Request(parts[0], parts[1], headers, body)

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_HEADERS_MAX):
            line = self._incoming.readline(_LINE_MAX)
            if line in (b"\r\n", b"\n", b""):
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        raise _BadRequest(431, "Too many headers.")

    def _write(self, answer: Answer, *, keep: bool, now: int | None = None) -> None:
        body = json.dumps(answer.body, separators=(",", ":")).encode()
        head = [
            f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Connection: {'keep-alive' if keep else 'close'}",
            *(() if now is None else (f"Date: {formatdate(now, usegmt=True)}",)),
            *(f"{name}: {_one_line(value)}" for name, value in answer.headers.items()),
        ]
        self._client.sendall("\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + body)

    def _cut(self) -> None:
        """Reset instead of closing in good order, as a failing network would."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")


def _reply(sandbox: StripeSandbox, request: Request) -> Reply:
    if request.target.startswith(PREFIX):
        return control(sandbox, request)
    return sandbox.respond(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: StripeSandbox, host: str, port: int) -> None:
        self.sandbox = sandbox
        super().__init__((host, port), _Connection)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        """Bind without asking the network for the host's name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def shutdown_request(self, request: object) -> None:
        """Close without the shutdown that would turn a reset into an orderly end."""
        cast("socket.socket", request).close()


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at `url` until it is closed."""

    sandbox: StripeSandbox
    url: str
    _server: _Server
    _thread: threading.Thread

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(sandbox: StripeSandbox, host: str = "127.0.0.1", port: int = 0) -> RunningSandbox:
    """Answer in a thread of its own; port 0 takes any free one."""
    server = _Server(sandbox, host, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    url = f"http://{host}:{server.server_address[1]}"
    return RunningSandbox(sandbox, url, server, thread)


def run(
    host: str = "127.0.0.1",
    port: int = 12111,
    at: int | None = None,
    seed: int = 0,
    state_file: str | None = None,
    *,
    settings: Settings | None = None,
    announce: Callable[[str], object] = lambda _: None,
) -> None:
    """Answer in the foreground until interrupted; a state file lets the next start continue.

    Webhooks are sent by themselves here. `announce` is called with the URL once it answers.
    """
    if state_file is None:
        sandbox = StripeSandbox(at, seed=seed, settings=settings)
    else:
        sandbox = open_sandbox(Path(state_file), at, seed, settings)
    with serve(sandbox, host, port) as running, suppress(KeyboardInterrupt):
        announce(running.url)
        never = threading.Event()
        while not never.wait(_DELIVERY_SECONDS):
            sandbox.deliver()
