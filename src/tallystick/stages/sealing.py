"""Seal: let the ledger follow the Aggregates, and do nothing else.

What an Entry says is decided in `domain.ledger`; this stage reads what that decision needs,
appends the result and clears the marks. A crash anywhere leaves a mark, never a gap.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.ledger import (
    Balance,
    Book,
    Entry,
    Head,
    Holding,
    is_lowering,
    next_entries,
    rest_of,
)
from tallystick.domain.mapping import NO_MAPPING, Held
from tallystick.domain.meter import WHOLE
from tallystick.domain.slot import Place, Route
from tallystick.domain.window import Window
from tallystick.ports import Appended, Ledger, Store
from tallystick.stages.targeting import SealLimits, Target, Targets

ROUNDS_MAX = 4
"""A pass that keeps losing races stops after this many rounds; the marks stay for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSummary:
    """What one pass did: Entries appended, those of them held, Aggregates looked at, races lost;
    and whether it was cut before it had seen all that is due."""

    entries: int = 0
    held: int = 0
    looked_at: int = 0
    stale: int = 0
    is_cut: bool = False

    def plus(self, other: "SealSummary") -> "SealSummary":
        return SealSummary(
            entries=self.entries + other.entries,
            held=self.held + other.held,
            looked_at=self.looked_at + other.looked_at,
            stale=self.stale + other.stale,
            is_cut=self.is_cut or other.is_cut,
        )


def seal(
    store: Store,
    routes: Mapping[str, Route],
    now: int,
    *,
    limits: SealLimits,
    on_progress: Callable[[int], None] = lambda _: None,
    goes_on: Callable[[], bool] = lambda: True,
) -> SealSummary:
    """Append what every due Aggregate whose time has come is ahead of the ledger.

    Safe to run twice, also at once: the loser's Entry is refused and its Aggregate stays due. It
    may be cut after any page, where it no longer `goes_on`; what is not reached stays due.
    """

    def on_page(count: int) -> bool:
        on_progress(count)
        return goes_on()

    summary = SealSummary()
    for _ in range(ROUNDS_MAX):
        targets = Targets(store.catalog, routes, now, limits)
        done = _seal_round(store.ledger, targets, now, limits.lead, on_page)
        summary = summary.plus(done)
        if not done.stale or done.is_cut:
            break
    return summary


def _seal_round(
    ledger: Ledger, targets: Targets, now: int, lead: int, on_page: Callable[[int], bool]
) -> SealSummary:
    summary, cursor = SealSummary(), ""
    while True:
        page = ledger.aggregates_due(now + lead, cursor=cursor)
        summary = summary.plus(_seal_page(ledger, targets, page.elements, now))
        goes_on, cursor = on_page(len(page.elements)), page.cursor
        if not cursor:
            return summary
        if not goes_on:
            return replace(summary, is_cut=True)


def _seal_page(ledger: Ledger, targets: Targets, due: Iterable[Aggregate], now: int) -> SealSummary:
    page = _Page(ledger)
    for aggregate in due:
        target = targets.of(aggregate)
        if target is None:
            continue
        # A dimension set goes into the ledger only where a mapping names it.
        counts = aggregate.key.group == WHOLE or not _is_unmapped(target)
        page.summary = page.summary.plus(SealSummary(looked_at=1))
        if counts:
            _follow(page, aggregate, targets, target, now)
        else:
            page.add(aggregate, (), waits=False)
    page.flush()
    return page.summary


def _is_unmapped(target: Target) -> bool:
    return isinstance(target.place, Held) and target.place.reason == NO_MAPPING


@dataclass(frozen=True, slots=True)
class _Next:
    """What is to be appended next for an Aggregate; whether something of it waits, so that its
    mark stays; and whether there may be more to say at once."""

    entries: tuple[Entry, ...] = ()
    waits: bool = False
    goes_on: bool = False


def _follow(
    page: "_Page", aggregate: Aggregate, targets: Targets, target: Target, now: int
) -> None:
    """Take all that is to be said of an Aggregate. Its mark stays until then, so also where a crash
    or a lost race comes between."""
    while True:
        following = _next_for(page, aggregate, targets, target, now)
        waits = following.waits or following.goes_on
        page.add(aggregate, following.entries, waits=waits)
        if not following.goes_on or not page.flush():
            return


def _next_for(
    page: "_Page", aggregate: Aggregate, targets: Targets, target: Target, now: int
) -> _Next:
    periods = [aggregate.period]
    if isinstance(target.onward, Place) and target.onward.period != aggregate.period:
        periods.append(target.onward.period)
    book = page.book(aggregate.key, periods)
    if book.last is not None and book.last.is_full:
        rest = _rest_for(page, aggregate, targets, book.last, now)
        if rest.entries or rest.waits:
            return rest
        book = page.book(aggregate.key, periods)
    holdings: tuple[Holding, ...] = ()
    opened = target.open_period(aggregate.period, now)
    if is_lowering(aggregate, book) or opened != aggregate.period:
        # Holdings are read from the store alone, so what waits must be in it.
        page.flush()
        book = page.book(aggregate.key, periods)
        holdings = targets.described(page.ledger.holdings(aggregate.key, opened))
    entries = next_entries(
        aggregate,
        book,
        target.place,
        target.route,
        onward=target.onward,
        onward_route=target.onward_route,
        holdings=holdings,
        now=now,
    )
    last = entries[-1] if entries else book.last
    in_no_slot = last is not None and last.released_total != last.total
    waits = in_no_slot and isinstance(target.onward, Place) and target.is_closed(now)
    return _Next(entries, waits, bool(entries) and entries[-1].is_full)


def _rest_for(
    page: "_Page", aggregate: Aggregate, targets: Targets, last: Entry, now: int
) -> _Next:
    """What a full Entry left to be lowered. It waits for whoever knows the route of its slots."""
    route = targets.route(last.allocations[-1].place.slot.route)
    if route is None:
        return _Next(waits=True)
    page.flush()
    book = page.book(aggregate.key, [last.period])
    holdings = targets.described(page.ledger.holdings(aggregate.key, last.period))
    entries = rest_of(aggregate, book, route, holdings=holdings, now=now)
    return _Next(entries, goes_on=bool(entries))


@dataclass
class _Page:
    """Entries of one page that are not written yet, the books as they will be after them, and how
    often Entries of a key were appended since the page was read."""

    ledger: Ledger
    waiting: list[tuple[Aggregate, tuple[Entry, ...]]] = field(default_factory=list)
    heads: dict[tuple[str, str], Head] = field(default_factory=dict)
    balances: dict[tuple[str, str, str, Window], Balance] = field(default_factory=dict)
    unchanged: list[Aggregate] = field(default_factory=list)
    appended: Counter[AggregateKey] = field(default_factory=Counter)
    kept: set[AggregateKey] = field(default_factory=set)
    summary: SealSummary = SealSummary()

    def book(self, key: AggregateKey, periods: list[Window]) -> Book:
        stored = self.ledger.book(key, periods)
        series = (key.tenant, key.meter, key.group)
        ahead = {p: self.balances[*series, p] for p in periods if (*series, p) in self.balances}
        head = self.heads.get((key.tenant, key.meter), stored.head)
        return replace(stored, head=head, balances={**stored.balances, **ahead})

    def add(self, aggregate: Aggregate, entries: tuple[Entry, ...], *, waits: bool) -> None:
        """Take Entries to be written. The mark of what waits stays."""
        if waits:
            self.kept.add(aggregate.key)
        else:
            self.kept.discard(aggregate.key)
        if not entries:
            self.unchanged.append(aggregate)
            return
        self.waiting.append((aggregate, entries))
        for entry in entries:
            key = entry.key
            self.heads[key.tenant, key.meter] = Head(entry.line, entry.hash)
            balance = Balance(entry.billed, entry.allocated)
            self.balances[key.tenant, key.meter, key.group, entry.period] = balance

    def flush(self) -> bool:
        """Write what waits, then clear the marks of what is written; whether all of it was."""
        outcomes = self.ledger.append([entries for _, entries in self.waiting])
        followed = list(self.unchanged)
        for (aggregate, entries), outcome in zip(self.waiting, outcomes, strict=True):
            if outcome is Appended.STALE:
                self.summary = self.summary.plus(SealSummary(stale=1))
                continue
            self.appended[aggregate.key] += 1
            followed.append(aggregate)
            held = sum(1 for entry in entries if entry.held)
            self.summary = self.summary.plus(SealSummary(entries=len(entries), held=held))
        self.ledger.clear_due([self._seen(a) for a in followed if a.key not in self.kept])
        self.waiting.clear()
        self.unchanged.clear()
        self.heads.clear()
        self.balances.clear()
        return Appended.STALE not in outcomes

    def _seen(self, aggregate: Aggregate) -> tuple[AggregateKey, int, int]:
        """What an Aggregate's mark is taken at: as it was read, and after our own appends only."""
        marks = aggregate.marks + self.appended[aggregate.key]
        return (aggregate.key, aggregate.position, marks)
