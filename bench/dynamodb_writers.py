"""What many writers of one Aggregate in DynamoDB get done, beside one writer alone.

Against any DynamoDB that needs no account, as `dynamodb_cost` says:

    python -m bench.dynamodb_writers http://127.0.0.1:8000

Each writer is a store object of its own, as a Lambda function is, and reports batches of ten events
of one tenant, meter and hour, one after the other. Each request takes ten milliseconds longer than
the emulator does, as docs/cost.md assumes of AWS: so what is compared is how writers wait for each
other, and less how they share this machine's processors. A number in place of the ten comes last.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import ClientError

from bench.emulator import connected
from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing.factories import NOON, event, recording

WRITERS: Final = (1, 2, 8, 16)
BATCH: Final = 10
BATCHES: Final = 240
"""Of all writers together."""

TIMES: Final = 3
"""So often each number of writers is tried, in turns; the one with the middle rate is told."""

REQUEST_MS: Final = 10


@dataclass(slots=True)
class Distant:
    """A client whose requests take longer, and are counted; `refused` are transactions."""

    client: Any
    request_ms: int
    asked: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # the driver has no types
        def call(**asked: object) -> Any:  # noqa: ANN401
            self.asked[name] += 1
            time.sleep(self.request_ms / 1_000)
            try:
                return getattr(self.client, name)(**asked)
            except ClientError:
                self.refused += 1
                raise

        return call


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What so many writers got done; `waits` is how long each batch took."""

    writers: int
    seconds: float
    waits: tuple[float, ...]
    refused: int
    asked: Counter[str]

    @property
    def rate(self) -> float:
        return len(self.waits) * BATCH / self.seconds

    def within(self, share: float) -> float:
        return sorted(self.waits)[int(len(self.waits) * share)]


def crowd(endpoint: str, writers: int, request_ms: int) -> Run:
    """Writers of one Aggregate, all at once. Raises where the total is not what they reported."""
    name = f"writers-{uuid4().hex}"
    DynamoStore.create_table(connected(endpoint), name)
    clients = [Distant(connected(endpoint), request_ms) for _ in range(writers)]
    stores = [opened(client, name) for client in clients]
    for client in clients:
        client.asked.clear()
        client.refused = 0
    began = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        waits = tuple(pool.map(lambda n: report(stores[n], n, BATCHES // writers), range(writers)))
    seconds = time.perf_counter() - began
    refused, asked = sum(c.refused for c in clients), sum((c.asked for c in clients), Counter())
    (found,) = stores[0].events.aggregates().elements
    if found.value != BATCHES * BATCH:
        raise AssertionError(f"{found.value} were counted, of {BATCHES * BATCH}")
    return Run(
        writers=writers,
        seconds=seconds,
        waits=tuple(wait for each in waits for wait in each),
        refused=refused,
        asked=asked,
    )


def opened(client: Distant, name: str) -> DynamoStore:
    chance = random.SystemRandom().random
    return DynamoStore.open(client, name, incarnation="bench", writer=uuid4().hex, chance=chance)


def report(store: DynamoStore, writer: int, rounds: int) -> list[float]:
    """How long each batch took."""
    waits = []
    for number in range(rounds):
        batch = [recording(event(f"{writer} {number} {n}")) for n in range(BATCH)]
        began = time.perf_counter()
        store.events.record(batch, NOON)
        waits.append(time.perf_counter() - began)
    return waits


def line_of(run: Run) -> str:
    batches = len(run.waits)
    each = [run.refused, run.asked["update_item"], run.asked["batch_get_item"]]
    return (
        f"| {run.writers} | {run.rate:,.0f} | "
        + " | ".join(f"{number / batches:.2f}" for number in each)
        + f" | {run.within(0.5):.2f} s | {run.within(0.99):.2f} s |"
    )


def main(arguments: Sequence[str]) -> None:
    """Print the table; the address first, and maybe the milliseconds of a request."""
    request_ms = int(arguments[1]) if arguments[1:] else REQUEST_MS
    print("| writers | events/s | refused | tickets | reads | half within | 99 of 100 within |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    runs = [crowd(arguments[0], writers, request_ms) for _ in range(TIMES) for writers in WRITERS]
    for writers in WRITERS:
        tried = sorted((run for run in runs if run.writers == writers), key=lambda run: run.rate)
        print(line_of(tried[TIMES // 2]))


if __name__ == "__main__":
    main(sys.argv[1:])
