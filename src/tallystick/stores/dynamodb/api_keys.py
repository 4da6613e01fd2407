"""API keys in DynamoDB."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tallystick.domain.api_key import ApiKey
from tallystick.domain.errors import StoreUnavailable
from tallystick.ports import Override
from tallystick.stores.dynamodb.catalog import State, audit_writes, read_state
from tallystick.stores.dynamodb.layout import Place, joined
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Item, Refused, Table, Write

KEYS = joined("keys")
TRIES_MAX = 200


class DynamoKeys:
    """`tallystick.ports.Keys` on the table."""

    def __init__(self, table: Table, pausing: Pausing) -> None:
        self._table = table
        self._pausing = pausing

    def add(self, key: ApiKey, audit: Override, *, only_first: bool = False) -> bool:
        def writes(state: State) -> list[Write] | None:
            known = self.list()
            taken = any(key.id == other.id or key.digest == other.digest for other in known)
            if taken or (only_first and known):
                return None
            pointer = Write(place=_digest_place(key.digest), put={"id": key.id})
            stored = Write(
                place=_place(key.id),
                put={"key": packed(key), "number": state.lines + 1, "uses": 1},
                expect={"number": None},
            )
            return [*audit_writes(state, audit, changes=False), stored, pointer]

        return self._change(writes)

    def find(self, digest: str) -> ApiKey | None:
        pointer = self._table.get(_digest_place(digest))
        item = None if pointer is None else self._table.get(_place(str(pointer["id"])))
        return None if item is None else unpacked(item["key"], ApiKey)

    def list(self) -> tuple[ApiKey, ...]:
        items = sorted(self._table.query(KEYS), key=lambda item: int(item["number"]))
        return tuple(unpacked(item["key"], ApiKey) for item in items)

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        def writes(state: State) -> list[Write] | None:
            item = self._table.get(_place(key_id))
            if item is None:
                return None
            key = unpacked(item["key"], ApiKey)
            if key.revoked_at is not None:
                return None
            revoked = _changed(item, replace(key, revoked_at=now))
            return [*audit_writes(state, audit, changes=False), revoked]

        return self._change(writes)

    def touch(self, key_id: str, now: int) -> None:
        item = self._table.get(_place(key_id))
        if item is None:
            return
        key = unpacked(item["key"], ApiKey)
        if key.used_at is not None and key.used_at >= now:
            return
        try:
            self._table.write([_changed(item, replace(key, used_at=now))])
        except Refused:
            self.touch(key_id, now)

    def _change(self, writes: Callable[[State], Sequence[Write] | None]) -> bool:
        for turn in range(TRIES_MAX):
            wanted = writes(read_state(self._table))
            if wanted is None:
                return False
            try:
                self._table.write(wanted)
            except Refused:
                self._pausing.pause(min(turn, 5))
                continue
            return True
        raise StoreUnavailable(f"the keys in {self._table.name} are too busy: try again")


def _place(key_id: str) -> Place:
    return (KEYS, joined(key_id))


def _digest_place(digest: str) -> Place:
    return (joined("key-digest", digest), "key")


def _changed(item: Item, key: ApiKey) -> Write:
    """The key in place of what was read."""
    uses = int(item["uses"])
    return Write(
        place=_place(key.id),
        sets={"key": packed(key), "uses": uses + 1},
        expect={"uses": uses},
    )
