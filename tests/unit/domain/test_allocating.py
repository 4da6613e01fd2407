"""Whose slots a fall lowers, and by how much: whole numbers where a slot wants them."""

from dataclasses import replace
from decimal import Decimal

from tallystick.domain.instant import DAY
from tallystick.domain.ledger import Holding, allocate
from tallystick.domain.slot import Mode, Reads, Route
from tallystick.testing.factories import ABSOLUTE, DELTA, JANUARY, place

WHOLES = Route(
    name="whole", mode=Mode.ABSOLUTE, hourly=False, whole_numbers=True, reads=Reads.PERIOD
)


def test_a_fall_takes_fractions_from_another_routes_slots_where_that_takes_them():
    old, new = place(DELTA, at=JANUARY.start), place(at=JANUARY.start + DAY)
    held = (
        Holding(new, Decimal("1.5"), Decimal(0), takes_fractions=True),
        Holding(old, Decimal("2.25"), Decimal(0), takes_fractions=True),
    )
    whole = (held[0], replace(held[1], takes_fractions=False))

    def lowered(holdings):
        changes = allocate(
            billed=Decimal(1),
            allocated=Decimal("3.75"),
            place=new,
            route=ABSOLUTE,
            holdings=holdings,
            now=JANUARY.start,
        )
        return [change.quantity for change in changes]

    assert lowered(held) == [Decimal("-1.5"), Decimal("-1.25")]
    assert lowered(whole) == [Decimal("-1.5"), Decimal(-1)]


def test_a_fall_in_whole_numbers_takes_the_fractions_of_several_slots_together():
    slots = [place(DELTA, at=JANUARY.start + n * DAY) for n in range(3)]
    parts = [Decimal("0.6"), Decimal("0.75"), Decimal("0.65")]

    def lowered(*, takes_fractions: bool):
        changes = allocate(
            billed=Decimal("-18.65"),
            allocated=Decimal(2),
            place=place(WHOLES, at=JANUARY.start),
            route=WHOLES,
            holdings=tuple(
                Holding(slot, part, Decimal(0), takes_fractions=takes_fractions)
                for slot, part in zip(slots, parts, strict=True)
            ),
            now=JANUARY.start,
        )
        return [-change.quantity for change in changes]

    assert lowered(takes_fractions=True) == parts
    assert lowered(takes_fractions=False) == []
