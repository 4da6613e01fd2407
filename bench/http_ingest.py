"""How fast `tallystick serve` takes events, durably, and what memory a million of them leaves.

A server of its own process and SQLite file, with its log on; the load comes from this process: an
asyncio.Protocol on plain sockets, keep-alive, each of the connections sending its next request when
the last was answered. It builds a request by joining bytes, and looks at the status line only; its
share of a core is printed, so that one sees that it was not the bottleneck. In turn, round by round
in one run: an empty batch (the same route, key and body reading, and nothing to commit), single
events, batches of 100 and of 1,000. Then so many events as lines of NDJSON. At the end it is
checked that the server counts exactly what it acknowledged, each once.

The server's processor time of each phase is printed too: on a machine that does other work it says
more than the clock does.

    PYTHONPATH=src python bench/http_ingest.py
"""

import argparse
import asyncio
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = "import sys; from tallystick.entrypoints.cli import main; sys.exit(main())"
TENANTS = 100
LINES_EACH = 20_000
"""Events a request of NDJSON."""

NUMBERS = itertools.count()


@dataclass
class Server:
    """A running server, and how to speak to it."""

    pid: int
    port: int
    key: str

    def ask(self, path: str) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("GET", path, headers={"authorization": f"Bearer {self.key}"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def memory(self) -> dict[str, int]:
        """MiB now and at its highest."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        return {name: int(found[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM")}

    def cpu_seconds(self) -> float:
        """Of the server's process, since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def request(self, kind: str, body: bytes) -> bytes:
        head = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    key_file, url = folder / "key", f"sqlite:///{folder / 'tally.db'}"
    settings = {
        "TALLYSTICK_STORE": url,
        "TALLYSTICK_FIRST_KEY_FILE": str(key_file),
        "TALLYSTICK_AUTO_ONBOARD": "true",
    }
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, **settings}
    meter = [*command, "meters", "add", "requests"]
    with (folder / "log").open("wb") as log:
        subprocess.run(meter, check=True, env=environment, stderr=log)  # noqa: S603  # our own
        serve = [*command, "serve", "--port", str(port)]
        process = subprocess.Popen(serve, env=environment, stderr=log)  # noqa: S603  # our own
    try:
        while not (key_file.exists() and key_file.stat().st_size and _answers(port)):
            time.sleep(0.1)
        yield Server(process.pid, port, key_file.read_text().strip())
    finally:
        process.terminate()
        process.wait(120)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def event() -> bytes:
    number = next(NUMBERS)
    return b'{"TenantID":"t%d","ProductCode":"requests","Quantity":1,"EventID":"e%d"}' % (
        number % TENANTS,
        number,
    )


@dataclass
class Load:
    """What one phase sends, and what it found."""

    name: str
    events: int
    seconds: float = 0
    own_seconds: float = 0
    server_seconds: float = 0
    times: list[float] = field(default_factory=list)

    def body(self) -> bytes:
        if self.events == 0:
            return b"[]"
        if self.events == 1:
            return event()
        return b"[" + b",".join(event() for _ in range(self.events)) + b"]"


class Connection(asyncio.Protocol):
    """Sends, waits for the answer, sends again until the time is over."""

    def __init__(self, server: Server, load: Load, ends: float, done: Callable[[], None]) -> None:
        self.server, self.load, self.ends, self.done = server, load, ends, done
        self.found = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        if time.perf_counter() >= self.ends:
            self.transport.close()
            self.done()
            return
        request = self.server.request("application/json", self.load.body())
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, received: bytes) -> None:
        self.found += received
        if not self.found.endswith(b"\r\n\r\n"):
            return
        if not self.found.startswith(b"HTTP/1.1 204"):
            raise SystemExit(f"refused: {self.found[:400]!r}")
        self.load.times.append(time.perf_counter() - self.began)
        self.found = b""
        self.send()


async def run_load(server: Server, load: Load, connections: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    left, over = [connections], loop.create_future()

    def done() -> None:
        left[0] -= 1
        if not left[0]:
            over.set_result(None)

    began, own, servers = time.perf_counter(), time.process_time(), server.cpu_seconds()
    for _ in range(connections):
        await loop.create_connection(
            lambda: Connection(server, load, began + seconds, done), "127.0.0.1", server.port
        )
    await over
    load.seconds += time.perf_counter() - began
    load.own_seconds += time.process_time() - own
    load.server_seconds += server.cpu_seconds() - servers


def show(load: Load, noop: Load | None) -> None:
    rate = len(load.times) / load.seconds
    ranks = statistics.quantiles(load.times, n=1000)
    beside = f", {rate / (len(noop.times) / noop.seconds):.2f} of the empty batch's" if noop else ""
    print(
        f"{load.name:>16}: {rate:8,.0f} requests/s{beside}; {rate * load.events:8,.0f} events/s; "
        f"p50 {ranks[499] * 1e3:.1f} ms, p99 {ranks[989] * 1e3:.1f} ms; "
        f"processor time {load.server_seconds / len(load.times) * 1e3:.2f} ms a request; "
        f"the load generator took {load.own_seconds / load.seconds:.0%} of a core"
    )


def stream(server: Server, events: int) -> float:
    """So many events as lines, one request after the other; seconds."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    names = {
        "authorization": f"Bearer {server.key}",
        "content-type": "application/x-ndjson",
    }
    for sent in range(0, events, LINES_EACH):
        lines = b"\n".join(event() for _ in range(min(LINES_EACH, events - sent)))
        connection.request("POST", "/api/v1/events", lines, names)
        answer = connection.getresponse()
        answer.read()
        counts = answer.headers.get("tallystick-counts", "")
        if answer.status != 204 or "conflict=0, dead_letter=0" not in counts:
            raise SystemExit(f"refused: {answer.status} {counts}")
    connection.close()
    return time.perf_counter() - began


def check(server: Server, acked: int) -> None:
    found = server.ask("/api/v1/usage?by=total")["elements"]
    counted = sum(int(total["events"]) for total in found)
    summed = sum(int(total["quantity"]) for total in found)
    letters = server.ask("/api/v1/dead-letters")["elements"]
    if not counted == summed == acked or letters:
        raise SystemExit(f"{acked} acknowledged, {counted} counted, their sum {summed}; {letters}")
    print(f"{acked:,} events were acknowledged, and each is counted once")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each phase in each round")
    parser.add_argument("--lines", type=int, default=1_000_000)
    asked = parser.parse_args()
    loads = [
        Load("an empty batch", 0),
        Load("single events", 1),
        Load("batches of 100", 100),
        Load("batches of 1,000", 1_000),
    ]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        print(f"memory at the start: {server.memory()} MiB; load average {os.getloadavg()[0]:.1f}")
        for _ in range(asked.rounds):
            for load in loads:
                # More than WAITING_MAX reports at once are told to come back, as they should.
                connections = min(asked.connections, 25_000 // max(1, load.events))
                asyncio.run(run_load(server, load, connections, asked.seconds))
        for load in loads:
            show(load, loads[0] if load.events else None)
        print(f"memory after these: {server.memory()} MiB; load average {os.getloadavg()[0]:.1f}")
        if asked.lines:
            seconds = stream(server, asked.lines)
            rate = asked.lines / seconds
            print(f"NDJSON: {asked.lines:,} events in {seconds:.1f} s, {rate:,.0f} events/s")
            print(f"memory after these: {server.memory()} MiB")
        check(server, sum(len(load.times) * load.events for load in loads) + asked.lines)


if __name__ == "__main__":
    main()
