"""Rows of Entries, slots and publications to values of the domain, and back."""

from decimal import Decimal

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.ledger import Allocation, Entry
from tallystick.domain.publication import Publication, State
from tallystick.domain.slot import Place, Slot, SlotKey
from tallystick.domain.window import Window
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.rows import (
    quantity_of,
    quantity_or_none,
    text_of,
    text_or_null,
)

PLACE_COLUMNS = 9


def slot_key_row(key: SlotKey) -> Row:
    return (key.route, key.account, key.destination, key.counter, key.start)


def terms_row(place: Place) -> Row:
    """What a place says beyond its slot's key."""
    return (place.timestamp, place.period.start, place.period.end, place.closes_at)


def place_of_row(row: Row) -> Place:
    """From a slot's key (5 columns) and a place's terms (4 columns)."""
    route, account, destination, counter, start, timestamp, period_start, period_end, closes = row
    return Place(
        SlotKey(route, account, destination, counter, start),
        timestamp,
        Window(period_start, period_end),
        closes,
    )


def entry_row(entry: Entry) -> Row:
    """What `INSERT INTO entry` takes after the chain's id."""
    return (
        entry.line,
        entry.key.group,
        entry.key.window.start,
        entry.key.window.end,
        entry.period.start,
        entry.period.end,
        entry.revision,
        text_of(entry.delta),
        text_of(entry.total),
        text_of(entry.released),
        text_of(entry.released_total),
        text_of(entry.moved),
        text_of(entry.billed),
        text_of(entry.allocated),
        entry.position,
        entry.held,
        entry.linked_line,
        entry.sealed_at,
        entry.previous_hash,
        entry.hash,
    )


def entry_of(tenant: str, meter: str, row: Row, allocations: tuple[Allocation, ...]) -> Entry:
    """From the columns of `entry` in their order, `chain_id` left out."""
    line, group, start, end, period_start, period_end, revision = row[:7]
    delta, total, released, released_total, moved, billed, allocated = map(quantity_of, row[7:14])
    position, held, linked_line, sealed_at, previous_hash, hash_ = row[14:]
    return Entry(
        key=AggregateKey(tenant, meter, group, Window(start, end)),
        period=Window(period_start, period_end),
        line=line,
        revision=revision,
        delta=delta,
        total=total,
        released=released,
        released_total=released_total,
        moved=moved,
        billed=billed,
        allocated=allocated,
        allocations=allocations,
        position=position,
        held=held,
        linked_line=linked_line,
        sealed_at=sealed_at,
        previous_hash=previous_hash,
        hash=hash_,
    )


def allocation_of(row: Row) -> Allocation:
    """From a place (9 columns) and the quantity."""
    return Allocation(place_of_row(row[:PLACE_COLUMNS]), quantity_of(row[PLACE_COLUMNS]))


def earlier_text(totals: tuple[Decimal, ...]) -> str:
    return " ".join(map(text_of, totals))


def slot_of(row: Row) -> Slot:
    """From the columns of `slot` in their order, `id` left out."""
    total, version, revision, confirmed, earlier, unsettled, is_due, due_at = row[PLACE_COLUMNS:]
    return Slot(
        place=place_of_row(row[:PLACE_COLUMNS]),
        total=quantity_of(total),
        version=version,
        revision=revision,
        confirmed=quantity_or_none(confirmed),
        earlier=tuple(map(quantity_of, earlier.split())),
        unsettled=unsettled,
        due=bool(is_due),
        due_at=due_at,
    )


def publication_row(publication: Publication) -> Row:
    """The columns of `publication` that follow `slot_id`."""
    return (
        publication.slot_revision,
        publication.slot_version,
        *terms_row(publication.place),
        text_of(publication.value),
        text_of(publication.total),
        text_or_null(publication.before),
        publication.state,
        publication.intended_at,
        publication.deadline,
        publication.next_at,
        publication.first_attempt_at,
        publication.last_attempt_at,
        publication.attempts,
        publication.doubts,
        publication.failures,
        publication.resendable,
        publication.accepted_at,
        publication.read_from,
        text_or_null(publication.absent),
        publication.absent_at,
        publication.settled_at,
        publication.answer,
        publication.step,
    )


def publication_of(row: Row) -> Publication:
    """From a slot's key, a place's terms, and the other columns of `publication`."""
    identifier, slot_revision, slot_version, value, total, before, state = row[9:16]
    intended_at, deadline, next_at, first_attempt_at, last_attempt_at = row[16:21]
    attempts, doubts, failures, resendable, accepted_at, read_from = row[21:27]
    absent, absent_at, settled_at, answer, step = row[27:]
    return Publication(
        identifier=identifier,
        place=place_of_row(row[:PLACE_COLUMNS]),
        slot_revision=slot_revision,
        slot_version=slot_version,
        value=quantity_of(value),
        total=quantity_of(total),
        before=quantity_or_none(before),
        state=State(state),
        intended_at=intended_at,
        deadline=deadline,
        next_at=next_at,
        first_attempt_at=first_attempt_at,
        last_attempt_at=last_attempt_at,
        attempts=attempts,
        doubts=doubts,
        failures=failures,
        resendable=bool(resendable),
        accepted_at=accepted_at,
        read_from=read_from,
        absent=quantity_or_none(absent),
        absent_at=absent_at,
        settled_at=settled_at,
        answer=answer,
        step=step,
    )
