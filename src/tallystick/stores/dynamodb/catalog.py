"""Tenants, meters, mappings, switches and the audit trail, in DynamoDB.

One row counts the changes and the lines of the audit trail; every write is on its condition, so
that changes come one after the other. A mapping is stored together with an errand: to mark its
Aggregates due. They may be too many for one transaction, so the errand is done afterwards, and
again by whoever next asks what is due, until it is ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tallystick.domain.errors import StoreUnavailable
from tallystick.domain.mapping import Mapping
from tallystick.domain.meter import Meter
from tallystick.domain.tenant import Tenant
from tallystick.ports import PAGE, Account, Override, Page, Setting
from tallystick.stores.dynamodb.errands import Errands
from tallystick.stores.dynamodb.layout import SORT, Place, joined
from tallystick.stores.dynamodb.listing import Ranked, page_of, place_after
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Item, Refused, Table, Write

STATE: Place = (joined("catalog"), "state")
TENANTS = joined("tenants")
METERS = joined("meters")
SWITCHES = joined("switches")
AUDIT = joined("audit")
TRIES_MAX = 200


@dataclass(frozen=True, slots=True)
class State:
    """How often the catalog has changed, and how many lines the audit trail has."""

    revision: int = 0
    lines: int = 0


def read_state(table: Table) -> State:
    item = table.get(STATE)
    return State() if item is None else State(int(item["revision"]), int(item["lines"]))


def audit_writes(state: State, audit: Override, *, changes: bool) -> list[Write]:
    """The next line of the audit trail, on the condition that it is the next."""
    known = state != State()
    return [
        Write(
            place=STATE,
            put={"revision": state.revision + changes, "lines": state.lines + 1},
            expect={
                "revision": state.revision if known else None,
                "lines": state.lines if known else None,
            },
        ),
        Write(place=(AUDIT, joined(state.lines + 1)), put={"audit": packed(audit)}),
    ]


def change(
    table: Table, pausing: Pausing, writes: Callable[[State], Sequence[Write] | None]
) -> bool:
    """Write what is made of the present state, again where somebody else came first; False, and
    nothing is written, where that is None."""
    for turn in range(TRIES_MAX):
        wanted = writes(read_state(table))
        if wanted is None:
            return False
        try:
            table.write(wanted)
        except Refused:
            pausing.pause(min(turn, 5))
            continue
        return True
    raise StoreUnavailable(f"the catalog in {table.name} is too busy: try again")


class DynamoCatalog:
    """`tallystick.ports.Catalog` on the table."""

    def __init__(self, table: Table, errands: Errands, pausing: Pausing) -> None:
        self._table = table
        self._errands = errands
        self._pausing = pausing

    def revision(self) -> int:
        return read_state(self._table).revision

    def save(self, changed: Setting, audit: Override, *, at_revision: int | None = None) -> bool:
        place, told = _row(changed)

        def writes(state: State) -> list[Write] | None:
            if at_revision not in (None, state.revision):
                return None
            item = self._table.get(place)
            if item is not None and item["told"] == told:
                return audit_writes(state, audit, changes=False)
            stored = [Write(place=place, put={"told": told})]
            if isinstance(changed, Mapping):
                stored.append(self._errands.write(changed.tenant, changed.meter, state.lines + 1))
            return [*audit_writes(state, audit, changes=True), *stored]

        done = change(self._table, self._pausing, writes)
        if done and isinstance(changed, Mapping):
            self._errands.run()
        return done

    def account(self, tenant: str) -> Account | None:
        item = self._table.get((TENANTS, joined(tenant)))
        return None if item is None else self._account(item)

    def accounts(self, *, prefix: str = "", cursor: str = "", limit: int = PAGE) -> Page[Account]:
        (after,) = place_after(cursor, 1)

        def found() -> Ranked[Account]:
            named = "" if after else joined(prefix)
            items = self._table.query(TENANTS, after=after, prefix=named, few=limit + 1)
            for item in items:
                account = self._account(item)
                if account.tenant.id.startswith(prefix):
                    yield (str(item[SORT]),), account
                elif prefix:
                    return

        return page_of(found(), limit)

    def meters(self) -> tuple[tuple[Meter, ...], ...]:
        versions = (unpacked(item["told"], Meter) for item in self._table.query(METERS))
        return tuple(tuple(meter) for _, meter in groupby(versions, key=lambda m: m.id))

    def switch(self, name: str, value: str | None, audit: Override) -> None:
        place = (SWITCHES, joined(name))

        def writes(state: State) -> list[Write]:
            item = self._table.get(place)
            before = None if item is None or "value" not in item else str(item["value"])
            audited = audit_writes(state, audit, changes=before != value)
            if before == value:
                return audited
            if value is None:
                return [*audited, Write(place=place, sets={"name": name}, removes=("value",))]
            return [*audited, Write(place=place, put={"name": name, "value": value})]

        change(self._table, self._pausing, writes)

    def switches(self) -> dict[str, str]:
        items = self._table.query(SWITCHES)
        return {str(item["name"]): str(item["value"]) for item in items if "value" in item}

    def overrides(self, *, cursor: str = "", limit: int = PAGE) -> Page[Override]:
        (after,) = place_after(cursor, 1)
        items = self._table.query(AUDIT, after=after, few=limit + 1)
        found = (((str(item[SORT]),), unpacked(item["audit"], Override)) for item in items)
        return page_of(found, limit)

    def _account(self, item: Item) -> Account:
        tenant = unpacked(item["told"], Tenant)
        mappings = self._table.query(_mappings(tenant.id))
        return Account(tenant, tuple(unpacked(each["told"], Mapping) for each in mappings))


def _mappings(tenant: str) -> str:
    return joined("mappings", tenant)


def _row(changed: Setting) -> tuple[Place, str]:
    match changed:
        case Tenant():
            place = (TENANTS, joined(changed.id))
        case Meter():
            place = (METERS, joined(changed.id, changed.effective_from))
        case Mapping():
            sort = joined(changed.effective_from, changed.meter, changed.group)
            place = (_mappings(changed.tenant), sort)
    return place, packed(changed)
