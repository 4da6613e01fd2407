"""What requests to DynamoDB cost, in write and read units, by the rules that AWS documents.

`Metered` stands between a store and its client and counts each request by the items as they stand
before and after it, which it reads by calls of its own that are not counted:

- a write takes one unit for each KB of the larger of the item before and after, in a transaction
  two; what is cancelled is counted as if it had been done;
- an index takes one unit for each KB of an entry that appears, changes or goes, and two writes
  where an entry moves; nothing where what it holds of an item stays the same;
- a consistent read takes one unit for each 4 KB of an item, any other half a unit; a query those of
  all that it reads together; what is not there counts as 4 KB.

A size is that of the names and values, in UTF-8; a number takes a byte for two digits, and one.
(docs.aws.amazon.com/amazondynamodb/latest/developerguide/: read-write-operations.html,
CapacityUnitCalculations.html, GSI.html, transaction-apis.html)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from botocore.exceptions import ClientError

WRITE_BYTES: Final = 1_024
READ_BYTES: Final = 4_096
HALF: Final = Decimal("0.5")

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB tells it: by attribute, its type and its value."""

Answer = dict[str, Any]
Asked = dict[str, Any]
Call = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: its keys, and whether it holds all attributes or only keys."""

    name: str
    keys: tuple[str, ...]
    holds_all: bool = False


@dataclass(slots=True)
class Units:
    """What was asked, and what it cost: to the table, to the index, and for reading."""

    requests: Counter[str] = field(default_factory=Counter)
    table: Decimal = Decimal(0)
    index: Decimal = Decimal(0)
    reads: Decimal = Decimal(0)
    counted: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    """All of it by the kind of request, and what DynamoDB itself says of it."""

    @property
    def writes(self) -> Decimal:
        return self.table + self.index

    def plus(self, other: "Units") -> "Units":
        return Units(
            requests=self.requests + other.requests,
            table=self.table + other.table,
            index=self.index + other.index,
            reads=self.reads + other.reads,
            counted=self.counted + other.counted,
            told=self.told + other.told,
        )


class Metered:
    """A client for DynamoDB that counts what is asked of it about one table."""

    def __init__(self, client: object, table: str, keys: tuple[str, str], index: Index) -> None:
        self._client: Any = client
        self._table = table
        self._keys = keys
        self._index = index
        self.units = Units()

    def __getattr__(self, name: str) -> Call:
        if name not in _COUNTED:
            raise AttributeError(f"nothing is known of what {name} costs")
        count: Callable[[Call, Asked], Answer] = getattr(self, _COUNTED[name])

        def call(**asked: object) -> Answer:
            self.units.requests[name] += 1
            before = self.units.writes + self.units.reads
            answer = count(getattr(self._client, name), asked | CONSUMED)
            self.units.counted[name] += self.units.writes + self.units.reads - before
            self.units.told[name] += _consumed(answer)
            return answer

        return call

    def taken(self) -> Units:
        """What was counted since it was asked last."""
        units, self.units = self.units, Units()
        return units

    def _one(self, call: Call, asked: Asked) -> Answer:
        """One item."""
        key = self._key_of(asked)
        before = self._find([key])
        answer = call(**asked)
        self._count(before, self._find([key]), times=1)
        return answer

    def _transact(self, call: Call, asked: Asked) -> Answer:
        """Several items, twice each: once to prepare, once to commit."""
        writes = [next(iter(each.values())) for each in asked["TransactItems"]]
        keys = [self._key_of(write) for write in writes]
        before = self._find(keys)
        try:
            answer = call(**asked)
        except ClientError:
            wanted = [write.get("Item") for write in writes]
            self.units.table += 2 * sum(
                _units(max(_size(old), _size(new)), WRITE_BYTES)
                for old, new in zip(before, wanted, strict=True)
            )
            raise
        self._count(before, self._find(keys), times=2)
        return answer

    def _get(self, call: Call, asked: Asked) -> Answer:
        answer = call(**asked)
        share = 1 if asked.get("ConsistentRead") else HALF
        self.units.reads += share * _units(_size(answer.get("Item")), READ_BYTES)
        return answer

    def _get_batch(self, call: Call, asked: Asked) -> Answer:
        answer = call(**asked)
        items = answer["Responses"].get(self._table, [])
        missing = len(asked["RequestItems"][self._table]["Keys"]) - len(items)
        self.units.reads += missing + sum(_units(_size(item), READ_BYTES) for item in items)
        return answer

    def _query(self, call: Call, asked: Asked) -> Answer:
        answer = call(**asked)
        share = 1 if asked.get("ConsistentRead") else HALF
        self.units.reads += share * _units(sum(map(_size, answer["Items"])), READ_BYTES)
        return answer

    def _key_of(self, write: Asked) -> Asked:
        whole = write.get("Key") or write["Item"]
        return {name: whole[name] for name in self._keys}

    def _find(self, keys: list[Asked]) -> list[Item | None]:
        """The items as they stand now, uncounted."""
        asked = {self._table: {"Keys": keys, "ConsistentRead": True}}
        found = self._client.batch_get_item(RequestItems=asked)["Responses"][self._table]
        by_key = {tuple(item[name]["S"] for name in self._keys): item for item in found}
        return [by_key.get(tuple(key[name]["S"] for name in self._keys)) for key in keys]

    def _count(self, before: list[Item | None], after: list[Item | None], *, times: int) -> None:
        for old, new in zip(before, after, strict=True):
            self.units.table += times * _units(max(_size(old), _size(new)), WRITE_BYTES)
            self.units.index += _moved(self._entry(old), self._entry(new), self._index.keys)

    def _entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item."""
        if item is None or any(name not in item for name in self._index.keys):
            return None
        if self._index.holds_all:
            return item
        kept = {*self._index.keys, *self._keys}
        return {name: value for name, value in item.items() if name in kept}


CONSUMED: Final = {"ReturnConsumedCapacity": "TOTAL"}
_COUNTED: Final[Mapping[str, str]] = {
    "put_item": "_one",
    "update_item": "_one",
    "delete_item": "_one",
    "transact_write_items": "_transact",
    "get_item": "_get",
    "batch_get_item": "_get_batch",
    "query": "_query",
}
"""By what each kind of request is counted."""


def _moved(old: Item | None, new: Item | None, keys: Iterable[str]) -> int:
    """What an index writes where it held the one, and holds the other."""
    if old == new:
        return 0
    if old is None or new is None:
        return _units(_size(old or new), WRITE_BYTES)
    if all(old[name] == new[name] for name in keys):
        return _units(max(_size(old), _size(new)), WRITE_BYTES)
    return _units(_size(old), WRITE_BYTES) + _units(_size(new), WRITE_BYTES)


def _units(size: int, unit: int) -> int:
    return max(1, -(-size // unit))


def _size(item: Item | None) -> int:
    if item is None:
        return 0
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return -(-len(value.strip("-").replace(".", "")) // 2) + 1 + value.startswith("-")
    return 1 if kind == "BOOL" else len(value)


def _consumed(answer: Answer) -> Decimal:
    told = answer.get("ConsumedCapacity", [])
    each = told if isinstance(told, list) else [told]
    return sum((Decimal(str(one["CapacityUnits"])) for one in each), Decimal(0))
