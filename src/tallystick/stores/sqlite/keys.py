"""API keys in SQLite."""

from typing import Final

import apsw

from tallystick.domain.api_key import ApiKey, Scope
from tallystick.ports import PAGE, Override
from tallystick.stores.sqlite.catalog import INSERT_OVERRIDE
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row
from tallystick.stores.sqlite.writer import Writer

INSERT_KEY: Final = """
    INSERT INTO api_key (id, digest, name, scopes, tenant, maker, created_at, expires_at,
        revoked_at, used_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
SELECT_ANY: Final = "SELECT 1 FROM api_key LIMIT 1"
SELECT_MAKER: Final = """
    SELECT 1 FROM api_key
    WHERE id = :maker AND maker = '' AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > :now)
"""
SELECT_KEY: Final = """
    SELECT id, digest, name, scopes, tenant, maker, created_at, expires_at, revoked_at, used_at
    FROM api_key WHERE digest = ?
"""
SELECT_KEYS: Final = """
    SELECT id, digest, name, scopes, tenant, maker, created_at, expires_at, revoked_at, used_at
    FROM api_key WHERE maker = '' ORDER BY number
"""
SELECT_TOKENS: Final = """
    SELECT id, digest, name, scopes, tenant, maker, created_at, expires_at, revoked_at, used_at
    FROM api_key INDEXED BY api_key_made WHERE maker = ? AND maker <> '' ORDER BY number
"""
REVOKE_KEY: Final = "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
REVOKE_TOKENS: Final = """
    UPDATE api_key INDEXED BY api_key_made SET revoked_at = ?
    WHERE maker = ? AND maker <> '' AND revoked_at IS NULL
"""
PURGE_TOKENS: Final = """
    DELETE FROM api_key WHERE number IN (
        SELECT number FROM api_key INDEXED BY api_key_ending
        WHERE maker <> '' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?
    )
"""
TOUCH_KEY: Final = """
    UPDATE api_key SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at < :now)
"""


class SqliteKeys:
    """`tallystick.ports.Keys` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def add(self, key: ApiKey, audit: Override | None, *, only_first: bool = False) -> bool:
        made_by = {"maker": key.maker, "now": key.created_at}

        def part(db: apsw.Connection) -> bool:
            if only_first and db.execute(SELECT_ANY).fetchone():
                return False
            if key.is_token and not db.execute(SELECT_MAKER, made_by).fetchone():
                return False
            db.execute(INSERT_KEY, _row(key))
            return _audited(db, audit)

        return self._writer.write(part)

    def find(self, digest: str) -> ApiKey | None:
        with self._readers.snapshot() as db:
            row = db.execute(SELECT_KEY, (digest,)).fetchone()
        return None if row is None else _key_of(row)

    def list(self, *, maker: str = "") -> tuple[ApiKey, ...]:
        asked = (SELECT_TOKENS, (maker,)) if maker else (SELECT_KEYS, ())
        with self._readers.snapshot() as db:
            return tuple(map(_key_of, db.execute(*asked)))

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        def part(db: apsw.Connection) -> bool:
            db.execute(REVOKE_KEY, (now, key_id))
            is_revoked = _audited(db, audit)
            if is_revoked:
                db.execute(REVOKE_TOKENS, (now, key_id))
            return is_revoked

        return self._writer.write(part)

    def purge(self, before: int, limit: int = PAGE) -> int:
        def part(db: apsw.Connection) -> int:
            db.execute(PURGE_TOKENS, (before, limit))
            return db.changes()

        return self._writer.write(part)

    def touch(self, key_id: str, now: int) -> None:
        def part(db: apsw.Connection) -> None:
            db.execute(TOUCH_KEY, {"now": now, "id": key_id})

        self._writer.write(part)


def _audited(db: apsw.Connection, audit: Override | None) -> bool:
    """Write the audit line if the statement before it changed something; whether it did."""
    if not db.changes():
        return False
    if audit is None:
        return True
    row = (audit.at, audit.who, audit.why, audit.action, audit.subject)
    db.execute(INSERT_OVERRIDE, row)
    return True


def _row(key: ApiKey) -> Row:
    scopes = " ".join(key.scopes)
    spans = (key.created_at, key.expires_at, key.revoked_at, key.used_at)
    return (key.id, key.digest, key.name, scopes, key.tenant, key.maker, *spans)


def _key_of(row: Row) -> ApiKey:
    id_, digest, name, scopes, tenant, maker, created_at, expires_at, revoked_at, used_at = row
    return ApiKey(
        id=id_,
        digest=digest,
        name=name,
        scopes=tuple(map(Scope, scopes.split())),
        tenant=tenant,
        maker=maker,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        used_at=used_at,
    )
