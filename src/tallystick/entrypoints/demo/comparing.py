"""Four counts of the same usage: the sample's rows, our ledger, Stripe's totals, Stripe's bills."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tallystick.domain.instant import SECOND
from tallystick.domain.quantity import ZERO
from tallystick.domain.window import Window
from tallystick.entrypoints.demo.billing import Terms
from tallystick.entrypoints.demo.catalog import METERS
from tallystick.entrypoints.demo.flights import Flight
from tallystick.entrypoints.demo.links import SandboxLink
from tallystick.ports import Store
from tallystick.stages.recounting import entries_of, pages

Line = tuple[str, str, Window]
"""What a bill's line is about: carrier, meter, period."""

INVOICES_PER_CALL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One line of a bill, from four sides."""

    sample: Decimal
    ours: Decimal
    theirs: Decimal
    billed: Decimal

    @property
    def difference(self) -> Decimal:
        """The greatest distance from our number. A value below zero is billed as zero."""
        due = max(self.ours, ZERO)
        apart = (self.ours - self.sample, due - self.theirs, due - self.billed)
        return max(abs(one) for one in apart)

    def plus(self, other: "Compared") -> "Compared":
        return Compared(
            sample=self.sample + other.sample,
            ours=self.ours + other.ours,
            theirs=self.theirs + other.theirs,
            billed=self.billed + other.billed,
        )


def counted_from(flights: Iterable[Flight], periods: Sequence[Window]) -> dict[Line, Decimal]:
    """An independent count, straight from the sample, without any of Tallystick's stages."""
    flown: dict[tuple[str, Window], list[Flight]] = defaultdict(list)
    for flight in flights:
        period = next(p for p in periods if p.contains(flight.occurred_at))
        flown[flight.carrier, period].append(flight)
    counts: dict[Line, Decimal] = {}
    for (carrier, period), mine in flown.items():
        counts[carrier, "flights", period] = Decimal(len(mine))
        counts[carrier, "flight-miles", period] = Decimal(sum(f.distance for f in mine))
        counts[carrier, "aircraft", period] = Decimal(len({f.tailnum for f in mine}))
        counts[carrier, "longest-delay", period] = Decimal(max(f.arr_delay for f in mine))
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class OurBooks:
    """What the store says at the end."""

    totals: Mapping[Line, Decimal]
    entries: Mapping[str, int]
    stored: Mapping[str, int]
    counted: Mapping[str, int]
    dead_letters: Mapping[str, int]


def our_books(store: Store, carriers: Iterable[str]) -> OurBooks:
    """Read from the ledger line by line; events, and those of them that count, by carrier."""
    totals: dict[Line, Decimal] = defaultdict(lambda: ZERO)
    entries: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for carrier in carriers:
        for meter in METERS:
            for entry in entries_of(store, carrier, meter.id):
                totals[carrier, meter.id, entry.period] += entry.delta
                entries[entry.kind] += 1
    voided = set()
    for event in pages(lambda cursor: store.events.events(cursor=cursor)):
        stored[event.tenant] += 1
        counted[event.tenant] += event.voids is None
        if event.voids is not None:
            voided.add((event.tenant, event.voids))
    for tenant, _ in voided:
        counted[tenant] -= 1
    letters = pages(lambda cursor: store.dead_letters.list(cursor=cursor))
    reasons = Counter(str(letter.reason) for letter in letters)
    return OurBooks(
        totals=totals, entries=entries, stored=stored, counted=counted, dead_letters=reasons
    )


def provider_totals(
    sandbox: SandboxLink, terms: Terms, periods: Sequence[Window]
) -> Iterator[tuple[Line, Decimal]]:
    """What Stripe's meters sum up to over each period."""
    for customer in terms.customers:
        for name, meter in terms.meters.items():
            for period in periods:
                shown = sandbox.read(
                    f"billing/meters/{meter}/event_summaries",
                    customer=customer.destination,
                    start_time=period.start // SECOND,
                    end_time=period.end // SECOND,
                )
                total = sum((Decimal(s["aggregated_value"]) for s in shown["data"]), ZERO)
                yield (customer.carrier, name, period), total


def billed(sandbox: SandboxLink, terms: Terms) -> Iterator[tuple[Line, Decimal]]:
    """What the finalised bills' lines say."""
    for customer in terms.customers:
        found = sandbox.read("invoices", customer=customer.destination, limit=INVOICES_PER_CALL)
        for invoice in found["data"]:
            if invoice["status_transitions"]["finalized_at"] is None:
                continue
            for line in invoice["lines"]["data"]:
                name = terms.meter_of_price[line["pricing"]["price_details"]["price"]]
                span = line["period"]
                period = Window(span["start"] * SECOND, span["end"] * SECOND)
                yield (customer.carrier, name, period), Decimal(line["quantity_decimal"])


def compared(
    sample: Mapping[Line, Decimal],
    ours: Mapping[Line, Decimal],
    theirs: Mapping[Line, Decimal],
    bills: Mapping[Line, Decimal],
) -> dict[Line, Compared]:
    """Every line that any of the four has."""
    lines = {*sample, *ours, *theirs, *bills}
    return {
        line: Compared(
            sample=sample.get(line, ZERO),
            ours=ours.get(line, ZERO),
            theirs=theirs.get(line, ZERO),
            billed=bills.get(line, ZERO),
        )
        for line in sorted(lines)
    }
