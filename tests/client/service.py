"""A service in this process for the client to talk to: it counts each key once, and misbehaves as
it is told, request by request."""

import gzip
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tallystick.client import Answer, Client, Limits, Transport, Unanswered

LOST = "stored, and the answer lost"
CUT = "cut before it was stored"
PROBLEM = "urn:tallystick:problem:"

QUICK = Limits(
    linger_seconds=0,
    interval_seconds=0,
    backoff_first_seconds=0,
    denied_seconds=0.01,
    spool_retry_seconds=0.01,
    adopt_every_seconds=0.01,
)
SLOW = replace(QUICK, backoff_first_seconds=3_600, backoff_max_seconds=3_600, denied_seconds=3_600)
"""No second attempt on its own."""

PATIENCE = 300.0
"""Far more than anything here takes: a test that waits so long has failed."""


def until(condition: Callable[[], object]) -> None:
    """Wait for it, and fail where it does not come."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.001)


def problem(status: int, kind: str, *places: int, **headers: str) -> Answer:
    errors = [{"pointer": f"/{place}", "code": "x", "detail": "x"} for place in places]
    body = {"type": f"{PROBLEM}{kind}", "detail": "because", "errors": errors}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())


class FakeService:
    """`script` says what happens to the requests in order; after it all goes well. `poison` are
    keys for which it refuses a whole request, and one of more than `events_max` takes it too long.
    `counted` holds each key once, with its event."""

    def __init__(
        self, *script: object, poison: frozenset[str] = frozenset(), events_max: int = 10**6
    ) -> None:
        self.events_max = events_max
        self.script = deque(script)
        self.poison = poison
        self.counted: dict[str, dict[str, object]] = {}
        self.requests: list[list[dict[str, object]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def connect(self) -> Transport:
        return self.answer

    def answer(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        raw = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        events = json.loads(raw)
        self.requests.append(events)
        self.headers.append(headers)
        fault = self.script.popleft() if self.script else None
        if fault == CUT:
            raise Unanswered("cut")
        if isinstance(fault, BaseException):
            raise fault
        if isinstance(fault, Answer):
            return fault
        if len(events) > self.events_max:
            raise Unanswered("too slow")
        if any(event["key"] in self.poison for event in events):
            return problem(400, "unreadable")
        answer = self._counted(events)
        if fault == LOST:
            raise Unanswered("lost")
        return answer

    def _counted(self, events: list[dict[str, object]]) -> Answer:
        kinds = Counter[str]()
        for event in events:
            known = self.counted.setdefault(str(event["key"]), event)
            kinds["recorded" if known is event else "duplicate"] += 1
            assert known == event
        told = ", ".join(f"{kind}={number}" for kind, number in kinds.items())
        return Answer(status=204, headers={"tallystick-counts": told})

    def client(self, spool=None, **more) -> Client:
        limits = more.pop("limits", QUICK)
        return Client(
            "https://tallystick.example.com",
            "tally_test_secret",
            spool=spool,
            transport=more.pop("transport", self.connect),
            limits=replace(limits),
            **more,
        )


def kinds_of_files(folder: Path) -> list[str]:
    return sorted(path.name.rpartition(".")[2] for path in folder.iterdir())
