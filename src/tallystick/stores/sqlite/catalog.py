"""Tenants, meters, mappings, switches and the audit trail in SQLite."""

from itertools import groupby
from typing import Final

import apsw

from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import PAGE, Account, Override, Page, Setting
from tallystick.stores.sqlite.catalog_rows import (
    mapping_of,
    mapping_row,
    meter_of,
    meter_row,
    tenant_of,
    tenant_row,
)
from tallystick.stores.sqlite.connection import Readers
from tallystick.stores.sqlite.pages import Row, page_of, place_of, row_of
from tallystick.stores.sqlite.statements import MARK_AGGREGATES_OF_METER_DUE
from tallystick.stores.sqlite.writer import Writer

SELECT_REVISION: Final = "SELECT catalog_revision FROM store"
RAISE_REVISION: Final = "UPDATE store SET catalog_revision = catalog_revision + 1"

SELECT_TENANT: Final = "SELECT id, name, versions FROM tenant WHERE id = ?"
SELECT_TENANTS: Final = """
    SELECT id, name, versions FROM tenant
    WHERE id >= max(:after, :prefix) AND +id > :after AND id < :beyond ORDER BY id LIMIT :limit
"""
LAST_CHARACTER: Final = "\U0010ffff"
"""After every character that a name may hold, in Unicode's order and in SQLite's."""

PUT_TENANT: Final = """
    INSERT INTO tenant (id, name, versions) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, versions = excluded.versions
"""

SELECT_METERS: Final = """
    SELECT id, effective_from, definition FROM meter ORDER BY id, effective_from
"""
SELECT_METER: Final = """
    SELECT id, effective_from, definition FROM meter WHERE id = ? AND effective_from = ?
"""
PUT_METER: Final = """
    INSERT INTO meter (id, effective_from, definition) VALUES (?, ?, ?)
    ON CONFLICT (id, effective_from) DO UPDATE SET definition = excluded.definition
"""

SELECT_MAPPINGS: Final = """
    SELECT tenant, effective_from, meter, dimensions, route, account, destination, counter,
        publish_from, boundary_hour
    FROM mapping WHERE tenant = ? ORDER BY effective_from, meter, dimensions
"""
SELECT_MAPPING: Final = """
    SELECT tenant, effective_from, meter, dimensions, route, account, destination, counter,
        publish_from, boundary_hour
    FROM mapping WHERE tenant = ? AND effective_from = ? AND meter = ? AND dimensions = ?
"""
PUT_MAPPING: Final = """
    INSERT OR REPLACE INTO mapping (tenant, effective_from, meter, dimensions, route, account,
        destination, counter, publish_from, boundary_hour)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

SELECT_SWITCHES: Final = "SELECT name, state FROM switch ORDER BY name"
SELECT_SWITCH: Final = "SELECT state FROM switch WHERE name = ?"
PUT_SWITCH: Final = """
    INSERT INTO switch (name, state) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET state = excluded.state
"""
DELETE_SWITCH: Final = "DELETE FROM switch WHERE name = ?"

INSERT_OVERRIDE: Final = """
    INSERT INTO override (at, who, why, action, subject) VALUES (?, ?, ?, ?, ?)
"""
SELECT_OVERRIDES: Final = """
    SELECT id, at, who, why, action, subject FROM override WHERE id > ? ORDER BY id LIMIT ?
"""


class SqliteCatalog:
    """`tallystick.ports.Catalog` on one SQLite file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def revision(self) -> int:
        with self._readers.snapshot() as db:
            return int(row_of(db, SELECT_REVISION)[0])

    def save(self, changed: Setting, audit: Override, *, at_revision: int | None = None) -> bool:
        def part(db: apsw.Connection) -> bool:
            if at_revision not in (None, row_of(db, SELECT_REVISION)[0]):
                return False
            _audit(db, audit)
            if _saved(db, changed):
                db.execute(RAISE_REVISION)
            return True

        return self._writer.write(part)

    def account(self, tenant: str) -> Account | None:
        with self._readers.snapshot() as db:
            row = db.execute(SELECT_TENANT, (tenant,)).fetchone()
            return None if row is None else _account(db, row)

    def accounts(self, *, prefix: str = "", cursor: str = "", limit: int = PAGE) -> Page[Account]:
        (after,) = place_of(cursor, ("",))
        bounds = {"after": after, "prefix": prefix, "beyond": prefix + LAST_CHARACTER}
        with self._readers.snapshot() as db:
            rows = db.execute(SELECT_TENANTS, {**bounds, "limit": limit + 1}).fetchall()
            return page_of(rows, limit, lambda row: _account(db, row), lambda row: row[:1])

    def meters(self) -> tuple[tuple[Meter, ...], ...]:
        with self._readers.snapshot() as db:
            versions = [meter_of(row) for row in db.execute(SELECT_METERS)]
        return tuple(tuple(meter) for _, meter in groupby(versions, key=lambda m: m.id))

    def switch(self, name: str, value: str | None, audit: Override) -> None:
        def part(db: apsw.Connection) -> None:
            _audit(db, audit)
            row = db.execute(SELECT_SWITCH, (name,)).fetchone()
            if value == (row and row[0]):
                return
            if value is None:
                db.execute(DELETE_SWITCH, (name,))
            else:
                db.execute(PUT_SWITCH, (name, value))
            db.execute(RAISE_REVISION)

        self._writer.write(part)

    def switches(self) -> dict[str, str]:
        with self._readers.snapshot() as db:
            return {str(name): str(state) for name, state in db.execute(SELECT_SWITCHES)}

    def overrides(self, *, cursor: str = "", limit: int = PAGE) -> Page[Override]:
        (after,) = place_of(cursor, (0,))
        with self._readers.snapshot() as db:
            rows = db.execute(SELECT_OVERRIDES, (after, limit + 1)).fetchall()
        return page_of(rows, limit, _override_of, lambda row: row[:1])


def _account(db: apsw.Connection, row: Row) -> Account:
    mappings = db.execute(SELECT_MAPPINGS, (row[0],))
    return Account(tenant_of(row), tuple(map(mapping_of, mappings)))


def _audit(db: apsw.Connection, audit: Override) -> None:
    row = (audit.at, audit.who, audit.why, audit.action, audit.subject)
    db.execute(INSERT_OVERRIDE, row)


def _override_of(row: Row) -> Override:
    _, at, who, why, action, subject = row
    return Override(at=at, who=who, why=why, action=action, subject=subject)


def _saved(db: apsw.Connection, changed: Setting) -> bool:
    """Store it; False where it stands there already."""
    match changed:
        case Tenant():
            return _put(db, SELECT_TENANT, 1, PUT_TENANT, tenant_row(changed))
        case Meter():
            return _put(db, SELECT_METER, 2, PUT_METER, meter_row(changed))
        case Mapping():
            is_new = _put(db, SELECT_MAPPING, 4, PUT_MAPPING, mapping_row(changed))
            if is_new:
                db.execute(MARK_AGGREGATES_OF_METER_DUE, (changed.tenant, changed.meter))
            return is_new


def _put(db: apsw.Connection, select: str, key_columns: int, put: str, row: Row) -> bool:
    if db.execute(select, row[:key_columns]).fetchone() == row:
        return False
    db.execute(put, row)
    return True
