"""The client, the real server, and what happens to processes: down, killed, forked, ended."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.client import Client, Limits
from tallystick.client.spool_lines import read_lines
from tallystick.entrypoints.cli import main
from tests.client.service import PATIENCE, QUICK, until
from tests.http.served import serving
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
KEY = "tally_a_key_that_nobody_asks_for"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the tenant 'acme' and the meter 'requests' in its store."""
    url = f"sqlite:///{tmp_path / 'tally.db'}"
    assert main(["tenants", "add", "acme", "--store", url]) == 0
    assert main(["meters", "add", "requests", "--store", url]) == 0
    return tmp_path


def stored(folder: Path) -> list[str]:
    """The keys of the events that count, each as often as it does."""
    store = open_store(f"sqlite:///{folder / 'tally.db'}")
    keys = [event.key for event in store.events.events("acme", limit=100_000).elements]
    (total,) = [
        a.value for a in store.events.aggregates(tenant="acme").elements if not a.key.group
    ] or [0]
    store.close()
    assert total == len(keys)
    return keys


def run_client(program: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that reports usage."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


def sent_by_heir(folder: Path, spool: Path, port: int, key: str, count: int) -> None:
    """What others left in the spool is sent by the next client there."""
    with Client(f"http://127.0.0.1:{port}", key, spool=spool, limits=QUICK) as heir:
        heir.flush(0)
        until(lambda: heir.stats.delivered == count)
    assert list(spool.iterdir()) == []


def test_a_server_that_is_down_at_the_start_gets_everything_when_it_is_up(folder: Path):
    with serving(folder, port=free_port()) as first:
        key, port = first.key, first.port
    client = Client(f"http://127.0.0.1:{port}", key, spool=folder / "spool", limits=QUICK)
    keys = [client.record("acme", "requests") for _ in range(500)]
    until(lambda: client.stats.failures)
    assert client.stats.delivered == 0

    with serving(folder, port=port):
        assert client.flush(PATIENCE)
        assert client.close(PATIENCE)

    assert sorted(stored(folder)) == sorted(keys)


@pytest.mark.kill
def test_nothing_is_lost_or_doubled_while_the_server_is_killed_again_and_again(folder: Path):
    with serving(folder, port=free_port()) as first:
        key, port = first.key, first.port
    limits = replace(QUICK, batch_events=20, backoff_max_seconds=0.05, backoff_first_seconds=0.01)
    client = Client(f"http://127.0.0.1:{port}", key, spool=folder / "spool", limits=limits)
    keys: list[str] = []
    for round_ in range(5):
        with serving(folder, port=port) as served:
            goal = client.stats.delivered + 100
            while client.stats.delivered < goal:
                keys += [client.record("acme", "requests") for _ in range(50)]
                client.flush(0.01)
            served.end(signal.SIGKILL if round_ % 2 else signal.SIGTERM)
    with serving(folder, port=port):
        assert client.close(PATIENCE)

    assert sorted(stored(folder)) == sorted(keys)
    assert client.stats.delivered == len(keys)


SPOOLS_AND_DIES = """
    import os, signal, sys
    from tallystick.client import Client, Limits

    url, key, spool = sys.argv[1:]
    limits = Limits(linger_seconds=0, interval_seconds=0, memory_bytes=10**9)
    client = Client(url, key, spool=spool, limits=limits)
    while True:
        print(client.record("acme", "requests"), flush=True)
"""


@pytest.mark.kill
def test_after_a_kill_exactly_what_was_spooled_is_sent_and_nothing_twice(folder: Path):
    spool = folder / "spool"
    for _ in range(3):
        process = run_client(SPOOLS_AND_DIES, f"http://127.0.0.1:{free_port()}", KEY, spool)
        assert process.stdout is not None
        recorded = [process.stdout.readline().strip() for _ in range(2_000)]
        process.kill()
        recorded += process.communicate()[0].split()
    contents = [read_lines(path.read_bytes()) for path in sorted(spool.glob("*.events"))]
    spooled = [event for content in contents for event in content.events]
    assert spooled

    with serving(folder) as served:
        sent_by_heir(folder, spool, served.port, served.key, len(spooled))

    found = stored(folder)
    assert len(found) == len(set(found)) == len(spooled)
    assert all(f'"key":"{key}"'.encode() in b"".join(spooled) for key in found)


def test_a_process_that_ends_by_itself_sends_first(folder: Path):
    with serving(folder) as served:
        program = """
            import sys
            from tallystick.client import Client
            client = Client(sys.argv[1], sys.argv[2], spool=None)
            for _ in range(100):
                client.record("acme", "requests")
        """
        process = run_client(program, f"http://127.0.0.1:{served.port}", served.key)
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, "")
    assert len(stored(folder)) == 100


def test_a_process_that_ends_while_the_server_is_away_leaves_all_of_it_in_the_spool(folder: Path):
    program = """
        import logging, sys
        from tallystick.client import Client
        logging.disable()
        client = Client(sys.argv[1], sys.argv[2], spool=sys.argv[3])
        for _ in range(100):
            client.record("acme", "requests")
    """
    spool = folder / "spool"
    process = run_client(program, f"http://127.0.0.1:{free_port()}", KEY, spool)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")

    with serving(folder) as served:
        sent_by_heir(folder, spool, served.port, served.key, 100)

    assert len(stored(folder)) == 100


def test_a_disk_that_takes_only_half_of_a_write_costs_nothing(folder: Path):
    """The kernel cuts the write off, as on a disk that becomes full."""
    program = """
        import resource, sys
        from tallystick.client import Client, Limits

        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, resource.RLIM_INFINITY))
        limits = Limits(linger_seconds=0.05, interval_seconds=0, spool_retry_seconds=0.05)
        with Client(*sys.argv[1:3], spool=sys.argv[3], limits=limits) as client:
            for _ in range(500):
                client.record("acme", "requests")
            assert client.flush(60)
        assert (client.stats.delivered, client.stats.damaged) == (500, 0), client.stats
    """
    spool = folder / "spool"
    with serving(folder) as served:
        process = run_client(program, f"http://127.0.0.1:{served.port}", served.key, spool)
        _, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, errors
    assert "File too large" in errors
    assert len(stored(folder)) == 500
    assert list(spool.iterdir()) == []


FORKS = """
    import os, sys, warnings
    from tallystick.client import Client

    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
    url, key, spool = sys.argv[1:]
    client = Client(url, key, spool=spool or None)
    for _ in range(40):
        client.record("acme", "requests")
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            assert client.stats.recorded == 0
            for _ in range(10):
                client.record("acme", "requests")
            sys.exit(0 if client.flush(60) else 1)
        children.append(child)
        client.record("acme", "requests")
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert codes == [0] * 4, codes
    assert client.flush(60)
    assert client.stats.duplicates == 0
"""


@pytest.mark.parametrize("with_spool", [True, False], ids=["spool", "memory"])
def test_parent_and_forked_children_send_each_event_once(with_spool: bool, folder: Path):  # noqa: FBT001
    with serving(folder) as served:
        spool = folder / "spool" if with_spool else ""
        process = run_client(FORKS, f"http://127.0.0.1:{served.port}", served.key, spool)
        _, errors = process.communicate(timeout=PATIENCE)

    assert (process.returncode, errors) == (0, "")
    assert len(stored(folder)) == 40 + 4 + 4 * 10
    assert not with_spool or list(Path(spool).iterdir()) == []


def test_several_processes_on_one_spool_do_not_send_each_others_events(folder: Path):
    program = """
        import sys
        from tallystick.client import Client, Limits
        limits = Limits(linger_seconds=0, interval_seconds=0, adopt_every_seconds=0)
        with Client(*sys.argv[1:3], spool=sys.argv[3], limits=limits) as client:
            for _ in range(300):
                client.record("acme", "requests")
                client.flush(0)
        print(client.stats.delivered, client.stats.duplicates, client.stats.adopted)
    """
    with serving(folder) as served:
        url, spool = f"http://127.0.0.1:{served.port}", folder / "spool"
        processes = [run_client(program, url, served.key, spool) for _ in range(4)]
        told = [process.communicate(timeout=PATIENCE)[0].split() for process in processes]

    assert sum(int(delivered) for delivered, _, _ in told) == 1_200
    assert [duplicates for _, duplicates, _ in told] == ["0"] * 4
    assert len(stored(folder)) == 1_200


def test_a_key_of_another_tenant_sets_aside_what_it_may_not_report(folder: Path, capsys):
    with serving(folder) as served:
        url = f"sqlite:///{folder / 'tally.db'}"
        assert main(["tenants", "add", "other", "--store", url]) == 0
        capsys.readouterr()
        bound = ["keys", "create", "--scope", "ingest", "--tenant", "acme", "--store", url]
        assert main(bound) == 0
        made = capsys.readouterr().out.strip()
        service = f"http://127.0.0.1:{served.port}"
        with Client(service, made, spool=folder / "spool", limits=QUICK) as client:
            for number in range(60):
                client.record("other" if number % 3 == 0 else "acme", "requests")
            assert client.flush(PATIENCE)
            assert (client.stats.delivered, client.stats.rejected) == (40, 20)

    assert len(stored(folder)) == 40


def test_a_timer_of_the_default_limits_delivers_without_flush(folder: Path):
    with serving(folder) as served:
        service = f"http://127.0.0.1:{served.port}"
        with Client(service, served.key, spool=folder / "spool", limits=Limits()) as client:
            client.record("acme", "requests")
            until(lambda: client.stats.delivered == 1)
