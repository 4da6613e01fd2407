"""API keys in SQLite."""

from typing import Final

import apsw

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.ports import Override
from tallystick.stores.sqlite.catalog import INSERT_OVERRIDE
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.writer import Writer

INSERT_KEY: Final = """
    INSERT INTO api_key (id, digest, name, scopes, tenant, created_at, expires_at, revoked_at,
        used_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
SELECT_ANY: Final = "SELECT 1 FROM api_key LIMIT 1"
SELECT_KEY: Final = """
    SELECT id, digest, name, scopes, tenant, created_at, expires_at, revoked_at, used_at
    FROM api_key WHERE digest = ?
"""
SELECT_KEYS: Final = """
    SELECT id, digest, name, scopes, tenant, created_at, expires_at, revoked_at, used_at
    FROM api_key ORDER BY number
"""
REVOKE_KEY: Final = "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
TOUCH_KEY: Final = """
    UPDATE api_key SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at < :now)
"""


class SqliteKeys:
    """`tallystick.ports.Keys` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def add(self, key: ApiKey, audit: Override, *, only_first: bool = False) -> bool:
        def part(db: apsw.Connection) -> bool:
            if only_first and db.execute(SELECT_ANY).fetchone():
                return False
            db.execute(INSERT_KEY, _row(key))
            return _audited(db, audit)

        return self._writer.write(part)

    def find(self, digest: str) -> ApiKey | None:
        with self._readers.snapshot() as db:
            row = db.execute(SELECT_KEY, (digest,)).fetchone()
        return None if row is None else _key_of(row)

    def list(self) -> tuple[ApiKey, ...]:
        with self._readers.snapshot() as db:
            return tuple(map(_key_of, db.execute(SELECT_KEYS)))

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        def part(db: apsw.Connection) -> bool:
            db.execute(REVOKE_KEY, (now, key_id))
            return _audited(db, audit)

        return self._writer.write(part)

    def touch(self, key_id: str, now: int) -> None:
        def part(db: apsw.Connection) -> None:
            db.execute(TOUCH_KEY, {"now": now, "id": key_id})

        self._writer.write(part)


def _audited(db: apsw.Connection, audit: Override) -> bool:
    """Write the audit line if the statement before it changed something; whether it did."""
    if not db.changes():
        return False
    row = (audit.at, audit.who, audit.why, audit.action, audit.subject)
    db.execute(INSERT_OVERRIDE, row)
    return True


def _row(key: ApiKey) -> Row:
    scopes = " ".join(key.scopes)
    spans = (key.created_at, key.expires_at, key.revoked_at, key.used_at)
    return (key.id, key.digest, key.name, scopes, key.tenant, *spans)


def _key_of(row: Row) -> ApiKey:
    id_, digest, name, scopes, tenant, created_at, expires_at, revoked_at, used_at = row
    return ApiKey(
        id=id_,
        digest=digest,
        name=name,
        scopes=tuple(map(Scope, scopes.split())),
        tenant=tenant,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        used_at=used_at,
    )
