"""API keys in DynamoDB.

A token is revoked with its maker by being read so: there may be more of them than one write takes.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from tallystick.domain.api_key import ApiKey
from tallystick.ports import PAGE, Override
from tallystick.stores.dynamodb.catalog import State, audit_writes, change
from tallystick.stores.dynamodb.layout import AFTER_ALL_NAMES, Place, joined
from tallystick.stores.dynamodb.packing import packed, unpacked
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Attribute, Item, Refused, Table, Write

EXPIRIES = joined("token-expiries")


class DynamoKeys:
    """`tallystick.ports.Keys` on the table."""

    def __init__(self, table: Table, pausing: Pausing) -> None:
        self._table = table
        self._pausing = pausing

    def add(self, key: ApiKey, audit: Override | None, *, only_first: bool = False) -> bool:
        def writes(state: State) -> list[Write] | None:
            if only_first and self.list():
                return None
            if key.is_token and not _is_maker(self._key(key.maker), key.created_at):
                return None
            if self._table.get(_place(key.id)) or self._table.get(_digest_place(key.digest)):
                return None
            audited = [] if audit is None else audit_writes(state, audit, changes=False)
            # Keys in the order of the audit trail, tokens in that of their making.
            number = joined(key.created_at, key.id) if key.is_token else joined(state.lines + 1)
            return [*audited, *_new_writes(key, number)]

        return change(self._table, self._pausing, writes)

    def find(self, digest: str) -> ApiKey | None:
        pointer = self._table.get(_digest_place(digest))
        found = None if pointer is None else self._key(str(pointer["id"]))
        return None if found is None else self._revoked_with_maker([found])[0]

    def list(self, *, maker: str = "") -> tuple[ApiKey, ...]:
        places = [_place(str(item["id"])) for item in self._table.query(_made_by(maker))]
        found = self._table.get_all(places)
        keys = [unpacked(found[place]["key"], ApiKey) for place in places if place in found]
        return self._revoked_with_maker(keys)

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        def writes(state: State) -> list[Write] | None:
            item = self._table.get(_place(key_id))
            if item is None:
                return None
            (key,) = self._revoked_with_maker([unpacked(item["key"], ApiKey)])
            if key.revoked_at is not None:
                return None
            revoked = _changed(item, replace(key, revoked_at=now))
            return [*audit_writes(state, audit, changes=False), revoked]

        return change(self._table, self._pausing, writes)

    def purge(self, before: int, limit: int = PAGE) -> int:
        until = joined(before) + AFTER_ALL_NAMES
        over = self._table.query(EXPIRIES, before=until, few=limit)
        purged = 0
        for pointer in list(islice(over, limit)):
            key = self._key(str(pointer["id"]))
            if key is not None:
                places = (*_pointers(key, joined(key.created_at, key.id)), _place(key.id))
                self._table.write([Write(place=place, deletes=True) for place in places])
                purged += 1
        return purged

    def touch(self, key_id: str, now: int) -> None:
        while (item := self._table.get(_place(key_id))) is not None:
            key = unpacked(item["key"], ApiKey)
            if key.used_at is not None and key.used_at >= now:
                return
            try:
                self._table.write([_changed(item, replace(key, used_at=now))])
            except Refused:
                continue
            return

    def _key(self, key_id: str) -> ApiKey | None:
        item = self._table.get(_place(key_id))
        return None if item is None else unpacked(item["key"], ApiKey)

    def _revoked_with_maker(self, keys: Sequence[ApiKey]) -> tuple[ApiKey, ...]:
        makers = {maker: self._key(maker) for maker in {key.maker for key in keys if key.is_token}}
        return tuple(_as_revoked(key, makers.get(key.maker)) for key in keys)


def _is_maker(key: ApiKey | None, now: int) -> bool:
    return key is not None and not key.is_token and key.is_live(now)


def _as_revoked(key: ApiKey, maker: ApiKey | None) -> ApiKey:
    if maker is None or maker.revoked_at is None or key.revoked_at is not None:
        return key
    return replace(key, revoked_at=maker.revoked_at)


def _place(key_id: str) -> Place:
    return (joined("key", key_id), "key")


def _digest_place(digest: str) -> Place:
    return (joined("key-digest", digest), "key")


def _made_by(maker: str) -> str:
    return joined("keys", maker)


def _pointers(key: ApiKey, number: str) -> list[Place]:
    """Where the key is named: by its digest, among those of its maker, and by when it ends."""
    places = [_digest_place(key.digest), (_made_by(key.maker), number)]
    if key.is_token and key.expires_at is not None:
        places.append((EXPIRIES, joined(key.expires_at, key.id)))
    return places


def _new_writes(key: ApiKey, number: str) -> list[Write]:
    stored = Write(place=_place(key.id), put={"key": packed(key), "uses": 1}, expect={"uses": None})
    named = [
        Write(place=place, put={"id": key.id}, expect={"id": None})
        for place in _pointers(key, number)
    ]
    return [stored, *named]


def _changed(item: Item, key: ApiKey) -> Write:
    """The key in place of what was read."""
    uses = int(item["uses"])
    changed: dict[str, Attribute] = {"key": packed(key), "uses": uses + 1}
    return Write(place=_place(key.id), sets=changed, expect={"uses": uses})
