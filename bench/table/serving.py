"""The servers that are measured: started on one core, killed under load, started again, and asked
what they hold."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from bench.table.load import Refused, Request
from bench.table.machine import ROOT, SERVER_CORES, SOURCES, cpu_seconds, memory_mib, on_cores
from bench.table.usage import many, set_up_catalog
from tallystick.stores.sqlite import SqliteStore

READY_SECONDS: Final = 1_800
ONE: Final = b"application/cloudevents+json"
BATCH: Final = b"application/cloudevents-batch+json"
COUNTS: Final = re.compile(rb"counts: recorded=(\d+), duplicate=(\d+)(?:, late=(\d+), (.*)\r)?")
NOTHING_LOST: Final = b"conflict=0, dead_letter=0"
PROGRAM: Final = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds: events that count, and the sum of their quantities."""

    events: int
    total: int


@dataclass
class Server(ABC):
    """One server with its own folder. It speaks CloudEvents, and tells what became of each."""

    folder: Path
    port: int
    name: str = ""
    key: str = ""
    ready_seconds: list[float] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None

    @abstractmethod
    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start the process that answers at the port."""

    @abstractmethod
    def held(self) -> Held:
        """Asked of the running server or of its database."""

    @property
    def pid(self) -> int:
        if self._process is None:
            raise Refused(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> float:
        """Seconds until it is ready to take events."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with on_cores(SERVER_CORES), (self.folder / "log").open("ab") as log:
            self._process = self.launch(log)
        while not self._is_ready():
            if self._process.poll() is not None or time.perf_counter() - began > READY_SECONDS:
                raise Refused(f"{self.name} does not start; see {self.folder / 'log'}")
            time.sleep(0.01)
        self.ready_seconds.append(time.perf_counter() - began)
        return self.ready_seconds[-1]

    def kill(self) -> None:
        """As a power cut would: no time to finish anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In good order."""
        self._end(signal.SIGTERM)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def memory_mib(self) -> dict[str, int]:
        return {line: memory_mib(self.pid, line) for line in ("VmRSS", "VmHWM")}

    def request(self, events: list[bytes], fresh: int) -> Request:
        kind, body = (ONE, events[0]) if len(events) == 1 else (BATCH, many(events))
        head = (
            b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n"
        )
        raw = head % (self.key.encode(), kind, len(body)) + body
        return Request(raw, fresh, len(events) - fresh)

    def check(self, request: Request, answer: bytes) -> None:
        """Each new event was recorded, each known one a duplicate."""
        if _counts(answer) != (request.fresh, request.known):
            raise Refused(f"{self.name} was sent {request.fresh} new events: {answer[:400]!r}")

    def check_sent_again(self, request: Request, answer: bytes) -> None:
        """Whether it had been stored before or not: now it is."""
        if sum(_counts(answer)) != request.fresh + request.known:
            raise Refused(f"{self.name} lost what was sent again: {answer[:400]!r}")

    def check_known(self, request: Request, answer: bytes) -> None:
        """It had been acknowledged before a kill, so that it must be known after it."""
        if _counts(answer) != (0, request.fresh + request.known):
            raise Refused(f"{self.name} had acknowledged this, and forgot it: {answer[:400]!r}")

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_SECONDS)
        connection.request("GET", path, headers={"authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise Refused(f"{self.name} answers {answer.status} to {path}: {body[:400]!r}")
        return body

    def _is_ready(self) -> bool:
        try:
            self.get("/readyz")
        except (OSError, http.client.HTTPException, Refused):
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, how)
            self._process.wait(READY_SECONDS)
            self._process = None


def _counts(answer: bytes) -> tuple[int, int]:
    """(recorded, known), where the request was taken and nothing of it was lost."""
    found = COUNTS.search(answer)
    if not answer.startswith(b"HTTP/1.1 204") or found is None:
        return (-1, -1)
    recorded, duplicate, late, rest = found.groups()
    if rest is not None and rest != NOTHING_LOST:
        return (-1, -1)
    return int(recorded) + int(late or 0), int(duplicate)


def free_port(wanted: int = 0) -> int:
    with socket.create_server(("127.0.0.1", wanted)) as free:
        return int(free.getsockname()[1])


@dataclass
class Tallystick(Server):
    """`tallystick serve` on a SQLite file."""

    name: str = "tallystick"

    @property
    def file(self) -> Path:
        return self.folder / "tally.db"

    def bytes_on_disk(self) -> int:
        """The store's file, and what SQLite keeps beside it."""
        return sum(path.stat().st_size for path in self.folder.glob(f"{self.file.name}*"))

    def open_store(self) -> SqliteStore:
        return SqliteStore.open(self.file, incarnation="bench")

    def set_up(self) -> None:
        self.folder.mkdir(parents=True)
        store = self.open_store()
        set_up_catalog(store)
        store.close()

    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        settings = {
            "PYTHONPATH": str(SOURCES),
            "TALLYSTICK_STORE": f"sqlite:///{self.file}",
            "TALLYSTICK_FIRST_KEY_FILE": str(self.folder / "key"),
            # No line of the log for each request: the no-op server and the rival write none either.
            "TALLYSTICK_LOG_LEVEL": "warning",
        }
        serve = [sys.executable, "-c", PROGRAM, "serve", "--port", str(self.port)]
        environment = {**os.environ, **settings}
        return subprocess.Popen(serve, env=environment, stdout=log, stderr=log)  # noqa: S603

    def start(self) -> float:
        took = super().start()
        self.key = (self.folder / "key").read_text().strip()
        return took

    def held(self) -> Held:
        found = json.loads(self.get("/api/v1/usage?by=total"))["elements"]
        return Held(
            sum(int(each["events"]) for each in found),
            sum(int(each["quantity"]) for each in found),
        )


@dataclass
class NoOp(Server):
    """The same server stack, with nothing behind it."""

    name: str = "no-op"

    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "bench.table.noop", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
        return subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=ROOT, stdout=log, stderr=log
        )

    def check(self, request: Request, answer: bytes) -> None:
        if not answer.startswith(b"HTTP/1.1 204"):
            raise Refused(f"the no-op server answers {answer[:400]!r}")

    def held(self) -> Held:
        return Held(0, 0)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True
