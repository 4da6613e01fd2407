"""Tenants, meters, mappings, switches and the audit trail, in memory."""

from dataclasses import replace
from itertools import groupby

from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import PAGE, Account, Override, Page, Setting
from tallystick.stores.memory.pages import page_of
from tallystick.stores.memory.tables import Storage, Tables


class MemoryCatalog:
    """`tallystick.ports.Catalog` on dictionaries."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def revision(self) -> int:
        with self._storage.opened() as tables:
            return _revision(tables)

    def save(self, changed: Setting, audit: Override, *, at_revision: int | None = None) -> bool:
        with self._storage.opened() as tables:
            if at_revision not in (None, _revision(tables)):
                return False
            tables.overrides[len(tables.overrides)] = audit
            if _saved(tables, changed):
                _raise_revision(tables)
            return True

    def account(self, tenant: str) -> Account | None:
        with self._storage.opened() as tables:
            found = tables.tenants.get(tenant)
            return None if found is None else _account(tables, found)

    def accounts(self, *, prefix: str = "", cursor: str = "", limit: int = PAGE) -> Page[Account]:
        with self._storage.opened() as tables:
            chosen = (t for t in tables.tenants.values() if t.id.startswith(prefix))
            found = (((t.id,), _account(tables, t)) for t in chosen)
            return page_of(found, cursor, limit)

    def meters(self) -> tuple[tuple[Meter, ...], ...]:
        with self._storage.opened() as tables:
            versions = (tables.meters[place] for place in sorted(tables.meters))
            return tuple(tuple(meter) for _, meter in groupby(versions, key=lambda m: m.id))

    def switch(self, name: str, value: str | None, audit: Override) -> None:
        with self._storage.opened() as tables:
            tables.overrides[len(tables.overrides)] = audit
            if tables.switches.get(name) == value:
                return
            if value is None:
                del tables.switches[name]
            else:
                tables.switches[name] = value
            _raise_revision(tables)

    def switches(self) -> dict[str, str]:
        with self._storage.opened() as tables:
            return dict(tables.switches)

    def overrides(self, *, cursor: str = "", limit: int = PAGE) -> Page[Override]:
        with self._storage.opened() as tables:
            found = (((place,), audit) for place, audit in tables.overrides.items())
            return page_of(found, cursor, limit)


def _revision(tables: Tables) -> int:
    return tables.revisions.get("catalog", 0)


def _raise_revision(tables: Tables) -> None:
    tables.revisions["catalog"] = _revision(tables) + 1


def _account(tables: Tables, tenant: Tenant) -> Account:
    places = sorted(place for place in tables.mappings if place[0] == tenant.id)
    return Account(tenant, tuple(tables.mappings[place] for place in places))


def _saved(tables: Tables, changed: Setting) -> bool:
    """Store it; False where it stands there already."""
    match changed:
        case Tenant():
            before, tables.tenants[changed.id] = tables.tenants.get(changed.id), changed
            return changed != before
        case Meter():
            version = (changed.id, changed.effective_from)
            known, tables.meters[version] = tables.meters.get(version), changed
            return changed != known
        case Mapping():
            return _mapped(tables, changed)


def _mapped(tables: Tables, mapping: Mapping) -> bool:
    place = (mapping.tenant, mapping.effective_from, mapping.meter, mapping.group)
    if tables.mappings.get(place) == mapping:
        return False
    tables.mappings[place] = mapping
    for key, aggregate in tables.aggregates.items():
        if (key.tenant, key.meter) == (mapping.tenant, mapping.meter):
            tables.aggregates[key] = replace(aggregate, due=True, marks=aggregate.marks + 1)
    return True
