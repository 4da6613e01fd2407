"""A row of the table: events sent to a server until it is killed, what it did meanwhile, and the
proof that what it acknowledged is what it counts."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from bench.table.load import (
    Arrivals,
    Left,
    Plan,
    Refused,
    Request,
    Times,
    closed_loop,
    open_loop,
    send_again,
)
from bench.table.serving import Held, Server
from bench.table.usage import FILLED, LIVE, ORDERED, SPACES, Usage, expected_total

SAMPLE: Final = 500
"""So many events of each space are sent once more after a kill."""

CONNECTIONS_OPEN: Final = 64
UNDER_WAY_MAX: Final = 25_000
"""So many events are under way at once at most: beyond twice as many, callers are told to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one row sends. `duplicates` is the percentage of events that the store has already."""

    batch: int
    connections: int
    duplicates: int = 0
    is_ordered: bool = False

    @property
    def name(self) -> str:
        plural = "" if self.connections == 1 else "s"
        words = [f"batch {self.batch:,}", f"{self.connections} connection{plural}"]
        if self.duplicates:
            words.append(f"{self.duplicates} % duplicates")
        if self.is_ordered:
            words.append("keys in order of time")
        return ", ".join(words)


@dataclass
class Books:
    """What a server was sent so far, as the next number of each space: stored beforehand, live with
    scattered keys, live with keys in order of time. Those from `since` on can be made again."""

    server: Server
    usage: Usage
    next_of: dict[int, int] = field(default_factory=lambda: {n: n for n in SPACES})
    since: dict[int, int] = field(default_factory=lambda: {n: n for n in SPACES})
    _summed: dict[int, int] = field(default_factory=lambda: {n: n for n in SPACES})
    _total: int = 0
    _drawn: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    @property
    def filled(self) -> int:
        return self.next_of[FILLED]

    def move_on(self, now: int) -> None:
        """From here on live events are of the hour of `now`: those of an hour that was sealed would
        be late, and their corrections would be sealed at every start in the midst of a row."""
        self.usage = replace(self.usage, live_at=now)
        self.since |= {space: self.next_of[space] for space in (LIVE, ORDERED)}

    def make(self, row: Row) -> Request:
        """The next request of a row; what is sent again is drawn from all that was stored
        beforehand."""
        known = row.batch * row.duplicates // 100
        fresh = row.batch - known
        space = ORDERED if row.is_ordered else LIVE
        first = self.next_of[space]
        self.next_of[space] += fresh
        numbers = [*range(first, first + fresh), *self.drawn(FILLED, known)]
        return self.server.request([*map(self.usage.event, numbers)], fresh)

    def drawn(self, space: int, how_many: int) -> list[int]:
        """Numbers that were sent before."""
        since, upto = self.since[space], self.next_of[space]
        if how_many and upto == since:
            raise Refused("duplicates can only be sent of a store that holds something")
        return [self._drawn.randrange(since, upto) for _ in range(how_many)]

    def sample(self) -> Request:
        """Of each space some numbers that were sent before."""
        spaces = [space for space, upto in self.next_of.items() if upto > self.since[space]]
        numbers = [n for space in spaces for n in self.drawn(space, SAMPLE)]
        return self.server.request([*map(self.usage.event, numbers)], 0)

    def check_held(self) -> Held:
        """The server counts each event that it was ever sent once, and nothing else."""
        for space, upto in self.next_of.items():
            self._total += expected_total(range(self._summed[space], upto))
            self._summed[space] = upto
        sent = Held(sum(upto - space for space, upto in self.next_of.items()), self._total)
        held = self.server.held()
        if held != sent:
            raise Refused(f"{self.server.name} holds {held}, but was sent {sent}")
        return held


@dataclass(slots=True)
class Spent:
    """Processor time at the bounds of what is noted: the server's and our own."""

    server: Server
    marks: list[tuple[float, float, float]] = field(default_factory=list)

    def mark(self, _: str) -> None:
        self.marks.append((time.perf_counter(), self.server.cpu_seconds(), time.process_time()))

    @property
    def shares(self) -> tuple[float, float]:
        """Of a core: the server's and the load generator's."""
        (began, server_began, own_began), (ended, server_ended, own_ended) = self.marks
        took = ended - began
        return (server_ended - server_began) / took, (own_ended - own_began) / took


def measure(books: Books, row: Row, seconds: float, warm: float) -> dict[str, object]:
    """One row: load, a kill in the middle of it, and the proof. `warm` seconds come before, in
    which a server that was just started reads what it keeps in memory."""
    spent = Spent(books.server)
    times, proof = proven(books, row, seconds, warm=warm, on_phase=spent.mark)
    ready = books.server.ready_seconds[-1]
    return figures(row, times, spent) | {"ready_seconds": round(ready, 3), "proof": proof}


def proven(
    books: Books,
    row: Row,
    seconds: float,
    *,
    warm: float = 0,
    on_phase: Callable[[str], None] = lambda _: None,
) -> tuple[Times, dict[str, int]]:
    """Load until a kill, a start, and the proof; Refused where it fails."""
    server = books.server
    plan = Plan(port=server.port, connections=row.connections, seconds=seconds, warm=warm)
    times, left = closed_loop(
        plan, lambda: books.make(row), server.check, server.kill, on_phase=on_phase
    )
    server.start()
    return times, prove(books, left)


def prove(books: Books, left: Left) -> dict[str, int]:
    """After the kill: what was answered last is known, what was not answered is taken now, and the
    totals are those of every event once. Raises Refused otherwise."""
    server = books.server
    send_again(server.port, left.answered_last, server.check_known)
    send_again(server.port, left.unanswered, server.check_sent_again)
    sample = books.sample()
    send_again(server.port, [sample], server.check_known)
    held = books.check_held()
    return {
        "counted_once": held.events,
        "sum": held.total,
        "unanswered_at_the_kill": len(left.unanswered),
        "answered_last_and_known": len(left.answered_last),
        "drawn_from_all_and_known": sample.known,
    }


def figures(row: Row, times: Times, spent: Spent) -> dict[str, object]:
    """The rate while it was noted, and what a request took."""
    if len(times.took) < 2:
        raise Refused(f"{row.name}: too few answers to say anything")
    server_share, own_share = spent.shares
    rate = len(times.took) * row.batch / (times.ended[-1] - times.began)
    return {
        "name": row.name,
        "batch": row.batch,
        "connections": row.connections,
        "duplicates": row.duplicates,
        "is_ordered": row.is_ordered,
        "events_per_second": round(rate),
        "each_second": [number * row.batch for number in times.per_second()],
        **milliseconds(times.took),
        "server_share": round(server_share, 3),
        "generator_share": round(own_share, 3),
        "server_us_per_event": round(server_share / rate * 1e6, 2),
    }


def milliseconds(took: list[float]) -> dict[str, float]:
    ranked = sorted(took)
    return {
        f"p{name}_ms": round(ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1e3, 3)
        for name, share in (("50", 0.5), ("99", 0.99), ("999", 0.999))
    }


def latency(books: Books, row: Row, seconds: float, events_per_second: float) -> dict[str, object]:
    """What a request takes at a stated rate, counted from when it was due."""
    rate = events_per_second / row.batch
    arrivals = Arrivals(
        port=books.server.port,
        connections=min(CONNECTIONS_OPEN, UNDER_WAY_MAX // row.batch),
        seconds=seconds,
        rate=rate,
    )
    times = open_loop(arrivals, lambda: books.make(row), books.server.check)
    books.check_held()
    return {
        "name": f"batch {row.batch:,}",
        "batch": row.batch,
        "events_per_second": round(events_per_second),
        "requests": len(times.took),
        **milliseconds(times.took),
    }
