"""The demo's result on a screen: a table of every airline and meter, and what it went through."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table

from tallystick.domain.quantity import ZERO, plain
from tallystick.entrypoints.demo.catalog import AIRLINES, METERS
from tallystick.entrypoints.demo.comparing import Compared
from tallystick.entrypoints.demo.faults import NAMES
from tallystick.entrypoints.demo.posting import UNKNOWN_TENANT
from tallystick.entrypoints.demo.running import Outcome

UNFOLDED: Final = 10_000
"""In a pipe nothing is folded: a log is searched line by line."""

DISCREPANCIES_SHOWN: Final = 20
NOTHING: Final = Compared(sample=ZERO, ours=ZERO, theirs=ZERO, billed=ZERO)
TOTAL: Final = "all"


def show(outcome: Outcome, console: Console) -> None:
    """Print everything."""
    wide = _all_in_one(outcome)
    if not console.is_terminal:
        Console(width=UNFOLDED, file=console.file, highlight=False).print(wide)
    elif console.measure(wide).maximum <= console.width:
        console.print(wide)
    else:
        console.print(_counts(outcome))
        for meter in METERS:
            console.print(_of_meter(outcome, meter.id))
    for line in _sentences(outcome):
        console.print(line, highlight=False, soft_wrap=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _counts(outcome: Outcome) -> Table:
    table = _table("", "airline", "reports", "counted", "duplicates")
    for carrier in (*_carriers(), TOTAL):
        table.add_row(carrier, *_report_cells(outcome, carrier))
    return table


def _of_meter(outcome: Outcome, meter: str) -> Table:
    table = _table(meter, "airline", "ours", "Stripe's", "invoice", "difference")
    for carrier in (*_carriers(), TOTAL):
        table.add_row(carrier, *_line_cells(outcome, carrier, meter))
    return table


def _all_in_one(outcome: Outcome) -> Table:
    sides = ("ours", "Stripe", "bill", "±")
    heads = [f"{meter.id if side == 'ours' else ''}\n{side}" for meter in METERS for side in sides]
    table = _table("", "\nairline", "\nreports", "\ncounted", "\ntwice", *heads)
    for carrier in (*_carriers(), TOTAL):
        cells = [c for meter in METERS for c in _line_cells(outcome, carrier, meter.id)]
        table.add_row(carrier, *_report_cells(outcome, carrier), *cells)
    return table


def _carriers() -> Iterator[str]:
    return (carrier for carrier, _ in AIRLINES)


def _report_cells(outcome: Outcome, carrier: str) -> tuple[str, ...]:
    carriers = list(_carriers()) if carrier == TOTAL else [carrier]
    received = sum(outcome.received.get(c, 0) for c in carriers)
    counted = sum(outcome.books.counted.get(c, 0) for c in carriers)
    return f"{received:,}", f"{counted:,}", f"{_duplicates(outcome, carriers):,}"


def _duplicates(outcome: Outcome, carriers: Iterable[str]) -> int:
    """Reports of events that were acknowledged before."""
    return sum(
        outcome.received.get(c, 0) - outcome.acknowledged.get(c, 0) - outcome.refused.get(c, 0)
        for c in carriers
    )


def _line_cells(outcome: Outcome, carrier: str, meter: str) -> tuple[str, ...]:
    """The sums over the bills; the differences of single bills add up and never cancel out."""
    total, apart = NOTHING, ZERO
    for (of, name, _), line in outcome.lines.items():
        if name == meter and carrier in (of, TOTAL):
            total, apart = total.plus(line), apart + line.difference
    return tuple(map(_text, (total.ours, total.theirs, total.billed, apart)))


def _text(quantity: Decimal) -> str:
    """With thousands marked, and no zeros after the point."""
    return f"{plain(quantity):,f}"


def _sentences(outcome: Outcome) -> Iterator[str]:
    books = outcome.books
    carriers = [*_carriers(), UNKNOWN_TENANT]
    received, stored = sum(outcome.received.values()), sum(books.stored.values())
    yield ""
    yield (
        f"Reports    {received:,} acknowledged: {stored:,} events, "
        f"{_duplicates(outcome, carriers):,} duplicates, "
        f"{sum(outcome.refused.values())} refused; voided and reported again: {outcome.voided}"
    )
    letters = ", ".join(f"{n} {reason}" for reason, n in sorted(books.dead_letters.items()))
    yield f"           dead letters: {letters} ({outcome.planned_dead} were planned)"
    for tenant, count in sorted(outcome.lost.items()):
        yield f"           {tenant}: {count} events acknowledged and not stored"
    yield (
        f"Service    killed {outcome.kills} times with kill -9, {outcome.kills_inside} times in "
        "the middle of its work; what was not acknowledged was sent again"
    )
    struck = ", ".join(f"{n:,} {NAMES.get(kind, kind)}" for kind, n in outcome.faults.items())
    yield f"Stripe     {sum(outcome.faults.values()):,} calls struck: {struck}"
    lines = ", ".join(f"{n:,} {kind}s" for kind, n in sorted(books.entries.items()))
    yield f"Ledger     {sum(books.entries.values()):,} entries: {lines}"
    yield from _verdict(outcome)


def _verdict(outcome: Outcome) -> Iterator[str]:
    found = outcome.discrepancies
    yield f"Reconcile  {len(found) or 'no'} discrepancies" + (":" if found else "")
    for one in found[:DISCREPANCIES_SHOWN]:
        yield (
            f"           {one.kind} {one.tenant} {one.meter} {one.subject}: ours {one.ours}, "
            f"theirs {one.theirs} {one.detail}"
        )
    for (carrier, meter, period), line in outcome.lines.items():
        if line.difference:
            yield (
                f"           {carrier} {meter} {period}: sample {line.sample}, ours {line.ours}, "
                f"Stripe's {line.theirs}, bill {line.billed}"
            )
    if any(line.ours < ZERO for line in outcome.lines.values()):
        yield "           (a value below zero is billed as zero)"
    bills = len({(carrier, period) for carrier, _, period in outcome.lines})
    if outcome.is_clean:
        yield f"Every difference is 0, on {bills} bills, and against the sample's own rows."
    else:
        yield "NOT CLEAN: something above differs."
