"""The dead letters in SQLite."""

import json
from collections.abc import Sequence
from typing import Final

import apsw

from tallystick.domain.dead_letter import DeadLetter, Reason
from tallystick.domain.errors import FieldError
from tallystick.ports import PAGE, Page
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row, page_of, place_of
from tallystick.stores.sqlite.writer import Writer

INSERT_LETTER: Final = """
    INSERT INTO dead_letter (letter_id, reason, errors, tenant, waits_for, origin, body,
        received_at, replayed_at, replayed_as)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (letter_id) DO NOTHING
"""
SELECT_LETTERS: Final = """
    SELECT id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at,
        replayed_at, replayed_as
    FROM dead_letter
    WHERE id > :after AND :tenant IN ('', tenant) AND :waits_for IN ('', waits_for)
    ORDER BY id LIMIT :limit
"""
SELECT_LETTERS_OPEN: Final = """
    SELECT id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at,
        replayed_at, replayed_as
    FROM dead_letter INDEXED BY dead_letter_open
    WHERE id > :after AND :tenant IN ('', tenant) AND replayed_at IS NULL
    ORDER BY id LIMIT :limit
"""
SELECT_LETTERS_WAITING: Final = """
    SELECT id, letter_id, reason, errors, tenant, waits_for, origin, body, received_at,
        replayed_at, replayed_as
    FROM dead_letter INDEXED BY dead_letter_waits
    WHERE id > :after AND :tenant IN ('', tenant) AND waits_for = :waits_for
        AND replayed_at IS NULL
    ORDER BY id LIMIT :limit
"""
TAKE_LETTER: Final = """
    UPDATE dead_letter SET replayed_at = ?, replayed_as = ?
    WHERE letter_id = ? AND replayed_at IS NULL
"""


class SqliteDeadLetters:
    """`tallystick.ports.DeadLetters` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        def part(db: apsw.Connection) -> None:
            for letter in letters:
                keep_letter(db, letter)

        if letters:
            self._writer.write(part)

    def list(
        self,
        *,
        tenant: str = "",
        waits_for: str = "",
        open_only: bool = True,
        cursor: str = "",
        limit: int = PAGE,
    ) -> Page[DeadLetter]:
        (after,) = place_of(cursor, (0,))
        bounds = {"after": after, "tenant": tenant, "waits_for": waits_for, "limit": limit + 1}
        statement = SELECT_LETTERS
        if open_only:
            statement = SELECT_LETTERS_WAITING if waits_for else SELECT_LETTERS_OPEN
        with self._readers.snapshot() as db:
            rows = db.execute(statement, bounds).fetchall()
        return page_of(rows, limit, _letter_of, lambda row: row[:1])

    def take(self, letter_id: str, replayed_as: str, now: int) -> bool:
        def part(db: apsw.Connection) -> bool:
            db.execute(TAKE_LETTER, (now, replayed_as, letter_id))
            return db.changes() == 1

        return self._writer.write(part)


def keep_letter(db: apsw.Connection, letter: DeadLetter) -> None:
    """Store it where its id is new."""
    errors = [[error.pointer, error.code, error.detail] for error in letter.errors]
    row = (
        letter.id,
        letter.reason,
        json.dumps(errors),
        letter.tenant,
        letter.waits_for,
        _bytes_of(letter.origin),
        _bytes_of(letter.body),
        letter.received_at,
        letter.replayed_at,
        letter.replayed_as,
    )
    db.execute(INSERT_LETTER, row)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _letter_of(row: Row) -> DeadLetter:
    letter_id, reason, errors, tenant, waits_for, origin, body = row[1:8]
    return DeadLetter(
        id=letter_id,
        reason=Reason(reason),
        errors=tuple(
            FieldError(pointer=pointer, code=code, detail=detail)
            for pointer, code, detail in json.loads(errors)
        ),
        tenant=tenant,
        waits_for=waits_for,
        origin=bytes(origin).decode("utf-8", "surrogatepass"),
        body=bytes(body).decode("utf-8", "surrogatepass"),
        received_at=row[8],
        replayed_at=row[9],
        replayed_as=row[10],
    )
