"""The same company on one machine: what the stack's books are held against."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

from tallystick.bootstrap import App, open_store
from tallystick.clock import FixedClock
from tallystick.config import Secret, Settings
from tallystick.domain.envelope import BILLING, USAGE_ORIGIN
from tallystick.domain.instant import format_instant
from tallystick.domain.ledger import Entry
from tallystick.entrypoints.composing import SENDERS, limits_of, publishing_of
from tallystick.ports import Store
from tallystick.sandbox import StripeSandbox
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.passing import PassSummary, one_pass
from tallystick.stages.recounting import pages
from tests.aws.stack.flying import Detail

KEY = "sk_test_the_week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A store in memory, billed through a sandbox of its own."""

    store: Store
    sandbox: StripeSandbox
    api_base: str
    numbers: Iterable[int]

    @classmethod
    def start(cls, sandbox: StripeSandbox, api_base: str) -> "Embedded":
        store = open_store("memory:")
        return cls(store=store, sandbox=sandbox, api_base=api_base, numbers=count())

    def take(self, details: Iterable[Detail], at: int) -> None:
        reports = [Report(origin=USAGE_ORIGIN, body=self._envelope(one, at)) for one in details]
        ingest(reports, intake_of(self.store), at)

    def passed(self, at: int) -> PassSummary:
        settings = Settings(stripe_api_key=Secret(KEY), stripe_api_base=self.api_base)
        app = App(store=self.store, clock=FixedClock(at), settings=settings)
        with ThreadPoolExecutor(SENDERS) as senders:
            return one_pass(publishing_of(app, senders), limits_of(app))

    def _envelope(self, detail: Detail, at: int) -> dict[str, object]:
        return {
            "version": "0",
            "id": f"embedded-{next(iter(self.numbers))}",
            "detail-type": BILLING,
            "source": "flights",
            "time": format_instant(at),
            "detail": detail,
        }


def books_of(store: Store) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Each Entry by what it is about, with what it says. Its line and its hashes depend on the
    order in which tenants were sealed, which is nobody's promise."""
    found: dict[tuple[object, ...], tuple[object, ...]] = {}
    for entry in entries_in(store):
        place = (entry.key, entry.revision)
        assert place not in found
        slots = tuple((part.place, part.quantity) for part in entry.allocations)
        found[place] = (entry.kind, entry.period, entry.delta, entry.total, slots)
    return found


def entries_in(store: Store) -> Iterable[Entry]:
    return pages(lambda cursor: store.ledger.entries(cursor=cursor))
