"""The seven ports on one DynamoDB table."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tallystick.domain.backlog import Backlog
from tallystick.domain.errors import InvalidSetting, StoreUnavailable
from tallystick.domain.instant import LATEST
from tallystick.ports import Catalog, Checkpoints, DeadLetters, EventLog, Keys, Ledger, Outbox
from tallystick.stores.dynamodb.api_keys import DynamoKeys
from tallystick.stores.dynamodb.backlog import backlog_of
from tallystick.stores.dynamodb.catalog import DynamoCatalog
from tallystick.stores.dynamodb.checkpoints import DynamoCheckpoints
from tallystick.stores.dynamodb.errands import Errands
from tallystick.stores.dynamodb.event_logs import EventLogs
from tallystick.stores.dynamodb.events import DynamoEventLog
from tallystick.stores.dynamodb.layout import (
    DUE_AT,
    DUE_IN,
    DUE_INDEX,
    PARTITION,
    SORT,
    Place,
    joined,
)
from tallystick.stores.dynamodb.ledger import DynamoLedger
from tallystick.stores.dynamodb.letters import Letters
from tallystick.stores.dynamodb.listing import Directory
from tallystick.stores.dynamodb.outbox import DynamoOutbox
from tallystick.stores.dynamodb.pausing import Pausing
from tallystick.stores.dynamodb.table import Answer, Client, NoSuchTable, Refused, Table, Write

SENDS_MAX: Final = 5
"""How often the driver sends a request again by itself, with the same token."""

INCARNATION: Final[Place] = (joined("store"), "incarnation")

TABLE: Final = {
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in (PARTITION, SORT, DUE_IN, DUE_AT)
    ],
    "KeySchema": [
        {"AttributeName": PARTITION, "KeyType": "HASH"},
        {"AttributeName": SORT, "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DUE_INDEX,
            "KeySchema": [
                {"AttributeName": DUE_IN, "KeyType": "HASH"},
                {"AttributeName": DUE_AT, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
"""What the table must be, in the words of CreateTable."""


class TableMaker(Protocol):
    """What is asked of boto3's client to make a table."""

    def create_table(self, **asked: object) -> Answer: ...
    def get_waiter(self, waiter_name: str) -> Any: ...  # noqa: ANN401  # the driver has no types


class DynamoStore:
    """A store in one table. Any number of processes may work on it at once."""

    events: EventLog
    ledger: Ledger
    outbox: Outbox
    catalog: Catalog
    dead_letters: DeadLetters
    keys: Keys
    checkpoints: Checkpoints

    def __init__(self, table: Table, pausing: Pausing, writer: str) -> None:
        self._table = table
        logs = EventLogs(table, Directory(table, "logs"), writer)
        chains, slots = Directory(table, "chains"), Directory(table, "slots", listed_by=2)
        letters, errands = Letters(table), Errands(table, pausing)
        self.events = DynamoEventLog(table, logs, chains, letters, pausing)
        self.ledger = ledger = DynamoLedger(table, chains, slots, errands, pausing)
        self._marked_due = lambda cursor: ledger.marked_due(LATEST, cursor=cursor)
        self.outbox = DynamoOutbox(table, slots)
        self.catalog = DynamoCatalog(table, errands, pausing)
        self.dead_letters = letters
        self.keys = DynamoKeys(table, pausing)
        self.checkpoints = DynamoCheckpoints(table, chains)

    @classmethod
    def open(
        cls,
        client: Client,
        name: str,
        *,
        incarnation: str,
        writer: str,
        chance: Callable[[], float],
    ) -> "DynamoStore":
        """The store in a table that is there. Raises StoreUnavailable with what to do.

        `client` is boto3's for DynamoDB. `incarnation` becomes a new store's; one that exists
        keeps its own. `writer` is a name that no other opening has; `chance` gives numbers in
        [0, 1), to spread the pauses between tries.
        """
        pausing = Pausing(chance)
        table = Table(client, name, pausing)
        if table.get(INCARNATION) is None:
            first = Write(place=INCARNATION, put={"name": incarnation}, expect={"name": None})
            with suppress(Refused):  # it has one by now
                table.write([first])
        return cls(table, pausing, writer)

    @classmethod
    def connect(
        cls, name: str, *, region: str, incarnation: str, writer: str, chance: Callable[[], float]
    ) -> "DynamoStore":
        """The same, with a client of its own: keys, and the region where none is given, come from
        where AWS's tools look for them. Raises InvalidSetting where they find none, and where there
        is no such table."""
        steady = Config(retries={"mode": "standard", "max_attempts": SENDS_MAX})
        try:
            client = boto3.client("dynamodb", region_name=region or None, config=steady)
        except BotoCoreError as error:
            raise InvalidSetting(f"the DynamoDB table {name}: {error}") from error
        try:
            return cls.open(client, name, incarnation=incarnation, writer=writer, chance=chance)
        except NoSuchTable as error:
            raise InvalidSetting(
                f"{error} in {client.meta.region_name} for these credentials; the deployed stack's "
                "output StoreUrl says its name and its region"
            ) from error

    @staticmethod
    def create_table(client: TableMaker, name: str) -> None:
        """Make the table and wait until it is there. A deployment makes it by its template."""
        try:
            client.create_table(TableName=name, **TABLE)
            client.get_waiter("table_exists").wait(TableName=name)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailable(f"the DynamoDB table {name} cannot be made: {error}") from error

    @property
    def table_name(self) -> str:
        return self._table.name

    @property
    def incarnation(self) -> str:
        item = self._table.get(INCARNATION)
        if item is None:
            raise StoreUnavailable(f"the DynamoDB table {self._table.name} holds no store")
        return str(item["name"])

    def renew_incarnation(self, incarnation: str) -> None:
        self._table.put(Write(place=INCARNATION, put={"name": incarnation}))

    def backlog(self, now: int) -> Backlog:
        return backlog_of(self._marked_due, self.outbox, self.dead_letters, now)

    def close(self) -> None:
        self._table.close()
