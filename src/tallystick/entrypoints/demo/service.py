"""Tallystick as the demo runs it: one process on one SQLite file, told what to do line by line.

    {"at": …, "ingest": [report, …]}   answered with a receipt for each report, once it is durable
    {"at": …, "run": true}             answered with what one pass did

It is killed at any moment, so it keeps nothing but the store. It ends with its input.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import msgspec

from tallystick.bootstrap import App, open_store
from tallystick.clock import FixedClock
from tallystick.config import Secret, Settings
from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.event import Receipt
from tallystick.domain.instant import HOUR
from tallystick.domain.publication import Limits
from tallystick.entrypoints.demo.links import DEMO_KEY
from tallystick.stages.ingesting import Intake, Report, ingest, intake_of
from tallystick.stages.passing import one_pass
from tallystick.stages.publishing import Publishing
from tallystick.stages.targeting import SealLimits

SENDERS: Final = 4

LIMITS: Final = Limits(confirm_after=24 * HOUR)
"""A reading covers a customer's whole day, so it is cheapest when the day is over."""


class Order(msgspec.Struct, frozen=True):
    """One line: reports to ingest, or (with none) a pass to run, as of an instant."""

    at: int
    ingest: list[dict[str, object]] = []
    run: bool = False


class Service:
    """What answers each line."""

    def __init__(self, store_url: str, api_base: str) -> None:
        settings = Settings(
            store=store_url, stripe_api_key=Secret(DEMO_KEY), stripe_api_base=api_base
        )
        self._clock = FixedClock(0)
        self._app = App(store=open_store(store_url), clock=self._clock, settings=settings)
        self._intake: Intake = intake_of(self._app.store)
        self._publishing = Publishing(
            store=self._app.store,
            publisher=self._app.publisher,
            clock=self._clock,
            limits=LIMITS,
            senders=ThreadPoolExecutor(SENDERS),
        )

    def answer(self, order: Order) -> dict[str, object]:
        self._clock.at = order.at
        return self._run() if order.run else self._ingest(order)

    def _ingest(self, order: Order) -> dict[str, object]:
        reports = [Report(origin="demo", body=body) for body in order.ingest]
        outcomes = ingest(reports, self._intake, order.at)
        receipts = [
            str(Receipt.CONFLICT) if isinstance(o, DeadLetter) else str(o.receipt) for o in outcomes
        ]
        return {"receipts": receipts}

    def _run(self) -> dict[str, object]:
        summary = one_pass(self._publishing, SealLimits())
        return {
            "entries": summary.sealed.entries,
            "outcomes": dict(summary.published.outcomes),
            "denied": summary.published.denied,
        }


def main() -> None:
    """Answer lines until there are no more."""
    service = Service(*sys.argv[1:])
    # The driver may end first, killed for example; then nobody waits for the answer.
    with suppress(BrokenPipeError):
        for line in sys.stdin:
            answer = service.answer(msgspec.json.decode(line, type=Order))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
