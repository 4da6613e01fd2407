"""Dead letters: each by its id, and their order by a number that a counter gave."""

from collections.abc import Sequence
from dataclasses import replace

from tallystick.domain.dead_letter import DeadLetter
from tallystick.ports import PAGE, Page
from tallystick.stores.dynamodb.layout import SORT, Place, digest_of, joined
from tallystick.stores.dynamodb.listing import Ranked, page_of, place_after
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.table import Attribute, Refused, Table, Write

ORDER = joined("letters")
COUNTER: Place = (joined("counter"), joined("letters"))
READ_AT_ONCE = 100


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
            order = (ORDER, joined(number))
            try:
                self._table.write(
                    [
                        Write(
                            place=_place(letter.id),
                            put={"letter": packed(letter), "number": number},
                            expect={"number": None},
                        ),
                        Write(place=order, put={"id": letter.id}),
                    ]
                )
            except Refused:
                continue  # somebody else has kept it meanwhile

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

        def chosen() -> Ranked[DeadLetter]:
            for place, letter in self._from(after):
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
        taken = replace(
            unpacked(item["letter"], DeadLetter), replayed_at=now, replayed_as=replayed_as
        )
        changed: dict[str, Attribute] = {"letter": packed(taken), "taken": now}
        try:
            self._table.write([Write(place=place, sets=changed, expect={"taken": None})])
        except Refused:
            return False
        return True

    def _from(self, after: str) -> Ranked[DeadLetter]:
        """All letters in their order, read a hundred at a time."""
        waiting: list[tuple[str, Place]] = []
        for pointer in self._table.query(ORDER, after=after):
            waiting.append((str(pointer[SORT]), _place(str(pointer["id"]))))
            if len(waiting) == READ_AT_ONCE:
                yield from self._read(waiting)
                waiting = []
        yield from self._read(waiting)

    def _read(self, waiting: Sequence[tuple[str, Place]]) -> Ranked[DeadLetter]:
        found = self._table.get_all([place for _, place in waiting])
        for number, place in waiting:
            yield (number,), unpacked(found[place]["letter"], DeadLetter)


def _place(letter_id: str) -> Place:
    return (joined("letter", digest_of(letter_id)), "letter")
