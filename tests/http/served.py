"""`tallystick serve` as a process of its own, on a store in a folder, or on the one named."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

PROGRAM = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"
IMPATIENT = """
from tallystick.entrypoints.http import bodies, server
server.HEADER_SECONDS = bodies.SILENCE_SECONDS = 1
"""
STILL = """
from tallystick.domain.instant import HOUR
from tallystick.entrypoints import worker
worker.next_pass = lambda after, grace, *, again: after + HOUR
"""
"""One pass at the start, and no other that would bill what a test wants to bill, at five past."""

NARROW = """
from tallystick.entrypoints.http import server
server.HEADER_BYTES_MAX = 4096
server.LINGER_SECONDS = 1
"""


NOTHING: Mapping[str, str] = MappingProxyType({})
PATIENCE_SECONDS = 120


class Served:
    """One running server. What it says is read all the time, or its pipe would fill and stop it.

    `environment` is what it finds of TALLYSTICK_…; without `is_awaited` it may still be starting.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prelude: str = "",
        port: int = 0,
        environment: Mapping[str, str] = NOTHING,
        is_awaited: bool = True,
        store: str = "",
    ) -> None:
        self.url = store or f"sqlite:///{folder / 'tally.db'}"
        arguments = ["serve", "--port", str(port), "--store", self.url]
        self.process = subprocess.Popen(
            [sys.executable, "-c", prelude + PROGRAM, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")}
            | dict(environment),
        )
        self.said = ""
        self.port = 0
        self.is_up = threading.Event()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        if is_awaited:
            assert self.is_up.wait(PATIENCE_SECONDS), self.said

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"answers at http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                self.is_up.set()
        self.is_up.set()

    def wait_for_passes(self, count: int = 1) -> None:
        """Until so many are over, however late a busy machine lets the loop begin."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while self.said.count('"event": "pass"') < count:
            assert time.monotonic() < ends, self.said
            time.sleep(0.01)

    @property
    def key(self) -> str:
        """The first admin key, where this start made it."""
        found = re.search(r"tally_\S+", self.said)
        assert found is not None, self.said
        return found[0]

    def request(
        self, method: str, path: str, body: object = None, key: str = ""
    ) -> tuple[int, str, dict[str, str]]:
        connection = self.connection()
        names = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, names)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text, {k.lower(): v for k, v in response.getheaders()}

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(by)
        code = self.process.wait(PATIENCE_SECONDS)
        self._listener.join(PATIENCE_SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def serving(
    folder: Path,
    *,
    prelude: str = "",
    port: int = 0,
    environment: Mapping[str, str] = NOTHING,
    store: str = "",
) -> Iterator[Served]:
    served = Served(folder, prelude=prelude, port=port, environment=environment, store=store)
    try:
        yield served
    finally:
        if not served.process.stderr.closed:
            served.end(signal.SIGKILL)


def report(key: str, quantity: int = 1) -> dict[str, object]:
    return {"TenantID": "acme", "ProductCode": "requests", "EventID": key, "Quantity": quantity}
