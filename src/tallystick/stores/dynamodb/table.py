"""The table: what may be asked of DynamoDB here, and what its errors mean.

Reads are consistent and follow pages to the end. Writes of several items are one transaction each,
on the condition of what was read; the driver sends it with a token, so that an answer that was lost
is asked for again without a second effect. What was turned away (rate, a transaction on the same
item) is tried again with jitter, up to a limit; then the store is unavailable.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from tallystick.domain.errors import InvariantViolated, StoreUnavailable
from tallystick.stores.dynamodb.layout import DUE_AT, DUE_IN, DUE_INDEX, PARTITION, SORT, Place
from tallystick.stores.dynamodb.pausing import Pausing

Attribute = str | int | bytes
Item = dict[str, Attribute]

TRANSACTION_ITEMS_MAX: Final = 100
BATCH_GET_MAX: Final = 100
FEW_MAX: Final = 2_000
"""Beyond this a page of AWS's (1 MB) is asked for as it comes."""

TRIES_MAX: Final = 40
_PASSING: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)
_RETRIED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "InternalServerError",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One item of a transaction: `put` replaces it whole, `deletes` takes it away, else `sets` and
    `removes` change it.

    `expect` is the condition: each attribute has this value, or (None) is not there.
    """

    place: Place
    put: Mapping[str, Attribute] | None = None
    deletes: bool = False
    sets: Mapping[str, Attribute] = field(default_factory=dict)
    removes: Sequence[str] = ()
    expect: Mapping[str, Attribute | None] = field(default_factory=dict)


class Refused(Exception):
    """A transaction whose conditions did not hold; nothing of it was done.

    `found` has, for each write that failed, the item that stands there (None where there is none).
    """

    def __init__(self, found: dict[int, Item | None]) -> None:
        super().__init__(f"{len(found)} conditions did not hold")
        self.found = found


class NoSuchTable(StoreUnavailable):
    """There is no table of this name, for these credentials, in this region."""


Answer = dict[str, Any]
"""What the driver returns: JSON as AWS documents it for each call."""


class Client(Protocol):
    """What is asked of boto3's client for DynamoDB, with the arguments that AWS documents."""

    def get_item(self, **asked: object) -> Answer: ...
    def batch_get_item(self, **asked: object) -> Answer: ...
    def query(self, **asked: object) -> Answer: ...
    def put_item(self, **asked: object) -> Answer: ...
    def update_item(self, **asked: object) -> Answer: ...
    def delete_item(self, **asked: object) -> Answer: ...
    def transact_write_items(self, **asked: object) -> Answer: ...


class Table:
    """One DynamoDB table, by its client."""

    def __init__(self, client: Client, name: str, pausing: Pausing) -> None:
        self._client = client
        self.name = name
        self._pausing = pausing
        self._is_closed = False

    def close(self) -> None:
        self._is_closed = True

    def get(self, place: Place) -> Item | None:
        answer = self._ask(self._client.get_item, Key=_key(place), ConsistentRead=True)
        return _item(answer["Item"]) if "Item" in answer else None

    def get_all(self, places: Sequence[Place]) -> dict[Place, Item]:
        """Those of the items that are there."""
        found: dict[Place, Item] = {}
        distinct = list(dict.fromkeys(places))
        for start in range(0, len(distinct), BATCH_GET_MAX):
            wanted: list[Any] = [_key(place) for place in distinct[start : start + BATCH_GET_MAX]]
            for turn in range(TRIES_MAX):
                asked = {self.name: {"Keys": wanted, "ConsistentRead": True}}
                answer = self._ask(self._client.batch_get_item, named=False, RequestItems=asked)
                for told in answer["Responses"].get(self.name, ()):
                    item = _item(told)
                    found[place_of(item)] = item
                wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not wanted:
                    break
                self._pausing.pause(turn)
            else:
                raise self._unavailable("did not hand out all that was asked for")
        return found

    def query(
        self, partition: str, *, after: str = "", before: str = "", prefix: str = "", few: int = 0
    ) -> Iterator[Item]:
        """The partition's items by sort key: those past `after`, below `before`, or of a prefix.

        `few` are asked for at first, and twice as many each time after: what a page of AWS's holds
        is paid for, also where only its beginning is wanted.
        """
        if prefix and after:
            # A prefix and a place within it: the keys from there to the prefix's end.
            before = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            prefix = ""
        names = {"#p": PARTITION}
        values: dict[str, Attribute] = {":p": partition}
        condition = "#p = :p"
        if prefix or after or before:
            names["#s"] = SORT
        if prefix:
            condition += " AND begins_with(#s, :s)"
            values[":s"] = prefix
        elif after and before:
            condition += " AND #s BETWEEN :s AND :e"
            values |= {":s": after, ":e": before}
        elif after:
            condition += " AND #s > :s"
            values[":s"] = after
        elif before:
            condition += " AND #s < :e"
            values[":e"] = before
        for item in self._pages(condition, names, values, few=few):
            # BETWEEN takes both ends; neither is wanted.
            if item[SORT] not in (after, before) or not after:
                yield item

    def due(
        self, partition: str, *, after: str, before: str, few: int
    ) -> Iterator[tuple[str, Place]]:
        """(due_at, place) of what is due in one partition of the index, past `after`; `few` as
        above."""
        names = {"#p": DUE_IN, "#s": DUE_AT}
        values: dict[str, Attribute] = {":p": partition, ":s": after or " ", ":e": before}
        condition = "#p = :p AND #s BETWEEN :s AND :e"
        for item in self._pages(condition, names, values, index=DUE_INDEX, few=few):
            if item[DUE_AT] != after:
                yield str(item[DUE_AT]), place_of(item)

    def write(self, writes: Sequence[Write]) -> None:
        """All of it or, on Refused and StoreUnavailable, nothing that is not repeatable."""
        if not writes:
            return
        if len(writes) > TRANSACTION_ITEMS_MAX:
            # AGGREGATES_MAX and ALLOCATIONS_MAX keep every write below.
            raise InvariantViolated(f"{len(writes)} items are too many for one transaction")
        told = [self._told(write) for write in writes]
        self._ask(self._client.transact_write_items, named=False, TransactItems=told)

    def put(self, write: Write) -> None:
        """One item, whatever stood there."""
        told = self._told(write)["Put"]
        self._ask(self._client.put_item, named=False, **told)

    def delete(self, place: Place) -> None:
        self._ask(self._client.delete_item, Key=_key(place))

    def counted(self, place: Place, by: int) -> int:
        """The counter after it was raised. A lost answer leaves a gap in the numbers."""
        answer = self._ask(
            self._client.update_item,
            Key=_key(place),
            UpdateExpression="ADD #n :by",
            ExpressionAttributeNames={"#n": "number"},
            ExpressionAttributeValues=_told_item({":by": by}),
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["number"]["N"])

    def raised(self, place: Place, counter: str) -> Item:
        """The item after one of its counters was raised by one. A lost answer leaves a gap."""
        answer = self._ask(
            self._client.update_item,
            Key=_key(place),
            UpdateExpression="ADD #n :by",
            ExpressionAttributeNames={"#n": counter},
            ExpressionAttributeValues=_told_item({":by": 1}),
            ReturnValues="ALL_NEW",
        )
        return _item(answer["Attributes"])

    def _told(self, write: Write) -> dict[str, Any]:
        names: dict[str, str] = {}
        values: dict[str, Attribute] = {}

        def name(attribute: str) -> str:
            names[f"#a{len(names)}"] = attribute
            return f"#a{len(names) - 1}"

        def value(told: Attribute) -> str:
            values[f":v{len(values)}"] = told
            return f":v{len(values) - 1}"

        conditions = [
            f"attribute_not_exists({name(attribute)})"
            if told is None
            else f"{name(attribute)} = {value(told)}"
            for attribute, told in write.expect.items()
        ]
        asked: dict[str, Any] = {"TableName": self.name}
        if conditions:
            asked["ConditionExpression"] = " AND ".join(conditions)
            asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if write.deletes:
            kind = "Delete"
            asked["Key"] = _key(write.place)
        elif write.put is not None:
            kind = "Put"
            asked["Item"] = _told_item(
                {**write.put, PARTITION: write.place[0], SORT: write.place[1]}
            )
        else:
            kind = "Update"
            sets = ", ".join(f"{name(a)} = {value(told)}" for a, told in write.sets.items())
            removes = ", ".join(name(attribute) for attribute in write.removes)
            parts = ([f"SET {sets}"] if sets else []) + ([f"REMOVE {removes}"] if removes else [])
            asked |= {"Key": _key(write.place), "UpdateExpression": " ".join(parts)}
        if names:
            asked["ExpressionAttributeNames"] = names
        if values:
            asked["ExpressionAttributeValues"] = _told_item(values)
        return {kind: asked}

    def _pages(
        self,
        condition: str,
        names: dict[str, str],
        values: dict[str, Attribute],
        *,
        index: str = "",
        few: int = 0,
    ) -> Iterator[Item]:
        # An index has no consistent reads.
        whence = {"IndexName": index} if index else {"ConsistentRead": True}
        onward: dict[str, Any] = {}
        while True:
            if 0 < few <= FEW_MAX:
                onward["Limit"] = few
            answer = self._ask(
                self._client.query,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=_told_item(values),
                **whence,
                **onward,
            )
            yield from map(_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            onward = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            few *= 2

    def _ask(self, call: Callable[..., Answer], *, named: bool = True, **asked: object) -> Answer:
        """The answer, after as many tries as it takes. Raises Refused and StoreUnavailable."""
        if named:
            asked["TableName"] = self.name
        for turn in range(TRIES_MAX):
            if self._is_closed:
                raise StoreUnavailable("the store is closed")
            try:
                return call(**asked)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    raise NoSuchTable(f"there is no DynamoDB table {self.name}") from error
                if not self._may_retry(error):
                    raise self._unavailable(f"answered: {error}") from error
            except BotoCoreError as error:
                raise self._unavailable(f"cannot be reached: {error}") from error
            self._pausing.pause(turn)
        raise self._unavailable("is busy: it turned us away too many times; try again")

    def _may_retry(self, error: ClientError) -> bool:
        code = error.response["Error"]["Code"]
        if code != "TransactionCanceledException":
            return code in _RETRIED
        response: dict[str, Any] = dict(error.response)
        reasons = response.get("CancellationReasons", [])
        failed = {
            place: _item(reason["Item"]) if reason.get("Item") else None
            for place, reason in enumerate(reasons)
            if reason.get("Code") == "ConditionalCheckFailed"
        }
        if failed:
            raise Refused(failed) from error
        return all(reason.get("Code", "None") in _PASSING for reason in reasons)

    def _unavailable(self, what: str) -> StoreUnavailable:
        return StoreUnavailable(f"the DynamoDB table {self.name} {what}")


def place_of(item: Item) -> Place:
    return (str(item[PARTITION]), str(item[SORT]))


def _key(place: Place) -> dict[str, Any]:
    return {PARTITION: {"S": place[0]}, SORT: {"S": place[1]}}


def _told_item(item: Mapping[str, Attribute]) -> dict[str, Any]:
    return {name: _told_attribute(value) for name, value in item.items()}


def _told_attribute(value: Attribute) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _item(told: Mapping[str, Mapping[str, Any]]) -> Item:
    item: Item = {}
    for name, typed in told.items():
        ((kind, value),) = typed.items()
        item[name] = int(value) if kind == "N" else value
    return item
