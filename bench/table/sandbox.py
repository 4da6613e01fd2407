"""The sandbox as the hourly run meets it: a process of its own, its clock, and what it can take.

Its ceiling is measured by a load generator that does nothing else, with the calls that Stripe's SDK
makes and as many connections as we have senders.
"""

import json
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final
from urllib.parse import urlencode, urlsplit

import urllib3

from bench.table.load import Plan, Refused, Request, closed_loop
from bench.table.machine import LOAD_CORES, on_cores
from tallystick.domain.instant import SECOND
from tallystick.sandbox import run

KEY: Final = "sk_test_bench"
CEILING: Final = "ceiling"
"""The meter that the ceiling is measured with."""

CUSTOMERS: Final = 100
"""So many customers it is measured with: no two calls are for the same one at once."""


def serve_sandbox(port: int, at: int, urls: Connection) -> None:
    run(port=port, at=at // SECOND, announce=urls.send)


@contextmanager
def sandbox(at: int, port: int = 0) -> Iterator[str]:
    """A sandbox in a process of its own, on the load generator's core; its URL."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe(duplex=False)
    process = spawning.Process(target=serve_sandbox, args=(port, at, theirs))
    with on_cores(LOAD_CORES):
        process.start()
    try:
        if not ours.poll(60):
            raise Refused("the sandbox does not start")
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def set_sandbox_clock(url: str, at: int) -> None:
    body = json.dumps({"now": at // SECOND}).encode()
    urllib3.request("POST", f"{url}/_sandbox/clock", body=body)


def posted(path: str, fields: dict[str, str], key: str = "") -> Request:
    """A call of Stripe's API, as its SDK writes it."""
    body = urlencode(fields).encode()
    once = f"Idempotency-Key: {key}\r\n" if key else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n{once}"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Request(head.encode() + body)


def check_taken(_: Request, answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200"):
        raise Refused(f"the sandbox refuses a call: {answer[:400]!r}")


def ceiling_of(url: str, customers: list[str], at: int, senders: int, seconds: float) -> float:
    """Meter events a second that the sandbox takes of as many connections as we have senders."""
    number = 0

    def make() -> Request:
        nonlocal number
        number += 1
        fields = {
            "event_name": CEILING,
            "identifier": f"ceiling-{number}",
            "timestamp": str(at // SECOND),
            "payload[stripe_customer_id]": customers[number % len(customers)],
            "payload[value]": "1",
        }
        return posted("/v1/billing/meter_events", fields, f"ceiling-{number}")

    plan = Plan(port=port_of(url), connections=senders, seconds=seconds, warm=0.5)
    times, _ = closed_loop(plan, make, check_taken, strike=lambda: None)
    return len(times.took) / (times.ended[-1] - times.began)


def port_of(url: str) -> int:
    return urlsplit(url).port or 80
