"""`tallystick serve` as a process of its own, on a store in a folder."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"
IMPATIENT = """
from tallystick.entrypoints.http import bodies, server
server.HEADER_SECONDS = bodies.SILENCE_SECONDS = 1
"""
NARROW = """
from tallystick.entrypoints.http import server
server.HEADER_BYTES_MAX = 4096
server.LINGER_SECONDS = 1
"""


class Served:
    """One running server."""

    def __init__(self, folder: Path, *, prelude: str = "", port: int = 0) -> None:
        self.url = f"sqlite:///{folder / 'tally.db'}"
        arguments = ["serve", "--port", str(port), "--store", self.url]
        self.process = subprocess.Popen(
            [sys.executable, "-c", prelude + PROGRAM, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("TALLYSTICK_")},
        )
        self.said = ""
        self.port = 0
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"answers at http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return

    @property
    def key(self) -> str:
        """The first admin key, where this start made it."""
        found = re.search(r"tally_\S+", self.said)
        assert found is not None, self.said
        return found[0]

    def request(
        self, method: str, path: str, body: object = None, key: str = ""
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        names = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, names)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text, {k.lower(): v for k, v in response.getheaders()}

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(by)
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        self.process.stderr.close()
        return code


@contextmanager
def serving(folder: Path, *, prelude: str = "", port: int = 0) -> Iterator[Served]:
    served = Served(folder, prelude=prelude, port=port)
    try:
        yield served
    finally:
        if not served.process.stderr.closed:
            served.end(signal.SIGKILL)


def report(key: str, quantity: int = 1) -> dict[str, object]:
    return {"TenantID": "acme", "ProductCode": "requests", "EventID": key, "Quantity": quantity}
