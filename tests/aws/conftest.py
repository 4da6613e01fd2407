"""A DynamoDB to test against: AWS's own, as a Java program on this machine.

`make test-aws` fetches it. TALLYSTICK_TEST_DYNAMODB names another: 'ministack', which is started,
or the URL of one that runs already.
"""

import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from tallystick.stores.dynamodb import DynamoStore
from tests.aws.stack import emulator
from tests.ports import free_port

EMULATOR = Path("build/dynamodb-local")
JAVA = ("java", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar")
STARTED_WITHIN_SECONDS = 120


def client_of(endpoint: str) -> Any:
    """A client with keys that open nothing, so that no real account is ever asked."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  # an emulator takes any
        config=Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32),
    )


def store_through(sound: Any, client: Any) -> DynamoStore:
    """A store in a table of its own, made by a client that is sound and used through another."""
    name = f"tally-{uuid4().hex}"
    DynamoStore.create_table(sound, name)
    writer, chance = uuid4().hex, random.SystemRandom().random
    return DynamoStore.open(client, name, incarnation="here", writer=writer, chance=chance)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("TALLYSTICK_TEST_DYNAMODB")
    if given == "ministack":
        started = emulator.start(tmp_path_factory.mktemp("ministack"))
        yield started.endpoint
        started.stop()
        return
    if given:
        yield given
        return
    if not (EMULATOR / "DynamoDBLocal.jar").exists():
        pytest.fail("there is no DynamoDB to test against: run `make test-aws`")
    port = free_port()
    running = subprocess.Popen(
        [*JAVA, "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)],
        cwd=EMULATOR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, running)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=60)


def wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    """Until it takes connections."""
    end = time.monotonic() + STARTED_WITHIN_SECONDS
    while time.monotonic() < end:
        if running.poll() is not None:
            pytest.fail(f"DynamoDB Local ended with {running.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("DynamoDB Local did not start")
