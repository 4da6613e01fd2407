"""Reports that could not be counted, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from tallystick.domain.dead_letter import DeadLetter
from tallystick.ports import PAGE, Page
from tallystick.stores.memory.pages import page_of
from tallystick.stores.memory.tables import Storage


class MemoryDeadLetters:
    """`tallystick.ports.DeadLetters` on dictionaries."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            with self._storage.opened() as tables:
                tables.letters.setdefault(letter.id, letter)

    def list(
        self,
        *,
        tenant: str = "",
        waits_for: str = "",
        open_only: bool = True,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[DeadLetter]:
        with self._storage.opened() as tables:
            found = (
                ((place,), letter)
                for place, letter in enumerate(tables.letters.values())
                if tenant in ("", letter.tenant)
                and waits_for in ("", letter.waits_for)
                and not (open_only and letter.replayed_at is not None)
            )
            return page_of(found, cursor, limit)

    def take(self, letter_id: str, replayed_as: str, now: int) -> bool:
        with self._storage.opened() as tables:
            letter = tables.letters.get(letter_id)
            if letter is None or letter.replayed_at is not None:
                return False
            tables.letters[letter_id] = replace(letter, replayed_at=now, replayed_as=replayed_as)
            return True
