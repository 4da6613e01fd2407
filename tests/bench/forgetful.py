"""A server for the benchmark's own proof: it takes events over HTTP in a thread, and what it has at
its 'kill' is decided by the test."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from bench.table.serving import Held, Server

Event = dict[str, object]


@dataclass
class Forgetful(Server):
    """Acknowledges every event; `survive` says which of the acknowledged are there after a kill, in
    the order in which they came. `first_after` seconds pass from the first request until it answers
    any. The request with the number `ignored` is neither taken nor answered before the kill."""

    name: str = "forgetful"
    survive: Callable[[list[str]], list[str]] = list
    first_after: float = 0
    first_at: float = 0
    ignored: int = -1
    requests: int = 0
    counted_twice: int = 0
    quantities: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listening: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)

    def launch(self, log: IO[bytes]):
        raise AssertionError("it runs in this process")

    def start(self) -> float:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()
        return 0.0

    def kill(self) -> None:
        with self._lock:
            self._stop_listening()
            kept = self.survive(list(self.quantities))
            self.quantities = {key: self.quantities[key] for key in kept}

    def cpu_seconds(self) -> float:
        return 0.0

    def held(self) -> Held:
        with self._lock:
            found = self.quantities.values()
            return Held(len(found) + self.counted_twice, sum(found))

    def _stop_listening(self) -> None:
        for each in (self._listening, *self._open):
            if each is not None:
                # A close alone would leave the thread that waits in recv, and the peer, waiting.
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
                finally:
                    each.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(client)
            threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as incoming:
                while head := self._head(incoming):
                    body = json.loads(incoming.read(head))
                    if self._is_ignored():
                        incoming.read()  # until the kill
                        return
                    answer = self._taken(body)
                    stall = self.first_at + self.first_after - time.monotonic()
                    threading.Event().wait(max(0.0, stall))
                    client.sendall(answer)
        except (OSError, ValueError):
            return

    def _is_ignored(self) -> bool:
        with self._lock:
            self.requests += 1
            return self.requests == self.ignored

    def _head(self, incoming: IO[bytes]) -> int:
        length = 0
        while (line := incoming.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return length

    def _taken(self, body: Event | list[Event]) -> bytes:
        events = body if isinstance(body, list) else [body]
        with self._lock:
            self.first_at = self.first_at or time.monotonic()
            new = {e["id"]: e["data"]["quantity"] for e in events if e["id"] not in self.quantities}
            self.quantities |= new
        counts = f"recorded={len(new)}, duplicate={len(events) - len(new)}"
        return f"HTTP/1.1 204 No Content\r\ncounts: {counts}\r\n\r\n".encode()
