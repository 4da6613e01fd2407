"""The whole demo: set up, live through the months, and hold everything together at the end."""

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tallystick.bootstrap import open_store
from tallystick.domain.discrepancy import Discrepancy
from tallystick.domain.period import Interval
from tallystick.domain.quantity import ZERO
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.billing import Billing, Terms
from tallystick.entrypoints.demo.catalog import MONTHLY, fill, period
from tallystick.entrypoints.demo.comparing import (
    Compared,
    Line,
    OurBooks,
    billed,
    compared,
    counted_from,
    our_books,
    provider_totals,
)
from tallystick.entrypoints.demo.dice import Dice
from tallystick.entrypoints.demo.driving import Driver, planned_kills
from tallystick.entrypoints.demo.faults import met, order_faults
from tallystick.entrypoints.demo.flights import Flight, read_flights
from tallystick.entrypoints.demo.links import SandboxLink, ServiceLink
from tallystick.entrypoints.demo.posting import posted
from tallystick.entrypoints.demo.progress import Progress
from tallystick.entrypoints.demo.service import LIMITS
from tallystick.stages.reconciling import Reconciling

STORE_NAME: Final = "tallystick-demo.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: every line from four sides, and everything else that must be as planned."""

    lines: Mapping[Line, Compared]
    received: Mapping[str, int]
    refused: Mapping[str, int]
    acknowledged: Mapping[str, int]
    books: OurBooks
    planned_dead: int
    voided: int
    kills: int
    kills_inside: int
    faults: Mapping[str, int]
    discrepancies: tuple[Discrepancy, ...]
    spent: Mapping[str, int]

    @property
    def lost(self) -> dict[str, int]:
        """By tenant: events acknowledged and not stored, or stored and never acknowledged."""
        tenants = {*self.acknowledged, *self.books.stored}
        apart = {t: self.acknowledged.get(t, 0) - self.books.stored.get(t, 0) for t in tenants}
        return {tenant: count for tenant, count in apart.items() if count}

    @property
    def difference(self) -> object:
        return sum((line.difference for line in self.lines.values()), ZERO)

    @property
    def is_clean(self) -> bool:
        dead = sum(self.books.dead_letters.values())
        agreed = not self.difference and not self.lost and dead == self.planned_dead
        return bool(self.lines) and agreed and not self.discrepancies


def run_demo(
    numbers: Sequence[int],
    *,
    seed: int,
    keep: Path | None,
    progress: Progress,
    interval: Interval = MONTHLY,
    sample: Path | None = None,
) -> Outcome:
    """Bill these periods of the sample, in order. Its programs end with it, whatever happens."""
    periods = [period(number, interval) for number in numbers]
    flights = read_flights(Window(periods[0].start, periods[-1].end), sample)
    with ExitStack() as at_the_end:
        at_the_end.enter_context(_ending_in_order())
        folder = keep or Path(at_the_end.enter_context(TemporaryDirectory(prefix="tallystick-")))
        folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{folder / STORE_NAME}"
        sandbox = SandboxLink.open(periods[0].start, seed)
        at_the_end.callback(sandbox.close)
        terms = _set_up(sandbox, url, periods[0].start, interval)
        service = ServiceLink(url, sandbox.url)
        at_the_end.callback(service.close)
        driver = _driver(flights, periods, Dice(seed), sandbox=sandbox, service=service)
        with progress.over(periods) as shown:
            now = driver.live(periods, lambda at: shown(at, len(driver.acknowledged)))
        service.close()
        return _held_together(flights, periods, driver, terms, now)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """A request to end (SIGTERM) ends the programs and removes the folder, as Ctrl-C does."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _set_up(sandbox: SandboxLink, url: str, now: int, interval: Interval) -> Terms:
    terms = Billing(sandbox.url, now).set_up(interval)
    store = open_store(url)
    try:
        fill(store.catalog, terms.customers, now, interval)
    finally:
        store.close()
    return terms


def _driver(
    flights: Sequence[Flight],
    periods: Sequence[Window],
    dice: Dice,
    *,
    sandbox: SandboxLink,
    service: ServiceLink,
) -> Driver:
    """Everything planned: what arrives when, when to kill, and what the stand-in does wrong."""
    posting = posted(flights, periods, dice)
    order_faults(sandbox, tuple(periods), dice)
    return Driver(
        service=service,
        sandbox=sandbox,
        posting=posting,
        dice=dice,
        ingest_kills=planned_kills("ingest", periods, dice),
        pass_kills=planned_kills("pass", periods, dice),
    )


def _held_together(
    flights: Sequence[Flight], periods: Sequence[Window], driver: Driver, terms: Terms, now: int
) -> Outcome:
    faults = met(driver.sandbox)
    driver.sandbox.forget_faults()
    store = open_store(driver.service.store_url)
    try:
        books = our_books(store, [customer.carrier for customer in terms.customers])
        publisher = Billing(driver.sandbox.url, now).publisher
        comparing = Reconciling(store=store, publisher=publisher, now=now, limits=LIMITS)
        discrepancies = tuple(comparing.everything())
    finally:
        store.close()
    lines = compared(
        counted_from(flights, periods),
        books.totals,
        dict(provider_totals(driver.sandbox, terms, periods)),
        {line: q for line, q in billed(driver.sandbox, terms) if line[2] in periods},
    )
    return Outcome(
        lines=lines,
        received=driver.received,
        refused=driver.refused,
        acknowledged=Counter(tenant for tenant, _ in driver.acknowledged),
        books=books,
        planned_dead=driver.posting.uncountable,
        voided=driver.posting.voided,
        kills=driver.service.kills,
        kills_inside=driver.ingest_kills.done + driver.pass_kills.done,
        faults=faults,
        discrepancies=discrepancies,
        spent=driver.spent,
    )
