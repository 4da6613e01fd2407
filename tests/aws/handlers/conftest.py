"""The functions in this process, on the store that the commands beside them use."""

import logging
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.entrypoints.logs import LOG
from tallystick.stores.dynamodb import DynamoStore
from tests.aws.conftest import client_of
from tests.aws.handlers.calls import Call
from tests.cli.conftest import billing, run, shop  # noqa: F401  # fixtures


@pytest.fixture
def call(monkeypatch, capsys) -> Iterator[Call]:
    """Calls functions that start cold in each test."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, LOG.level
    monkeypatch.setenv("TALLYSTICK_STACK", "test")
    cold_start.cache_clear()
    yield Call(capsys)
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    LOG.setLevel(before[2])
    cold_start.cache_clear()


@pytest.fixture
def memory(monkeypatch) -> None:
    monkeypatch.setenv("TALLYSTICK_STORE", "memory:")


@pytest.fixture
def table(endpoint: str, monkeypatch) -> Iterator[str]:
    """A table of this test's own, that functions, commands and scripts use."""
    name = f"functions-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    for setting, value in {
        "TALLYSTICK_STORE": f"dynamodb://{name}?region=us-east-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(setting, value)
    yield name
    client_of(endpoint).delete_table(TableName=name)
