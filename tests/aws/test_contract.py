"""The DynamoDB store, held to every promise."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tallystick.ports import Store
from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing.contract import StoreContract
from tests.aws.conftest import client_of


def opened(endpoint: str, name: str, incarnation: str) -> DynamoStore:
    return DynamoStore.open(
        client_of(endpoint),
        name,
        incarnation=incarnation,
        writer=uuid4().hex,
        chance=random.SystemRandom().random,
    )


@pytest.mark.aws
class TestDynamoStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _running(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def make_store(self, folder: Path) -> DynamoStore:
        name = f"tally-{uuid4().hex}"
        DynamoStore.create_table(client_of(self.endpoint), name)
        return opened(self.endpoint, name, "first")

    def opener(self, store: Store) -> Callable[[], Store]:
        assert isinstance(store, DynamoStore)
        return partial(opened, self.endpoint, store.table_name, "another")

    def damage(self, store: Store) -> None:
        assert isinstance(store, DynamoStore)
        client_of(self.endpoint).delete_table(TableName=store.table_name)
