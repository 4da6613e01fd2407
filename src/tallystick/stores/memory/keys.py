"""API keys in memory."""

from dataclasses import replace

from tallystick.domain.api_key import ApiKey
from tallystick.ports import PAGE, Override
from tallystick.stores.memory.tables import Storage


class MemoryKeys:
    """`tallystick.ports.Keys` on a dictionary."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def add(self, key: ApiKey, audit: Override | None, *, only_first: bool = False) -> bool:
        with self._storage.opened() as tables:
            taken = key.id in tables.keys or any(
                known.digest == key.digest for known in tables.keys.values()
            )
            if taken or (only_first and tables.keys):
                return False
            if key.is_token and not _is_maker(tables.keys.get(key.maker), key.created_at):
                return False
            tables.keys[key.id] = key
            if audit is not None:
                tables.overrides[len(tables.overrides)] = audit
            return True

    def find(self, digest: str) -> ApiKey | None:
        with self._storage.opened() as tables:
            return next((key for key in tables.keys.values() if key.digest == digest), None)

    def list(self, *, maker: str = "") -> tuple[ApiKey, ...]:
        with self._storage.opened() as tables:
            return tuple(key for key in tables.keys.values() if key.maker == maker)

    def revoke(self, key_id: str, now: int, audit: Override) -> bool:
        with self._storage.opened() as tables:
            known = tables.keys.get(key_id)
            if known is None or known.revoked_at is not None:
                return False
            for key in tuple(tables.keys.values()):
                if key_id in (key.id, key.maker) and key.revoked_at is None:
                    tables.keys[key.id] = replace(key, revoked_at=now)
            tables.overrides[len(tables.overrides)] = audit
            return True

    def purge(self, before: int, limit: int = PAGE) -> int:
        with self._storage.opened() as tables:
            over = sorted(
                (key.expires_at, key.id)
                for key in tables.keys.values()
                if key.is_token and key.expires_at is not None and key.expires_at <= before
            )
            for _, key_id in over[:limit]:
                del tables.keys[key_id]
            return len(over[:limit])

    def touch(self, key_id: str, now: int) -> None:
        with self._storage.opened() as tables:
            known = tables.keys.get(key_id)
            if known is not None and (known.used_at is None or known.used_at < now):
                tables.keys[key_id] = replace(known, used_at=now)


def _is_maker(key: ApiKey | None, now: int) -> bool:
    return key is not None and not key.is_token and key.is_live(now)
