"""A server that gives the answers it was told to, and keeps every request as its bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CUT = b""
SILENCE = b"\0silence"


def reply(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body.encode())}\r\n{headers}\r\n"
    return head.encode() + body.encode()


def event(**headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return reply('{"object": "billing.meter_event"}', headers=lines)


def fault(status: int, message: str = "no", kind: str = "invalid_request_error") -> bytes:
    return reply(f'{{"error": {{"type": "{kind}", "message": "{message}"}}}}', f"{status} No")


def rows(*spans: str) -> bytes:
    return reply(f'{{"data": [{", ".join(spans)}], "has_more": false}}')


@dataclass
class Scripted:
    url: str
    answers: list[bytes]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def heads(self) -> list[str]:
        return [request.partition(b"\r\n\r\n")[0].decode() for request in self.requests]

    def header(self, name: str, which: int = -1) -> str | None:
        for line in self.heads[which].split("\r\n")[1:]:
            found, _, value = line.partition(": ")
            if found.lower() == name.lower():
                return value
        return None


@contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """Each request gets the next answer, the last one again and again."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}", list(answers))
    ended = threading.Event()
    threads = [threading.Thread(target=_accept, args=(listener, server, ended), daemon=True)]
    threads[0].start()
    try:
        yield server
    finally:
        ended.set()
        socket.create_connection(listener.getsockname()).close()
        threads[0].join()
        listener.close()


def _accept(listener: socket.socket, server: Scripted, ended: threading.Event) -> None:
    while True:
        client, _ = listener.accept()
        if ended.is_set():
            client.close()
            return
        server.connections += 1
        threading.Thread(target=_serve, args=(client, server, ended), daemon=True).start()


def _serve(client: socket.socket, server: Scripted, ended: threading.Event) -> None:
    with client, client.makefile("rb") as incoming:
        while (request := _read(incoming)) is not None:
            server.requests.append(request)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if answer == SILENCE:
                ended.wait()
                return
            if answer == CUT:
                return
            client.sendall(answer)


def _read(incoming) -> bytes | None:
    head = b""
    length = 0
    try:
        while line := incoming.readline():
            head += line
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            if line == b"\r\n":
                return head + incoming.read(length)
    except ConnectionError:
        return None
    return None
