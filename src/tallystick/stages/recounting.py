"""Recount: hold our own half together, from the events to the slots, without asking the provider.

Aggregate = the fold of its live events; a key's Entries = its Aggregate; the chain is unbroken; a
slot's total = the sum of its Entries. Whatever differs is named, and nothing is changed.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from tallystick.domain.aggregate import Aggregate, AggregateKey, Contribution, refold, value_of
from tallystick.domain.discrepancy import Discrepancy, Kind
from tallystick.domain.ledger import Entry
from tallystick.domain.mapping import BEFORE_PUBLISH_FROM, mapping_for
from tallystick.domain.meter import WHOLE
from tallystick.domain.quantity import ONE, ZERO, add, subtract
from tallystick.domain.slot import Slot
from tallystick.ports import PAGE, Page, Store, T


def pages(page_after: Callable[[str], Page[T]]) -> Iterator[T]:
    """Every element of a listing, page after page."""
    cursor = ""
    while True:
        page = page_after(cursor)
        yield from page.elements
        cursor = page.cursor
        if not cursor:
            return


def recount(store: Store, now: int, *, tenant: str = "") -> Iterator[Discrepancy]:
    """Every difference between events, Aggregates and ledger; of one tenant where given."""
    found = pages(lambda cursor: store.events.aggregates(tenant=tenant, cursor=cursor))
    for aggregate in found:
        yield from _aggregate_faults(store, aggregate, now)
        yield from _ledger_faults(store, aggregate, now)


def subject_of(key: AggregateKey) -> str:
    """How a discrepancy names an Aggregate: tenant/meter/group/window."""
    return "/".join((key.tenant, key.meter, key.group, str(key.window)))


def _aggregate_faults(store: Store, aggregate: Aggregate, now: int) -> Iterator[Discrepancy]:
    live, position = live_contributions(store, aggregate.key)
    tally = refold(live.values())
    counted = value_of(aggregate.aggregation, tally)
    if (tally.count, counted, position) == (
        aggregate.tally.count,
        aggregate.value,
        aggregate.position,
    ):
        return
    yield _of(aggregate.key, Kind.AGGREGATE, counted, aggregate.value, now).because(
        f"{tally.count} live events in {position} changes fold to {counted}; the Aggregate says "
        f"{aggregate.value} of {aggregate.tally.count} in {aggregate.position}"
    )


def live_contributions(
    store: Store, key: AggregateKey, upto: int | None = None
) -> tuple[dict[str, Contribution], int]:
    """The contributions that count, by event key, up to a position; and the last position."""
    live: dict[str, Contribution] = {}
    position = 0
    while changes := store.events.changes(key, after=position, upto=upto):
        for change in changes:
            if change.removed:
                live.pop(change.contribution.event_key, None)
            else:
                live[change.contribution.event_key] = change.contribution
        position = changes[-1].position
        if len(changes) < PAGE:
            break  # there are no more
    return live, position


def _ledger_faults(store: Store, aggregate: Aggregate, now: int) -> Iterator[Discrepancy]:
    key = aggregate.key
    book = store.ledger.book(key, [aggregate.period])
    last = book.last
    total = last.total if last else ZERO
    if total != aggregate.value and not aggregate.due and (key.group == WHOLE or last):
        yield _of(key, Kind.LEDGER, total, aggregate.value, now).because(
            "the Aggregate changed without a mark, or the Entry was altered"
        )
    if last is None:
        return
    if last.released_total != last.total and not _is_never_sent(store, key, last):
        yield _of(key, Kind.HELD, last.total, last.released_total, now).because(last.held)
    balance = book.balance(aggregate.period)
    over = subtract(balance.allocated, max(balance.billed, ZERO))
    if over >= ONE and aggregate.period.end <= now:
        yield _of(key, Kind.CREDIT, balance.billed, balance.allocated, now).because(
            "the closed period's slots hold more than is to be billed"
        )


def _is_never_sent(store: Store, key: AggregateKey, last: Entry) -> bool:
    """Whether it is held for good because its window lies before `publish_from`: also where it was
    sealed before there was a mapping to say so."""
    account = store.catalog.account(key.tenant)
    if last.held == BEFORE_PUBLISH_FROM or account is None:
        return last.held == BEFORE_PUBLISH_FROM
    versions = tuple(m for m in account.mappings if m.meter == key.meter)
    mapping = mapping_for(versions, key.group, key.window)
    return mapping is not None and key.window.start < mapping.publish_from


def _of(key: AggregateKey, kind: Kind, ours: Decimal, theirs: Decimal, now: int) -> Discrepancy:
    return Discrepancy(
        kind=kind,
        tenant=key.tenant,
        meter=key.meter,
        subject=subject_of(key),
        ours=ours,
        theirs=theirs,
        found_at=now,
    )


def entries_of(store: Store, tenant: str, meter: str) -> Iterator[Entry]:
    """A whole chain, in order."""
    return pages(lambda cursor: store.ledger.entries(tenant=tenant, meter=meter, cursor=cursor))


def slot_faults(store: Store, slot: Slot, now: int) -> Iterator[Discrepancy]:
    """Whether the slot's running total is the sum of the Entries that allocate to it."""
    total = ZERO
    for entry in pages(lambda cursor: store.ledger.entries(slot=slot.key, cursor=cursor)):
        for allocation in entry.allocations:
            if allocation.place.slot == slot.key:
                total = add(total, allocation.quantity)
    if total != slot.total:
        yield Discrepancy(
            kind=Kind.SLOT,
            subject=str(slot.key),
            ours=total,
            theirs=slot.total,
            detail="the slot's running total is not the sum of its Entries",
            found_at=now,
        )
