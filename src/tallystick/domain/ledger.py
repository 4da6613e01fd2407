"""The ledger: append-only Entries that follow the Aggregates, each naming the slots it changes.

Sealing is a key's first Entry and every later one a correction; both are one function: what the
Aggregate holds minus what the ledger holds. Within a billing period a series' slots always hold
together what the period's total allows: never below zero, whole where the provider wants whole
numbers. So a late event, a void, a falling maximum and a rounding need no path of their own.

A quantity that cannot be sent yet is *held*: in the ledger, in no slot. It is *released* when a
mapping covers it. A quantity whose slot takes no more is *moved* by a pair of linked Entries: to
another period (carry) where the meter says so, or where a slot takes one record to a later one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from tallystick.domain.aggregate import Aggregate, AggregateKey
from tallystick.domain.event import canonical_json
from tallystick.domain.mapping import CLOSED, Held
from tallystick.domain.meter import Closed
from tallystick.domain.quantity import ZERO, add, negated, rounded_whole, subtract
from tallystick.domain.slot import Mode, Place, Route
from tallystick.domain.window import Window

GENESIS: Final = "0" * 64
"""What the first Entry of a chain names as the hash before it."""

ALLOCATIONS_MAX: Final = 40
"""So many slots an Entry changes at most: with each of them it is one write, and a store's write
has an end. A fall through more slots goes on in Entries of its own, until none is left."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an Entry adds to one slot; negative where it lowers it."""

    place: Place
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `line` and the hashes chain all Entries of a (tenant, meter); `revision` counts
    those of one key (tenant, meter, group, window).

    delta, total      what the Aggregate changed by, and what it was then
    released          how much of the key's total left the state held (`released_total` in sum)
    moved             what came from (+) or went to (-) another period by a carry
    billed, allocated the series' sums in this period after this Entry: what is to be billed,
                      and what its slots hold of it
    position          how far into the Aggregate's changes this Entry reaches
    """

    key: AggregateKey
    period: Window
    line: int
    revision: int
    delta: Decimal
    total: Decimal
    released: Decimal
    released_total: Decimal
    moved: Decimal = ZERO
    billed: Decimal
    allocated: Decimal
    allocations: tuple[Allocation, ...] = ()
    position: int
    held: str = ""
    linked_line: int | None = None
    sealed_at: int
    previous_hash: str
    hash: str = field(default="")

    @property
    def kind(self) -> str:
        """seal, correction, release, carry or lowering."""
        if self.moved:
            return "carry"
        if self.delta:
            return "seal" if self.revision == 1 else "correction"
        return "release" if self.released else "lowering"

    @property
    def is_full(self) -> bool:
        """Whether it changes as many slots as an Entry may, so that there may be a `rest_of` it."""
        return len(self.allocations) >= ALLOCATIONS_MAX


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a (tenant, meter)'s chain."""

    line: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Balance:
    """A series' sums in one billing period."""

    billed: Decimal = ZERO
    allocated: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Book:
    """What the ledger says before the next Entry of a key: read in one go, checked at append."""

    head: Head = Head()
    last: Entry | None = None
    balances: Mapping[Window, Balance] = field(default_factory=dict)

    def balance(self, period: Window) -> Balance:
        return self.balances.get(period, Balance())


@dataclass(frozen=True, slots=True)
class Holding:
    """What a series has in one slot: in all, and through this key alone. `takes_fractions`, and
    `stays` (it may have been told for good, and cannot be lowered), are said by whoever knows the
    slot's route; a store does not."""

    place: Place
    quantity: Decimal
    own: Decimal
    takes_fractions: bool = False
    stays: bool = False


Holdings = tuple[Holding, ...]


def hash_of(entry: Entry) -> str:
    """SHA-256 over the canonical JSON of everything in the Entry but its own hash."""
    told = canonical_json(_plain(replace(entry, hash="")))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> object:
    """What `asdict` gives, without its copies, which would cost more than the hash."""
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def chained(entry: Entry) -> Entry:
    return replace(entry, hash=hash_of(entry))


def is_lowering(aggregate: Aggregate, book: Book) -> bool:
    """Whether the next Entry may take from slots, so that the holdings must be read first."""
    last = book.last
    ledger = last.released_total if last else ZERO
    balance = book.balance(aggregate.period)
    return aggregate.value < ledger or balance.billed < balance.allocated


def next_entries(
    aggregate: Aggregate,
    book: Book,
    place: Place | Held,
    route: Route | None,
    *,
    onward: Place | Held | None = None,
    onward_route: Route | None = None,
    holdings: Holdings = (),
    now: int,
) -> tuple[Entry, ...]:
    """What the ledger must be told so that it follows the Aggregate: none, one, or a linked pair.

    `place` is where the quantity belongs, `onward` where a carry may take it when that is closed.
    `holdings` are the series' slots, newest first, in the period of whichever of the two is open;
    they are needed where `is_lowering` says so.
    """
    delta, waiting = _amounts(aggregate, book)
    if isinstance(place, Place) and route is not None and waiting:
        if not place.is_closed(now):
            return (_released(aggregate, book, place, route, holdings=holdings, now=now),)
        carries = aggregate.closed is Closed.CARRY or goes_later(route, place, onward)
        if carries and isinstance(onward, Place) and not onward.is_closed(now):
            way = onward_route or route
            return _carried(aggregate, book, onward, way, holdings=holdings, now=now)
        place = Held(CLOSED)
    if not delta:
        return ()
    reason = place.reason if isinstance(place, Held) else ""
    return (_entry(aggregate, book, now, delta=delta, held=reason),)


def goes_later(route: Route | None, place: Place | Held, onward: Place | Held | None) -> bool:
    """Whether what `place` no longer takes goes to `onward` whatever the meter says: one record per
    slot leaves it no other way, and the bill is the same."""
    if not isinstance(place, Place) or not isinstance(onward, Place):
        return False
    once = route is not None and route.mode is Mode.ONCE
    return once and onward.slot != place.slot and onward.shares_bill(place)


def rest_of(
    aggregate: Aggregate, book: Book, route: Route, *, holdings: Holdings, now: int
) -> tuple[Entry, ...]:
    """What the key's last Entry, which is full, left to be lowered: one more Entry, or none.

    It says nothing new of the Aggregate. `book` has the balance, `holdings` are the slots, in that
    Entry's period; and nothing else is said of the key before.
    """
    if book.last is None or not book.last.is_full:
        return ()
    last, sums = book.last, book.balance(book.last.period)
    rest = _lowered(negated(_change(sums.billed, sums.allocated, route)), holdings, route, now)
    still = replace(aggregate, period=last.period, position=last.position)
    return (_entry(still, book, now, allocations=rest, held=last.held),) if rest else ()


def _amounts(aggregate: Aggregate, book: Book) -> tuple[Decimal, Decimal]:
    """(what the Aggregate changed by since the last Entry, what of it is in no slot yet)."""
    last = book.last
    total, released_total = (last.total, last.released_total) if last else (ZERO, ZERO)
    return subtract(aggregate.value, total), subtract(aggregate.value, released_total)


def _entry(
    aggregate: Aggregate,
    book: Book,
    now: int,
    *,
    delta: Decimal = ZERO,
    released: Decimal = ZERO,
    moved: Decimal = ZERO,
    allocations: tuple[Allocation, ...] = (),
    held: str = "",
    linked_line: int | None = None,
) -> Entry:
    """The next line of the chain, with every running sum carried on."""
    last, balance = book.last, book.balance(aggregate.period)
    placed = ZERO
    for allocation in allocations:
        placed = add(placed, allocation.quantity)
    return chained(
        Entry(
            key=aggregate.key,
            period=aggregate.period,
            line=book.head.line + 1,
            revision=last.revision + 1 if last else 1,
            delta=delta,
            total=add(last.total if last else ZERO, delta),
            released=released,
            released_total=add(last.released_total if last else ZERO, released),
            moved=moved,
            billed=add(balance.billed, add(released, moved)),
            allocated=add(balance.allocated, placed),
            allocations=allocations,
            position=aggregate.position,
            held=held,
            linked_line=linked_line,
            sealed_at=now,
            previous_hash=book.head.hash,
        )
    )


def _released(
    aggregate: Aggregate, book: Book, place: Place, route: Route, *, holdings: Holdings, now: int
) -> Entry:
    delta, released = _amounts(aggregate, book)
    balance = book.balance(aggregate.period)
    allocations = allocate(
        billed=add(balance.billed, released),
        allocated=balance.allocated,
        place=place,
        route=route,
        holdings=holdings,
        now=now,
    )
    return _entry(aggregate, book, now, delta=delta, released=released, allocations=allocations)


def allocate(
    *, billed: Decimal, allocated: Decimal, place: Place, route: Route, holdings: Holdings, now: int
) -> tuple[Allocation, ...]:
    """How the slots must change so that they hold together what `billed` allows.

    Growth goes to `place`. A fall lowers the key's own slots first, then the series' others,
    newest first, only open ones, none below zero and no more than ALLOCATIONS_MAX of them; what is
    left over is a credit, taken from the growth that comes next.
    """
    change = _change(billed, allocated, route)
    if change > 0:
        return (Allocation(place, change),)
    return _lowered(negated(change), holdings, route, now)


def _change(billed: Decimal, allocated: Decimal, route: Route) -> Decimal:
    goal = max(billed, ZERO)
    if not route.whole_numbers:
        return subtract(goal, allocated)
    if allocated == allocated.to_integral_value():
        goal = rounded_whole(goal)
    # Whole also where another route holds a fraction of the period.
    return rounded_whole(subtract(goal, allocated))


def _lowered(excess: Decimal, holdings: Holdings, route: Route, now: int) -> tuple[Allocation, ...]:
    taken: dict[Place, Decimal] = {}
    wholes = route.whole_numbers  # at last the fractions of several slots: together they may be one
    for own_only, in_wholes in ((True, wholes), (False, wholes), (False, False)):
        for holding in holdings:
            had = min(holding.own, holding.quantity) if own_only else holding.quantity
            free = subtract(had, taken.get(holding.place, ZERO))
            part = min(excess, free)
            elsewhere = holding.place.slot.route != route.name
            if in_wholes or not (holding.takes_fractions if elsewhere else not wholes):
                part = part.to_integral_value(ROUND_FLOOR)
            if part <= 0 or holding.stays or holding.place.is_closed(now):
                continue
            taken[holding.place] = add(taken.get(holding.place, ZERO), part)
            excess = subtract(excess, part)
    lowered = tuple(Allocation(place, negated(quantity)) for place, quantity in taken.items())
    return lowered[:ALLOCATIONS_MAX]


def _carried(
    aggregate: Aggregate, book: Book, onward: Place, route: Route, *, holdings: Holdings, now: int
) -> tuple[Entry, ...]:
    """The linked pair: out of the closed period, into the open one. Atomic, or not at all."""
    delta, waiting = _amounts(aggregate, book)
    line = book.head.line + 1
    gone, linked_line = negated(waiting), line + 1
    out = _entry(
        aggregate, book, now, delta=delta, released=waiting, moved=gone, linked_line=linked_line
    )
    return (out, _arrived(aggregate, book, out, onward=onward, route=route, holdings=holdings))


def _arrived(
    aggregate: Aggregate, book: Book, out: Entry, *, onward: Place, route: Route, holdings: Holdings
) -> Entry:
    """The second of a linked pair: what `out` moved away arrives in the open period."""
    quantity = negated(out.moved)
    after = Book(
        head=Head(out.line, out.hash),
        last=out,
        balances={**book.balances, out.period: Balance(out.billed, out.allocated)},
    )
    balance = after.balance(onward.period)
    allocations = allocate(
        billed=add(balance.billed, quantity),
        allocated=balance.allocated,
        place=onward,
        route=route,
        holdings=holdings,
        now=out.sealed_at,
    )
    into = replace(aggregate, period=onward.period, position=out.position)
    return _entry(
        into,
        after,
        out.sealed_at,
        moved=quantity,
        allocations=allocations,
        held=out.held,
        linked_line=out.line,
    )


def carried_undelivered(
    aggregate: Aggregate,
    book: Book,
    undelivered: Allocation,
    *,
    onward: Place,
    route: Route,
    holdings: Holdings,
    now: int,
) -> tuple[Entry, ...]:
    """The linked pair that takes a quantity out of a slot that closed before it was delivered.

    `undelivered` is what the slot, nothing in flight, holds of this key and the provider never got;
    negative where the provider got more than the slot holds: the rest is given back to the slot,
    and owed by the period that it goes to.
    `aggregate.period` is the one whose Entries put it there: an hour that a period's boundary cuts
    is one slot of two. `book` has that period's balance, and an Entry of the key to follow.
    """
    if book.last is None:
        return ()
    still = replace(aggregate, position=book.last.position)  # nothing new is told of it
    line, moved = book.head.line + 1, negated(undelivered.quantity)
    out = _entry(
        still,
        book,
        now,
        moved=moved,
        allocations=(replace(undelivered, quantity=moved),),
        held=book.last.held,
        linked_line=line + 1,
    )
    return (out, _arrived(still, book, out, onward=onward, route=route, holdings=holdings))
