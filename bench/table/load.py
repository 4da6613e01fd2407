"""The load generators: connections on plain sockets, driven by one thread on a core of its own.

Closed: each connection sends its next request when the last was answered, until the server is
killed under it. Open: requests come at a stated rate whatever the server does, and a request's time
runs from the moment it should have been sent, so that a server that stalls cannot hide behind the
requests that were never sent meanwhile (no coordinated omission).
"""

import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

PATIENCE_SECONDS: Final = 60
RECEIVED_MAX: Final = 65_536
HEADERS_END: Final = b"\r\n\r\n"


class Refused(Exception):
    """The server did not take a request: there is nothing to measure."""


@dataclass(slots=True)
class Request:
    """One request as bytes, and how many new and how many known events are in it."""

    raw: bytes
    fresh: int = 0
    known: int = 0


Check = Callable[[Request, bytes], None]
"""Raises Refused where the answer to a request is not what it must be."""


class Making(Protocol):
    """Makes the next request."""

    def __call__(self) -> Request: ...


@dataclass(slots=True)
class Times:
    """When each answer was complete, and how long its request took; seconds."""

    began: float = 0
    ended: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    def per_second(self) -> list[int]:
        """Answers in each whole second."""
        if not self.ended:
            return []
        counts = [0] * int(self.ended[-1] - self.began + 1)
        for moment in self.ended:
            counts[int(moment - self.began)] += 1
        return counts[:-1] or counts


@dataclass(slots=True)
class Left:
    """What a kill left behind: requests without an answer, and each connection's last answered."""

    unanswered: list[Request] = field(default_factory=list)
    answered_last: list[Request] = field(default_factory=list)


class Connection:
    """One socket and its request under way."""

    __slots__ = ("began", "found", "last", "request", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.request: Request | None = None
        self.last: Request | None = None
        self.unsent = memoryview(b"")
        self.found = b""
        self.began = 0.0

    def send(self, request: Request, began: float) -> bool:
        """Send; False where some of it has to wait for room."""
        self.request, self.began, self.unsent = request, began, memoryview(request.raw)
        return self.send_rest()

    def send_rest(self) -> bool:
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            return False
        return not self.unsent

    def answer(self) -> bytes | None:
        """The whole answer, once it is there."""
        received = self.socket.recv(RECEIVED_MAX)
        if not received:
            raise ConnectionResetError
        self.found += received
        head, found, body = self.found.partition(HEADERS_END)
        if not found or len(body) < _length(head):
            return None
        answer, self.found = self.found, b""
        self.last, self.request = self.request, None
        return answer


def _length(head: bytes) -> int:
    if head.startswith(b"HTTP/1.1 204"):
        return 0
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


class Connections:
    """All connections of one run, and who of them can go on."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.all = [Connection(port) for _ in range(count)]
        for connection in self.all:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def send(self, connection: Connection, request: Request, began: float) -> None:
        if not connection.send(request, began):
            self._watch(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def ready(self, timeout: float) -> list[tuple[Connection, bytes]]:
        """Those whose answer is there. What the kill of a server cuts is closed and left out."""
        answered = []
        for key, events in self._selector.select(timeout):
            connection: Connection = key.data
            try:
                if events & selectors.EVENT_WRITE and connection.send_rest():
                    self._watch(connection, selectors.EVENT_READ)
                if events & selectors.EVENT_READ and (found := connection.answer()) is not None:
                    answered.append((connection, found))
            except ConnectionError:
                self._selector.unregister(connection.socket)
                connection.socket.close()
        return answered

    @property
    def are_open(self) -> bool:
        return bool(self._selector.get_map())

    @property
    def are_busy(self) -> bool:
        """Whether an answer can still come."""
        return any(c.request is not None and c.socket.fileno() >= 0 for c in self.all)

    def close(self) -> None:
        for connection in self.all:
            connection.socket.close()
        self._selector.close()

    def _watch(self, connection: Connection, events: int) -> None:
        self._selector.modify(connection.socket, events, connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One closed run: `warm` seconds of which nothing is noted, `seconds` of notes, the strike."""

    port: int
    connections: int
    seconds: float
    warm: float = 1.0


def closed_loop(
    plan: Plan,
    make: Making,
    check: Check,
    strike: Callable[[], None],
    on_phase: Callable[[str], None] = lambda _: None,
) -> tuple[Times, Left]:
    """Load until the server is struck while all connections have a request under way; what is
    answered after that is taken, nothing more is sent. `on_phase` hears 'measured' and 'over', at
    the bounds of what is noted."""
    open_ones, times = Connections(plan.port, plan.connections), Times()
    starts = time.perf_counter() + plan.warm
    ends = starts + plan.seconds
    phase = "warm"
    try:
        for connection in open_ones.all:
            open_ones.send(connection, make(), time.perf_counter())
        while phase != "struck" or open_ones.are_busy:
            for connection, answer in open_ones.ready(PATIENCE_SECONDS):
                now = time.perf_counter()
                check(_last(connection), answer)
                if phase == "measured":
                    times.ended.append(now)
                    times.took.append(now - connection.began)
                if phase != "struck":
                    _send_next(open_ones, connection, make())
            if phase != "struck" and not open_ones.are_open:
                raise Refused("the server ended by itself; its log says why")
            now = time.perf_counter()
            if phase == "warm" and now >= starts:
                phase, times.began = "measured", now
                on_phase(phase)
            elif phase == "measured" and now >= ends:
                on_phase("over")
                strike()
                phase = "struck"
    finally:
        open_ones.close()
    return times, _left(open_ones)


def _last(connection: Connection) -> Request:
    assert connection.last is not None  # noqa: S101  # it was answered just now
    return connection.last


def _send_next(open_ones: Connections, connection: Connection, request: Request) -> None:
    try:
        open_ones.send(connection, request, time.perf_counter())
    except ConnectionError:
        return  # cut: the request is left as one without an answer


def _left(open_ones: Connections) -> Left:
    return Left(
        [c.request for c in open_ones.all if c.request is not None],
        [c.last for c in open_ones.all if c.last is not None],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """One open run: so many requests a second, at moments drawn from a seed (Poisson)."""

    port: int
    connections: int
    seconds: float
    rate: float
    seed: int = 1


def open_loop(arrivals: Arrivals, make: Making, check: Check) -> Times:
    """The times from the moment each request was due. It spins, and so needs a core of its own:
    a timer's millisecond would be taken for the server's."""
    open_ones, times = Connections(arrivals.port, arrivals.connections), Times()
    drawn = random.Random(arrivals.seed)  # noqa: S311  # to be repeated, no secret
    idle, waiting = deque(open_ones.all), deque[float]()
    times.began = due = time.perf_counter()
    ends, gives_up = due + arrivals.seconds, due + arrivals.seconds + PATIENCE_SECONDS
    try:
        while due < ends or waiting or len(idle) < arrivals.connections:
            now = time.perf_counter()
            if now > gives_up:
                raise Refused(f"{len(waiting)} requests were never answered")
            while due <= now and due < ends:
                waiting.append(due)
                due += drawn.expovariate(arrivals.rate)
            while waiting and idle:
                open_ones.send(idle.popleft(), make(), waiting.popleft())
            for connection, answer in open_ones.ready(0):
                check(_last(connection), answer)
                times.ended.append(time.perf_counter())
                times.took.append(times.ended[-1] - connection.began)
                idle.append(connection)
    finally:
        open_ones.close()
    return times


def send_again(port: int, requests: list[Request], check: Check) -> None:
    """One after the other, each answered before the next."""
    open_ones = Connections(port, 1)
    (connection,) = open_ones.all
    try:
        for request in requests:
            open_ones.send(connection, request, time.perf_counter())
            while not (answered := open_ones.ready(PATIENCE_SECONDS)):
                if not open_ones.are_open:
                    raise Refused("the server ended while requests were sent again")
            check(request, answered[0][1])
    finally:
        open_ones.close()
