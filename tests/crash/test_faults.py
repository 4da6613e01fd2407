"""What the server does while its disk, its file or its machine refuse it, and after they mend."""

import http.client
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from tallystick.stores.sqlite import SqliteStore
from tests.crash.checking import Found, look_at
from tests.crash.clients import Client, Load, ended, started
from tests.crash.company import now_by_the_clock, opened_company, url_of
from tests.crash.faults import BROKEN, FULL, READ_ONLY, UNSYNCED, faulty
from tests.http.served import PATIENCE_SECONDS, PROGRAM, STILL, Served, serving

UNAVAILABLE = 3
CONNECTIONS = 64
TRIES = 400
"""So many idle connections at most until no handle is left, and requests until some are again."""

FEW_FILES = f"""
import resource
from tallystick.entrypoints.http import server
from tallystick.stores.sqlite import connection
resource.setrlimit(resource.RLIMIT_NOFILE, ({CONNECTIONS}, {CONNECTIONS}))
server.HEADER_SECONDS = 600
connection.READERS_IDLE_MAX = 0
"""
"""The idle are not sent away, and each reading opens the file anew."""

SMALL_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
"""
IMPATIENT_STORE = """
from tallystick.stores.sqlite import SqliteStore
SqliteStore.open.__func__.__kwdefaults__["busy_timeout_ms"] = 200
"""


@dataclass
class Company:
    """A store in a folder, a key to it, and all that its clients know."""

    folder: Path
    key: str
    load: Load

    @property
    def order(self) -> Path:
        """The file that says which fault is on."""
        return self.folder / "order"

    def client(self, served: Served) -> Client:
        return Client(self.load, served.port, self.key)

    def report(self, served: Served, times: int = 1) -> list[int | None]:
        """So many requests one after the other; their statuses."""
        client = self.client(served)
        return [self._report(client, served) for _ in range(times)]

    def _report(self, client: Client, served: Served) -> int | None:
        body = self.load.next_body()
        with closing(served.connection()) as connection:
            status, counts = client.sent(connection, body)
        self.load.note(body, status, counts)
        return status

    def stored(self) -> Found:
        """Everything that is stored against everything that was sent."""
        store = SqliteStore.open(self.folder / "tally.db", create=False, incarnation="x")
        try:
            damage = store.integrity_check()
            return look_at(store, self.load.acks, now_by_the_clock(), damage)
        finally:
            store.close()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    now = now_by_the_clock()
    return Company(tmp_path, opened_company(tmp_path, now), Load("faults", now))


def test_a_disk_that_is_full_is_said_and_ends_the_server_and_nothing_acked_is_lost(company):
    with serving(company.folder, prelude=faulty(company.order) + STILL) as served:
        served.wait_for_passes()
        assert company.report(served, 5) == [204] * 5
        company.order.write_text(FULL)

        assert company.report(served) == [503]
        assert served.process.wait(PATIENCE_SECONDS) == UNAVAILABLE
        served.end()
        assert "disk is full: free some space" in served.said
        assert "Traceback" not in served.said
    assert company.stored().is_clean

    company.order.write_text("")
    with serving(company.folder, prelude=faulty(company.order)) as served:
        assert company.report(served, 5) == [204] * 5
        assert not company.load.unsure
        assert served.end() == 0
    assert company.stored().is_clean


@pytest.mark.parametrize("fault", [UNSYNCED, BROKEN, READ_ONLY])
def test_a_commit_that_fails_is_not_acked_and_ends_the_server_and_the_next_one_goes_on(
    company, fault
):
    with serving(company.folder, prelude=faulty(company.order) + STILL) as served:
        served.wait_for_passes()
        assert company.report(served, 5) == [204] * 5
        company.order.write_text(fault)

        assert company.report(served) == [503]
        assert served.process.wait(PATIENCE_SECONDS) == UNAVAILABLE
        served.end()
        assert "Whether the last write happened is not known" in served.said
        assert "Traceback" not in served.said
    assert company.stored().is_clean

    company.order.write_text("")
    with serving(company.folder, prelude=faulty(company.order)) as served:
        assert company.report(served, 5) == [204] * 5
        assert not company.load.unsure
        assert served.end() == 0
    assert company.stored().is_clean


def test_a_file_that_may_not_grow_ends_the_server_under_load_and_nothing_acked_is_lost(company):
    with serving(company.folder, prelude=SMALL_FILES) as served:
        clients = started(company.load, [served.port], company.key, 4)
        assert served.process.wait(PATIENCE_SECONDS) == UNAVAILABLE
        ended(clients)
    assert company.load.acks.acked
    assert company.stored().is_clean

    with serving(company.folder) as served:
        assert company.report(served, 10) == [204] * 10
        assert not company.load.unsure
    assert company.stored().is_clean


def test_a_server_or_a_command_on_a_store_it_may_not_write_says_so_with_exit_code_3(company):
    company.order.write_text(READ_ONLY)
    for command in (["serve", "--port", "0"], ["tenants", "add", "epsilon"], ["usage"]):
        program = [sys.executable, "-c", faulty(company.order) + PROGRAM, *command]
        done = subprocess.run(
            [*program, "--store", url_of(company.folder)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

        assert done.returncode == UNAVAILABLE
        assert "cannot be" in done.stderr
        assert "check" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert company.stored().is_clean


def test_without_a_free_file_handle_the_server_answers_503_and_recovers(company):
    with serving(company.folder, prelude=FEW_FILES) as served, ExitStack() as idle:
        kept = idle.enter_context(closing(served.connection()))
        assert read(kept, company.key)[0] == 200
        status, body = 200, b""
        for _ in range(TRIES):
            # One more each time: what else the server does gives handles back now and then.
            idle.enter_context(served.connected())
            status, body = read(kept, company.key)
            if status != 200:
                break

        assert status == 503
        assert json.loads(body)["type"] == "urn:tallystick:problem:unavailable"
        idle.close()
        # Until it has seen that they are gone, it may send away who comes.
        assert any(company.report(served, 5) == [204] * 5 for _ in range(TRIES))
        with closing(served.connection()) as another:
            assert read(another, company.key)[0] == 200
        assert served.end() == 0
    assert company.stored().is_clean


def read(connection: http.client.HTTPConnection, key: str) -> tuple[int, bytes]:
    names = {"authorization": f"Bearer {key}"}
    connection.request("GET", "/api/v1/usage", headers=names)
    response = connection.getresponse()
    return response.status, response.read()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program that is in the middle of a long write."""
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_while_another_program_holds_the_store_the_server_answers_503_and_goes_on_after(company):
    with serving(company.folder, prelude=IMPATIENT_STORE) as served:
        with held(company.folder / "tally.db"):
            assert company.report(served, 2) == [503, 503]
        assert company.report(served, 3) == [204] * 3
        assert not company.load.unsure
        assert served.end() == 0
    assert company.stored().is_clean


def test_told_to_end_under_load_it_finishes_what_it_began_and_leaves_no_half_request(company):
    with serving(company.folder) as served:
        clients = started(company.load, [served.port], company.key, 6)
        assert company.load.wait_until(2_000)
        assert served.end(signal.SIGTERM) == 0
        ended(clients)
    assert company.stored().is_clean
    assert company.load.refused == Counter()
    assert halves(company) == []


def halves(company: Company) -> list[str]:
    """Requests of which some events are stored and some are not."""
    store = SqliteStore.open(company.folder / "tally.db", create=False, incarnation="x")
    try:
        found = {
            body.events[0].id: {store.events.event(*told.name) is None for told in body.events}
            for body in company.load.unsure
        }
    finally:
        store.close()
    return [first for first, is_missing in found.items() if len(is_missing) > 1]


def test_an_import_beside_a_server_under_load_counts_every_row_once(company):
    rows = [company.load.next_body() for _ in range(20)]
    lines = company.folder / "rows.ndjson"
    plain = [body for body in rows if body.content_type == "application/x-ndjson"]
    lines.write_bytes(b"\n".join(body.content for body in plain))
    with serving(company.folder) as served:
        clients = started(company.load, [served.port], company.key, 3)
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, "import", str(lines), "--store", served.url],
                capture_output=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        for client in clients:
            client.stop()
        ended(clients)
        assert served.end() == 0
    for body in plain:
        company.load.acks.ack(body)
    assert plain
    assert company.stored().is_clean
