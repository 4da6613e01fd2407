"""The functions in this process, on the store that the commands beside them use."""

import logging
from collections.abc import Iterator

import pytest

from tallystick.entrypoints.aws.runtime import cold_start
from tallystick.entrypoints.logs import LOG
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
