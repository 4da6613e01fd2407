"""The hashes of keys, which lead to candidates; of what is stored they are read from the events."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from struct import unpack

import apsw

from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.pages import row_of
from tallystick.stores.sqlite.sizes import HASH_BITS, Sizes
from tallystick.stores.sqlite.stored import Stored


class KeyHash:
    """The hash of a key, salted by the file, so that nobody can choose keys that collide."""

    def __init__(self, salt: bytes, bits: int = HASH_BITS) -> None:
        self._begun = blake2b(digest_size=8, salt=salt)  # to begin a hash takes longer than to copy
        self._shift = 64 - bits

    def __call__(self, tenant: str, key: str) -> int:
        return self.many([(tenant, key)])[0]

    def many(self, named: Iterable[tuple[str, str]]) -> list[int]:
        """The hash of each (tenant, key)."""
        of_tenant: dict[str, blake2b] = {}
        digests = []
        for tenant, key in named:
            begun = of_tenant.get(tenant)
            if begun is None:
                begun = of_tenant[tenant] = self._begun.copy()
                begun.update(f"{len(tenant)}:{tenant}".encode("utf-8", "surrogatepass"))
            hashing = begun.copy()
            hashing.update(key.encode("utf-8", "surrogatepass"))
            digests.append(hashing.digest())
        numbers = unpack(f"<{len(digests)}Q", b"".join(digests))
        return [number >> self._shift for number in numbers]


def read_hash(db: apsw.Connection, sizes: Sizes) -> KeyHash:
    return KeyHash(bytes(row_of(db, sql.SELECT_SALT)[0]), sizes.hash_bits)


def last_event(db: apsw.Connection) -> int:
    return int(row_of(db, sql.SELECT_LAST_EVENT)[0])


def hashed_events(
    db: apsw.Connection, key_hash: KeyHash, after: int, upto: int
) -> Iterator[tuple[int, int]]:
    """(hash, event id) of the stored events with after < id <= upto, in no order."""
    stored = Stored(db)
    for event_id, tenant_id, key in db.execute(sql.SELECT_ROW_NAMES, (after, upto)):
        yield key_hash(stored.tenant(tenant_id), key), event_id
    for segment in stored.segments(after + 1, upto):
        for event_id, tenant_id, key in segment.names():
            if after < event_id <= upto:
                yield key_hash(stored.tenant(tenant_id), key), event_id
