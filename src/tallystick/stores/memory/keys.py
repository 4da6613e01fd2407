"""API keys in memory."""

from dataclasses import replace

from tallystick.domain.api_key import ApiKey
from tallystick.ports import Override
from tallystick.stores.memory.tables import Storage


class MemoryKeys:
    """`tallystick.ports.Keys` on a dictionary."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, key: ApiKey, audit: Override, *, only_first: bool = False) -> bool:
        with self._storage.opened() as tables:
            taken = key.id in tables.keys or any(
                known.digest == key.digest for known in tables.keys.values()
            )
            if taken or (only_first and tables.keys):
                return False
            tables.keys[key.id] = key
            tables.overrides[len(tables.overrides)] = audit
            return True

    def find(self, digest: str) -> ApiKey | None:
        with self._storage.opened() as tables:
            return next((key for key in tables.keys.values() if key.digest == digest), None)

    def list(self) -> tuple[ApiKey, ...]:
        with self._storage.opened() as tables:
            return tuple(tables.keys.values())

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        with self._storage.opened() as tables:
            known = tables.keys.get(key_id)
            if known is None or known.revoked_at is not None:
                return False
            tables.keys[key_id] = replace(known, revoked_at=now)
            tables.overrides[len(tables.overrides)] = audit
            return True

    def touch(self, key_id: str, now: int) -> None:
        with self._storage.opened() as tables:
            known = tables.keys.get(key_id)
            if known is not None and (known.used_at is None or known.used_at < now):
                tables.keys[key_id] = replace(known, used_at=now)
