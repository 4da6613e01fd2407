"""The hashes of keys, which lead to candidates; of what is stored they are read from the events."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b, shake_256
from operator import mul
from struct import unpack
from typing import TYPE_CHECKING, Final

import apsw

from tallystick.stores.sqlite import segment_statements as sql
from tallystick.stores.sqlite.pages import row_of
from tallystick.stores.sqlite.sizes import HASH_BITS, Sizes
from tallystick.stores.sqlite.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD_BYTES: Final = 2
LONG: Final = 128
"""Keys of more bytes than this stand for themselves as a digest."""

FEW: Final = 16
"""So few keys are hashed without numpy, """
LITTLE: Final = 4_096
"""and so are the first keys of a program, which may need it for nothing else."""

TENANTS_KEPT: Final = 16_384
MASK: Final = (1 << 64) - 1


class KeyHash:
    """The hash of a key, salted by the file, so that nobody can choose keys that collide.

    A tenant has a keyed digest. Each two bytes of the key add themselves times a secret number of
    64 bits, and so does its length; the upper 48 bits of that sum are the same for two keys with a
    chance of 1 in 2^48, whichever they are (multilinear hashing), and many keys cost one product of
    a matrix.
    """

    def __init__(self, salt: bytes, bits: int = HASH_BITS) -> None:
        self._salt = salt
        self._shift = 64 - bits
        words = LONG // WORD_BYTES
        numbers = unpack(f"<{words + 1}Q", shake_256(salt).digest(8 * (words + 1)))
        self._of_length, *self._of_words = numbers
        self._openings: dict[str, int] = {}
        self._hashed = 0
        self._factors: NDArray[np.uint64] | None = None

    def __call__(self, tenant: str, key: str) -> int:
        return self._one(self.opening(tenant), key)

    def opening(self, tenant: str) -> int:
        """What the hashes of a tenant's keys begin with."""
        found = self._openings.get(tenant)
        if found is None:
            if len(self._openings) >= TENANTS_KEPT:
                self._openings = {}
            name = tenant.encode("utf-8", "surrogatepass")
            digest = blake2b(name, digest_size=8, salt=self._salt).digest()
            found = self._openings[tenant] = int.from_bytes(digest, "little")
        return found

    def many(self, openings: Sequence[int], keys: Sequence[str]) -> list[int]:
        """The hash of each key, which belongs to the tenant with the opening beside it."""
        self._hashed += len(keys)
        if len(keys) < FEW or self._hashed < LITTLE:
            return list(map(self._one, openings, keys))
        import numpy as np  # noqa: PLC0415  # only who has many keys needs it

        if self._factors is None:
            self._factors = np.array(self._of_words, np.uint64)
        lengths, words = self._words_of(keys)
        sums = words.astype(np.uint64) @ self._factors[: words.shape[1]]
        sums += np.array(openings, np.uint64)
        sums += np.array(lengths, np.uint64) * np.uint64(self._of_length)
        found: list[int] = (sums >> np.uint64(self._shift)).tolist()
        return found

    def _words_of(self, keys: Sequence[str]) -> "tuple[list[int], NDArray[np.uint16]]":
        """The keys' lengths in bytes, and their words: a row for each key."""
        import numpy as np  # noqa: PLC0415

        lengths, joined = list(map(len, keys)), "".join(keys)
        width = max(lengths)
        if joined.isascii() and width <= LONG and width % WORD_BYTES == 0 == width - min(lengths):
            packed = joined.encode()
        else:
            each = [self._bytes_of(key) for key in keys]
            lengths = [length for length, _ in each]
            width = max(len(part) for _, part in each)
            packed = b"".join([part.ljust(width, b"\0") for _, part in each])
        return lengths, np.frombuffer(packed, "<u2").reshape(len(keys), width // WORD_BYTES)

    def _one(self, opening: int, key: str) -> int:
        length, part = self._bytes_of(key)
        words = unpack(f"<{len(part) // WORD_BYTES}H", part)
        found: int = opening + length * self._of_length + sum(map(mul, words, self._of_words))
        return (found & MASK) >> self._shift

    def _bytes_of(self, key: str) -> tuple[int, bytes]:
        """(length, bytes) of a key, as whole words."""
        found = key.encode("utf-8", "surrogatepass")
        length = len(found)
        if length > LONG:
            return length, blake2b(found, salt=self._salt).digest()
        return length, found + b"\0" if length % WORD_BYTES else found


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
        event_ids, tenant_ids, keys = zip(*segment.names(), strict=True)
        openings = [key_hash.opening(stored.tenant(one)) for one in tenant_ids]
        for event_id, one in zip(event_ids, key_hash.many(openings, keys), strict=True):
            if after < event_id <= upto:
                yield one, event_id
