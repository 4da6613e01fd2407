"""Where everything lies in the one table, as one table.

    data_type (partition)              sub_type (sort)             what it is
    ---------------------------------- --------------------------- ---------------------------------
    event DIGEST                       event                       an event, what it added, and who
                                                                   voids it (maybe before it came)
    log TENANT                         TIME NUMBER WRITER          the digests of events that were
                                                                   recorded together
    aggregate TENANT METER             GROUP START END             an Aggregate; whose turn to write
                                                                   to it has come
    changes DIGEST-OF-AGGREGATE        LAST-POSITION               a chunk of its changes: the
                                                                   digests of their events
    member DIGEST-OF-AGGREGATE         DIGEST-OF-MEMBER            live contributions of a member
    groups TENANT METER START END      groups                      dimension sets kept apart
    ledger TENANT METER                head                        the end of the chain
                                       line LINE                   an Entry
                                       last GROUP START END        the last Entry of a key
                                       balance GROUP START END     a series' sums in a period
                                       placed GROUP START END LINE an Entry with allocations, by
                                                                   series and period
    slot ROUTE ACCOUNT DEST. COUNTER   START                       a slot
    slot-entries DIGEST-OF-SLOT        VERSION                     the Entry that made it so
    publications ROUTE … COUNTER       START REVISION              a publication
    publication IDENTIFIER             publication                 where that publication lies
    catalog                            state                       its revision; the audit's length
    tenants, meters, switches, audit   ID …                        the catalog, a row each
    mappings TENANT                    FROM METER GROUP            a mapping's version
    errands                            NUMBER                      what a mapping left to do
    key ID; key-digest DIGEST          key                         an API key; which has the digest
    keys MAKER                         NUMBER                      who made which keys
    token-expiries                     EXPIRY ID                   when tokens end
    letter DIGEST                      letter                      a dead letter
                                       part NUMBER                 a part of a long one
    letters                            NUMBER                      their order
    letters WISH                       NUMBER                      those that wait for a tenant or
                                                                   a code, so that a replay when it
                                                                   appears reads no others
    checkpoints                        NUMBER                      a checkpoint
    moved HASH                         TENANT METER                an end that moved by it
    counter                            letters, checkpoints        the last number that was given
    directory logs|chains|slots        the partition's own name    which partitions there are
    directory slots DESTINATION        the same                    those of one destination
    store                              incarnation                 the store's name among its copies

An event is found by the digest of its key, so that events spread evenly over partitions. What is
due carries `due_in` (one of a few fixed partitions) and `due_at` (when, then the key) and so stands
in the sparse, keys-only index `due`. Names are joined by a character that sorts before every other,
so that the order of keys is the order of their parts.
"""

import hashlib
import zlib
from typing import Final

from tallystick.domain.aggregate import AggregateKey
from tallystick.domain.slot import PARTITIONS, SlotKey
from tallystick.domain.window import Window

PARTITION: Final = "data_type"
SORT: Final = "sub_type"
DUE_INDEX: Final = "due"
DUE_IN: Final = "due_in"
DUE_AT: Final = "due_at"

SEPARATOR: Final = "\x01"
AFTER_ALL_NAMES: Final = "\x02"
"""Sorts after the separator, and so after every key that begins with the instant before it."""

_ESCAPES: Final = str.maketrans({"\x00": "\x02\x10", "\x01": "\x02\x11", "\x02": "\x02\x12"})
_INSTANT_DIGITS: Final = 19
_INSTANT_OFFSET: Final = 2**62
_NAME_BYTES_MAX: Final = 600
"""A sort key holds 1,024 bytes. A longer name keeps its beginning, then its digest."""

RANK_BYTES_MAX: Final = 960
"""What is left of a sort key of the index behind an instant."""

Place = tuple[str, str]
"""(data_type, sub_type)."""


def joined(*parts: str | int) -> str:
    """One text whose order is that of the parts, code point by code point."""
    return SEPARATOR.join(
        _ordered(part) if isinstance(part, int) else _name(part) for part in parts
    )


def _ordered(number: int) -> str:
    return f"{number + _INSTANT_OFFSET:0{_INSTANT_DIGITS}d}"


def _name(text: str) -> str:
    # Half a surrogate pair has no bytes; only a cursor that nobody gave can hold one.
    name = text.translate(_ESCAPES)
    told = name.encode("utf-8", "replace")
    if len(told) <= _NAME_BYTES_MAX:
        return told.decode()
    return told[:_NAME_BYTES_MAX].decode("utf-8", "ignore") + SEPARATOR + digest_of(text)


def digest_of(*parts: str | int) -> str:
    """32 hex digits that stand for the parts (128 bits of SHA-256 over their joined lengths)."""
    told = b"".join(
        b"%d:%s" % (len(encoded), encoded)
        for encoded in (str(part).encode("utf-8", "surrogatepass") for part in parts)
    )
    return hashlib.sha256(told).hexdigest()[:32]


def spread(rank: str) -> int:
    """The number of a partition of the index for what has none of its own."""
    return zlib.crc32(rank.encode()) % PARTITIONS


def due_partition(kind: str, number: int) -> str:
    return joined(kind, str(number))


def due_partitions(kind: str) -> tuple[str, ...]:
    return tuple(due_partition(kind, number) for number in range(PARTITIONS))


def event_place(digest: str) -> Place:
    return (joined("event", digest), "event")


def event_digest(tenant: str, key: str) -> str:
    return digest_of(tenant, key)


def log_partition(tenant: str) -> str:
    return joined("log", tenant)


def aggregate_partition(tenant: str, meter: str) -> str:
    return joined("aggregate", tenant, meter)


def aggregate_place(key: AggregateKey) -> Place:
    sort = joined(key.group, key.window.start, key.window.end)
    return (aggregate_partition(key.tenant, key.meter), sort)


def aggregate_rank(key: AggregateKey) -> str:
    """Its place among all Aggregates, within what a sort key can hold beside an instant."""
    name = joined(key.tenant, key.meter, key.group, key.window.start, key.window.end)
    return _bounded(name, aggregate_digest(key))


def _bounded(rank: str, digest: str) -> str:
    told = rank.encode()
    if len(told) <= RANK_BYTES_MAX:
        return rank
    return told[: RANK_BYTES_MAX - 64].decode("utf-8", "ignore") + SEPARATOR + digest


def aggregate_digest(key: AggregateKey) -> str:
    return digest_of(key.tenant, key.meter, key.group, key.window.start, key.window.end)


def changes_partition(key: AggregateKey) -> str:
    return joined("changes", aggregate_digest(key))


def member_place(key: AggregateKey, member: str) -> Place:
    return (joined("member", aggregate_digest(key)), digest_of(member))


def groups_place(tenant: str, meter: str, window: Window) -> Place:
    return (joined("groups", tenant, meter, window.start, window.end), "groups")


def ledger_partition(tenant: str, meter: str) -> str:
    return joined("ledger", tenant, meter)


def head_place(tenant: str, meter: str) -> Place:
    return (ledger_partition(tenant, meter), "head")


def line_place(tenant: str, meter: str, line: int) -> Place:
    return (ledger_partition(tenant, meter), joined("line", line))


def last_place(key: AggregateKey) -> Place:
    sort = joined("last", key.group, key.window.start, key.window.end)
    return (ledger_partition(key.tenant, key.meter), sort)


def balance_place(key: AggregateKey, period: Window) -> Place:
    sort = joined("balance", key.group, period.start, period.end)
    return (ledger_partition(key.tenant, key.meter), sort)


def placed_prefix(group: str, period: Window) -> str:
    return joined("placed", group, period.start, period.end) + SEPARATOR


def placed_place(key: AggregateKey, period: Window, line: int) -> Place:
    sort = placed_prefix(key.group, period) + joined(line)
    return (ledger_partition(key.tenant, key.meter), sort)


def slot_series(key: SlotKey) -> str:
    """All slots of one destination and counter, as the directory names them."""
    return joined(key.route, key.account, key.destination, key.counter)


def slot_place(key: SlotKey) -> Place:
    return (joined("slot") + SEPARATOR + slot_series(key), joined(key.start))


def slot_rank(key: SlotKey) -> str:
    """Its place among all slots, within what a sort key can hold beside an instant."""
    return _bounded(slot_series(key) + SEPARATOR + joined(key.start), slot_digest(key))


def slot_digest(key: SlotKey) -> str:
    return digest_of(key.route, key.account, key.destination, key.counter, key.start)


def slot_entries_partition(key: SlotKey) -> str:
    return joined("slot-entries", slot_digest(key))


def publication_place(slot: SlotKey, revision: int) -> Place:
    return (joined("publications") + SEPARATOR + slot_series(slot), joined(slot.start, revision))


def identifier_place(identifier: str) -> Place:
    return (joined("publication", identifier), "publication")


def directory_partition(kind: str, *listed: str) -> str:
    return joined("directory", kind, *listed)
