"""Clients that report over HTTP while servers die: what is not answered is sent again."""

import http.client
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from random import Random

from tests.crash.checking import Acks
from tests.crash.telling import Body, Teller

PATIENCE_SECONDS = 120
AGAIN = 0.15
"""The share of requests that say again what was acked before."""

COUNTED = ("recorded", "late", "duplicate")


class Load:
    """What all clients share: what was sent and acked, and what waits to be sent again."""

    def __init__(self, name: str, now: int) -> None:
        self.acks = Acks()
        self.unsure: list[Body] = []
        self.strange: list[str] = []
        self.requests = 0
        self.refused = Counter[int]()
        self._acked: list[Body] = []
        self._draws = Random(name)
        self._tellers = [Teller(f"{name}.{n}", now) for n in range(4)]
        self._lock = threading.Condition()

    def next_body(self) -> Body:
        """What was not answered, else at times what was acked before, else something new."""
        with self._lock:
            if self.unsure:
                return self.unsure.pop(self._draws.randrange(len(self.unsure)))
            if self._acked and self._draws.random() < AGAIN:
                return self._draws.choice(self._acked)
            body = self._draws.choice(self._tellers).body()
            self.acks.send(body)
            return body

    def note(self, body: Body, status: int | None, counts: str = "") -> None:
        """What was answered; None for nothing at all."""
        with self._lock:
            self.requests += 1
            if status == 204:
                self._check_counts(body, counts)
                self.acks.ack(body)
                self._acked.append(body)
            else:
                self.unsure.append(body)
                if status is not None:
                    self.refused[status] += 1
            self._lock.notify_all()

    def wait_until(self, acked: int) -> bool:
        """Until so many events are acked in all; False where nothing moves for too long."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self.acks.acked) >= acked, PATIENCE_SECONDS)

    def tell_all_again(self) -> int:
        """As clients do who kept what they sent: all of it waits to be sent, and nothing counts as
        acked; how many events that are."""
        with self._lock:
            self.unsure = list({id(body): body for body in self.unsure + self._acked}.values())
            self.acks.acked.clear()
            return sum(len(body.events) for body in self.unsure)

    def _check_counts(self, body: Body, counts: str) -> None:
        said = dict(part.split("=") for part in counts.split(", "))
        if sum(int(said[kind]) for kind in COUNTED) != len(body.events):
            self.strange.append(f"{len(body.events)} reports were answered by {counts}")


class Client(threading.Thread):
    """One connection to one server at a time; it ends when told so, or when the server is gone."""

    def __init__(self, load: Load, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._port = port
        self._authorization = f"Bearer {key}"
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        with closing(connection):
            while not self._stopping.is_set():
                body = self._load.next_body()
                status, counts = self.sent(connection, body)
                self._load.note(body, status, counts)
                if status is None:
                    return
                if status != 204:
                    self._stopping.wait(0.05)

    def sent(self, connection: http.client.HTTPConnection, body: Body) -> tuple[int | None, str]:
        names = {"authorization": self._authorization, "content-type": body.content_type}
        try:
            connection.request("POST", "/api/v1/events", body.content, names)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return None, ""
        return response.status, response.headers.get("tallystick-counts", "")


def started(load: Load, ports: Sequence[int], key: str, count: int) -> list[Client]:
    """So many clients, spread over the servers."""
    clients = [Client(load, ports[n % len(ports)], key) for n in range(count)]
    for client in clients:
        client.start()
    return clients


def ended(clients: Sequence[Client]) -> None:
    """Wait for all of them, after their servers are gone or they were told to stop."""
    for client in clients:
        client.join(PATIENCE_SECONDS)
        assert not client.is_alive(), "a client hangs"
