"""Dead letters: each by its id, and their order by a number that a counter gave.

What a letter says never changes. What is longer than an item can hold lies beside it in parts,
which are written first: those that a crash left are written again as they were.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from tallystick.domain.dead_letter import DeadLetter
from tallystick.ports import PAGE, Page
from tallystick.stores.dynamodb.layout import SORT, Place, digest_of, joined
from tallystick.stores.dynamodb.listing import Ranked, page_of, place_after, sizes
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.table import Attribute, Item, Refused, Table, Write, place_of

ORDER = joined("letters")
COUNTER: Place = (joined("counter"), joined("letters"))
PART_BYTES = 256 * 1024
"""An item holds 400 KB."""


class Letters:
    """`tallystick.ports.DeadLetters` on the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        known = self._table.get_all([_place(letter.id) for letter in letters])
        fresh = {letter.id: letter for letter in letters if _place(letter.id) not in known}
        first = self._table.counted(COUNTER, len(fresh)) - len(fresh) if fresh else 0
        for number, letter in enumerate(fresh.values(), start=first + 1):
            told = {**self._told(letter), "number": number}
            stored = Write(place=_place(letter.id), put=told, expect={"number": None})
            orders = [ORDER, _waiting(letter.waits_for)] if letter.waits_for else [ORDER]
            ranks = [Write(place=(o, joined(number)), put={"id": letter.id}) for o in orders]
            with suppress(Refused):  # somebody else has kept it meanwhile
                self._table.write([stored, *ranks])

    def list(
        self,
        *,
        tenant: str = "",
        waits_for: str = "",
        open_only: bool = True,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[DeadLetter]:
        (after,) = place_after(cursor, 1)

        order = _waiting(waits_for) if waits_for else ORDER

        def chosen() -> Ranked[DeadLetter]:
            for place, letter in self._from(order, after, limit + 1):
                if tenant not in ("", letter.tenant) or waits_for not in ("", letter.waits_for):
                    continue
                if not (open_only and letter.replayed_at is not None):
                    yield place, letter

        return page_of(chosen(), limit)

    def take(self, letter_id: str, replayed_as: str, now: int) -> bool:
        place = _place(letter_id)
        item = self._table.get(place)
        if item is None or "taken" in item:
            return False
        taken: dict[str, Attribute] = {"taken": now, "taken_as": replayed_as}
        try:
            self._table.write([Write(place=place, sets=taken, expect={"taken": None})])
        except Refused:
            return False
        return True

    def _from(self, order: str, after: str, few: int) -> Ranked[DeadLetter]:
        """All letters in their order, or those that wait for one thing."""
        pointers = self._table.query(order, after=after, few=few)
        for size in sizes(few):
            chunk = list(islice(pointers, size))
            if not chunk:
                return
            yield from self._read([(str(one[SORT]), _place(str(one["id"]))) for one in chunk])

    def _read(self, waiting: Sequence[tuple[str, Place]]) -> Ranked[DeadLetter]:
        found = self._table.get_all([place for _, place in waiting])
        for number, place in waiting:
            yield (number,), self._letter(found[place])

    def _told(self, letter: DeadLetter) -> dict[str, Attribute]:
        """What its item says of it, after what does not fit in there was written."""
        text = packed(letter)
        whole = text.encode()
        if len(whole) <= PART_BYTES:
            return {"letter": text}
        parts = [whole[i : i + PART_BYTES] for i in range(0, len(whole), PART_BYTES)]
        for number, part in enumerate(parts):
            self._table.put(Write(place=_part(_place(letter.id), number), put={"part": part}))
        return {"parts": len(parts)}

    def _letter(self, item: Item) -> DeadLetter:
        letter = unpacked(self._text(item), DeadLetter)
        if "taken" not in item:
            return letter
        return replace(letter, replayed_at=int(item["taken"]), replayed_as=str(item["taken_as"]))

    def _text(self, item: Item) -> str:
        if "letter" in item:
            return str(item["letter"])
        places = [_part(place_of(item), number) for number in range(int(item["parts"]))]
        found = self._table.get_all(places)
        parts = (found[place]["part"] for place in places)
        return b"".join(part for part in parts if isinstance(part, bytes)).decode()


def _waiting(waits_for: str) -> str:
    return joined("letters", waits_for)


def _part(place: Place, number: int) -> Place:
    return (place[0], joined("part", number))


def _place(letter_id: str) -> Place:
    return (joined("letter", digest_of(letter_id)), "letter")
