"""A checkpoint: where every chain of the ledger ended at one time, and nothing that came before.

Whoever can write the store can rewrite a whole chain with new hashes, or cut off its end. A copy
of the checkpoints that is kept elsewhere finds that, and signatures keep the copies honest.

The recipe, byte for byte. A chain's end is the canonical JSON of [tenant, meter, line, hash] and a
newline. `heads_hash` is the SHA-256 of all ends in order of (tenant, meter); `moved_hash` that of
the ends that are not those of the checkpoint before. `hash` is the SHA-256 of the canonical JSON
of the object of all fields but `hash`, `key_id` and `signature`, the times as RFC 3339 text. What
is signed is `tallystick checkpoint ` and that hash, in ASCII. Each names the hash of the one
before it, so that one true signature vouches for all that lie before.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final, Protocol

from tallystick.domain.event import canonical_json
from tallystick.domain.instant import floor_hour, format_instant, parse_instant
from tallystick.domain.ledger import GENESIS

FORMAT: Final = 1
"""Of the recipe; a file says which it was made by."""

Chain = tuple[str, str]
"""(tenant, meter)."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9+/]{86}==")
_UNHASHED: Final = frozenset({"hash", "key_id", "signature"})
_INSTANTS: Final = frozenset({"taken_at", "watermark"})
_HASHES: Final = ("heads_hash", "moved_hash", "previous_hash", "hash")


class Signer(Protocol):
    """Somebody's private key. `key_id` tells keys apart, and nothing about them."""

    @property
    def key_id(self) -> str: ...

    def sign(self, message: bytes) -> str: ...


class Verdict(StrEnum):
    """What there is to say of a signature."""

    TRUE = "true"
    UNSIGNED = "unsigned"
    FOREIGN = "foreign"
    """By a key that is none of those we know."""
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last line of a (tenant, meter)'s chain."""

    tenant: str
    meter: str
    line: int
    hash: str

    @property
    def chain(self) -> Chain:
        return self.tenant, self.meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One of a store's, counted from 1. `chains` and `moved` count the two kinds of ends.

    `watermark` is up to when the hours are sealed, but for what came late; `incarnation` the
    store's. Unsigned where `signature` is ''.
    """

    number: int
    taken_at: int
    watermark: int
    incarnation: str
    chains: int
    heads_hash: str
    moved: int
    moved_hash: str
    previous_hash: str
    hash: str = ""
    key_id: str = ""
    signature: str = ""

    def __str__(self) -> str:
        return f"checkpoint {self.number} of {format_instant(self.taken_at)}"

    @property
    def message(self) -> bytes:
        """What is signed."""
        return f"tallystick checkpoint {self.hash}".encode()


@dataclass(frozen=True, slots=True)
class Taken:
    """A checkpoint with the ends that moved; None where they were left out of a copy."""

    checkpoint: Checkpoint
    moved: tuple[ChainEnd, ...] | None = None


class _Digest:
    """The running hash of chain ends."""

    def __init__(self) -> None:
        self.count = 0
        self._sha = hashlib.sha256()

    def add(self, end: ChainEnd) -> None:
        line = canonical_json((end.tenant, end.meter, end.line, end.hash))
        self._sha.update(line.encode("utf-8", "surrogatepass") + b"\n")
        self.count += 1

    def __str__(self) -> str:
        return self._sha.hexdigest()


def hash_of_ends(ends: Iterable[ChainEnd]) -> str:
    digest = _Digest()
    for end in ends:
        digest.add(end)
    return str(digest)


def hash_of_checkpoint(checkpoint: Checkpoint) -> str:
    told = {n: v for n, v in _told(checkpoint).items() if n not in _UNHASHED}
    return hashlib.sha256(canonical_json(told).encode("utf-8", "surrogatepass")).hexdigest()


def _told(checkpoint: Checkpoint) -> dict[str, object]:
    told: dict[str, object] = {"format": FORMAT}
    for one in fields(checkpoint):
        value = getattr(checkpoint, one.name)
        told[one.name] = format_instant(value) if one.name in _INSTANTS else value
    return told


def is_due(last: Checkpoint | None, now: int) -> bool:
    """Whether an hour began since the last one was taken."""
    return last is None or floor_hour(now) > floor_hour(last.taken_at)


def taken(
    ends: Iterable[tuple[ChainEnd, str]],
    last: Checkpoint | None,
    *,
    now: int,
    watermark: int,
    incarnation: str,
    signer: Signer | None,
) -> Taken:
    """The checkpoint after `last`, of ends in order of chain.

    With each end comes the hash that the last checkpoint has for its chain ('' for a new one).
    """
    heads, moved_digest, moved = _Digest(), _Digest(), list[ChainEnd]()
    for end, covered_hash in ends:
        heads.add(end)
        if end.hash != covered_hash:
            moved_digest.add(end)
            moved.append(end)
    unsigned = Checkpoint(
        number=last.number + 1 if last else 1,
        taken_at=now,
        watermark=watermark,
        incarnation=incarnation,
        chains=heads.count,
        heads_hash=str(heads),
        moved=len(moved),
        moved_hash=str(moved_digest),
        previous_hash=last.hash if last else GENESIS,
    )
    hashed = replace(unsigned, hash=hash_of_checkpoint(unsigned))
    if signer is not None:
        hashed = replace(hashed, key_id=signer.key_id, signature=signer.sign(hashed.message))
    return Taken(hashed, tuple(moved))


# ── The text that is kept elsewhere ───────────────────────────────────────────────────────────────


def line_of(one: Taken) -> dict[str, object]:
    """The object of one line of a file of checkpoints."""
    if one.moved is None:
        return _told(one.checkpoint)
    heads = [[end.tenant, end.meter, end.line, end.hash] for end in one.moved]
    return {**_told(one.checkpoint), "heads": heads}


def checkpoint_of(found: object) -> Taken:
    """What `line_of` told. Raises ValueError with what is wrong; nothing is verified here."""
    names = {one.name: one.type for one in fields(Checkpoint)}
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"not a checkpoint of format {FORMAT}")
    if set(found) - {"heads"} != {"format", *names}:
        raise ValueError("a checkpoint has other fields")
    values: dict[str, int | str] = {}
    for name in names:
        values[name] = _value(name, found[name])
    _check_texts(values)
    return Taken(Checkpoint(**values), _ends(found.get("heads")))  # type: ignore[arg-type]


_COUNTS: Final = frozenset({"number", "chains", "moved"})


def _value(name: str, value: object) -> int | str:
    if name in _COUNTS:
        if type(value) is not int or not 0 <= value < 2**63:
            raise ValueError(f"{name} must be a whole number")
        return value
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return parse_instant(value) if name in _INSTANTS else value


def _check_texts(values: Mapping[str, int | str]) -> None:
    for name in _HASHES:
        if not _HASH.fullmatch(str(values[name])):
            raise ValueError(f"{name} must be 64 hex digits")
    is_signed = _KEY_ID.fullmatch(str(values["key_id"])) and _SIGNATURE.fullmatch(
        str(values["signature"])
    )
    if not is_signed and (values["key_id"] or values["signature"]):
        raise ValueError("key_id and signature are not those of a signed checkpoint")


def _ends(found: object) -> tuple[ChainEnd, ...] | None:
    if found is None:
        return None
    if not isinstance(found, list):
        raise ValueError("heads must be a list")
    return tuple(map(_end, found))


def _end(found: object) -> ChainEnd:
    match found:
        case [str(tenant), str(meter), int(line), str(hash_)] if type(line) is int:
            if 1 <= line < 2**63 and _HASH.fullmatch(hash_):
                return ChainEnd(tenant, meter, line, hash_)
    raise ValueError("each of heads must be [tenant, meter, line, hash]")
