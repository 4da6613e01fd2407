"""Simulated worlds on DynamoDB: the same seeds, the same promises. Short ones: each call is a
request over HTTP."""

import random
from collections.abc import Callable
from uuid import uuid4

import pytest

from tallystick.stores.dynamodb import DynamoStore
from tallystick.testing.simulation.plan import drawn_plan
from tallystick.testing.simulation.world import run_plan
from tests.aws.conftest import client_of

HOURS = 6
SEEDS = 8

pytestmark = pytest.mark.aws


def opener(endpoint: str, seed: int) -> Callable[[], DynamoStore]:
    """What opens a store of this world's own, as each worker that died does again."""
    name = f"world-{seed}-{uuid4().hex}"
    DynamoStore.create_table(client_of(endpoint), name)
    return lambda: DynamoStore.open(
        client_of(endpoint),
        name,
        incarnation=f"sim{seed}",
        writer=uuid4().hex,
        chance=random.SystemRandom().random,
    )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_world_keeps_every_promise_on_dynamodb(endpoint: str, seed: int):
    """At every step; and whoever died opens the table again."""
    opened = opener(endpoint, seed)
    plan = drawn_plan(seed, hours_max=HOURS)

    ran = run_plan(plan, opened(), opened)

    assert ran.events == run_plan(plan).events > 0
    assert ran.met["reopened"] == ran.met["crash"]
