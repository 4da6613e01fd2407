"""Our client, a bad network, and our server: every event is there, once, whatever went wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.client import Client, Limits
from tallystick.entrypoints.cli import main
from tallystick.testing.network import BadNetwork, Choice, Mishap, bad_network, drawn, listed
from tests.http.served import Served, serving

PATIENCE = 120.0
IMPATIENT = Limits(
    linger_seconds=0.01, interval_seconds=0.01, backoff_first_seconds=0.01, answer_seconds=0.5
)
"""A sound answer that takes longer, on a slow machine, is one more answer that is lost."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder / 'tally.db'}"
    assert main(["meters", "add", "requests", "--store", url]) == 0
    with serving(folder) as running:
        yield running


def client_through(network: BadNetwork, served: Served, spool: Path) -> Client:
    return Client(network.url, served.key, spool=spool, limits=IMPATIENT)


def new_tenant(served: Served, name: str) -> str:
    assert served.request("POST", "/api/v1/tenants", {"id": name})[0] == 201
    return name


def counted(served: Served, tenant: str) -> tuple[int, int]:
    """The events and the total."""
    store = open_store(served.url)
    found = store.events.aggregates(tenant=tenant, meter="requests").elements
    keys = [event.key for event in store.events.events(tenant, limit=10_000).elements]
    store.close()
    assert len(keys) == len(set(keys))
    return len(keys), int(sum(a.value for a in found if not a.key.group))


def reported(served: Served, tenant: str, choose: Choice, spool: Path, batches: int) -> BadNetwork:
    """Ten events a batch, 1 + 2 + … each a request of its own, through the network."""
    url = f"http://127.0.0.1:{served.port}"
    with bad_network(url, choose) as network, client_through(network, served, spool) as client:
        for number in range(10 * batches):
            client.record(tenant, "requests", number + 1)
            if number % 10 == 9:
                assert client.flush(PATIENCE)
        stats = client.stats
    assert (stats.delivered, stats.waiting) == (10 * batches, 0)
    assert (stats.dropped, stats.rejected, stats.conflicts, stats.dead_letters) == (0, 0, 0, 0)
    return network


@pytest.mark.parametrize("mishap", list(Mishap), ids=lambda m: m.name)
def test_every_event_counts_once_when_requests_are(mishap: Mishap, served: Served, tmp_path: Path):
    tenant = new_tenant(served, mishap.name.lower())

    network = reported(served, tenant, listed(mishap, mishap), tmp_path, 2)

    assert network.seen[:2] == [mishap, mishap]
    assert counted(served, tenant) == (20, 210)


@pytest.mark.parametrize("seed", range(4))
def test_every_event_counts_once_on_a_network_drawn_from(seed: int, served: Served, tmp_path: Path):
    tenant = new_tenant(served, f"seed-{seed}")

    network = reported(served, tenant, drawn(seed), tmp_path, 10)

    assert len(set(network.seen)) > 3
    assert counted(served, tenant) == (100, 5_050)


def test_a_seed_draws_the_same_mishaps_again():
    one, same, other = drawn(7), drawn(7), drawn(8)

    assert [one(n) for n in range(200)] == [same(n) for n in range(200)]
    assert [one(n) for n in range(200)] != [other(n) for n in range(200)]
    assert {one(n) for n in range(200)} == set(Mishap)
