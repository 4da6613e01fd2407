"""The real server as a real process: its start, its end, silence, and being killed."""

import http.client
import json
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.entrypoints.cli import main
from tests.http.served import IMPATIENT, NARROW, PATIENCE_SECONDS, Served, report, serving


def stored_keys(folder: Path) -> set[str]:
    store = open_store(f"sqlite:///{folder / 'tally.db'}")
    found, cursor = set[str](), ""
    while True:
        page = store.events.events("acme", cursor=cursor)
        found |= {event.key for event in page.elements}
        cursor = page.cursor
        if not cursor:
            store.close()
            return found


def test_the_first_start_shows_an_admin_key_and_the_second_does_not(folder: Path):
    with serving(folder) as first:
        assert first.request("POST", "/api/v1/events", report("a"))[0] == 204
        assert first.request("GET", "/readyz")[0] == 200
        assert first.end() == 0
    with serving(folder) as second:
        assert second.port
        assert "tally_" not in second.said
        assert second.request("POST", "/api/v1/events", report("b"), key=first.key)[0] == 204
        assert second.end(signal.SIGINT) == 0
    assert stored_keys(folder) == {"a", "b"}


def test_it_listens_on_this_machine_only_unless_told(folder: Path):
    with serving(folder) as served:
        others = {
            found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        } - {"127.0.0.1", "127.0.1.1"}
        for address in others:
            with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
                socket.create_connection((address, served.port), timeout=2)


def test_a_port_that_is_taken_is_said_in_one_sentence(folder: Path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        url = f"sqlite:///{folder / 'tally.db'}"

        assert main(["serve", "--port", str(port), "--store", url]) == 2

    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_half_a_request_and_then_silence_is_ended(folder: Path):
    with serving(folder, prelude=IMPATIENT) as served:
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key}\r\n"
        body = "Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        for sent, answer in (("", b""), (head, b""), (head + body, b" 408 ")):
            with served.connected() as connection:
                connection.sendall(sent.encode())
                told = until_closed(connection)
            assert answer in told
        assert b"within 1 seconds" in told
        assert served.request("GET", "/healthz")[0] == 200


def test_headers_without_end_and_a_body_after_its_answer_are_ended(folder: Path):
    with serving(folder, prelude=NARROW) as served:
        with served.connected() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 8_000)
            assert until_closed(connection) == b""
        with served.connected() as connection:
            connection.sendall(
                f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {2**30}\r\n\r\n".encode()
            )
            assert b" 413 " in connection.recv(4_096)
            with pytest.raises(OSError, match=r"reset|[Bb]roken"):
                _trickle(connection, seconds=PATIENCE_SECONDS)


def test_a_request_that_is_under_way_at_the_end_is_finished(folder: Path):
    with serving(folder) as served:
        body = json.dumps([report(f"n{n}") for n in range(100)])
        with served.connected() as connection:
            connection.sendall(
                f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Authorization: Bearer {served.key}\r\nContent-Length: {len(body)}\r\n\r\n"
                f"{body[:500]}".encode()
            )
            served.request("GET", "/healthz")  # by now the first request has been begun
            served.process.send_signal(signal.SIGTERM)
            while _connects(served):
                time.sleep(0.02)
            connection.sendall(body[500:].encode())
            assert b" 204 " in connection.recv(4_096)
        assert served.end() == 0
    assert len(stored_keys(folder)) == 100


def _trickle(connection: socket.socket, *, seconds: int) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        connection.sendall(b"x")
        time.sleep(0.1)


def until_closed(connection: socket.socket) -> bytes:
    found = b""
    while piece := connection.recv(4_096):
        found += piece
    return found


def _connects(served: Served) -> bool:
    try:
        served.connected().close()
    except OSError:
        return False
    return True


class Reporter(threading.Thread):
    """Reports one event after another until the server is gone; remembers what was acked."""

    def __init__(self, served: Served, key: str, name: str) -> None:
        super().__init__()
        self.served, self.key_text, self.prefix = served, key, name
        self.sent: list[str] = []
        self.acked: list[str] = []

    def run(self) -> None:
        with closing(self.served.connection()) as connection:
            self._report(connection)

    def _report(self, connection: http.client.HTTPConnection) -> None:
        names = {"authorization": f"Bearer {self.key_text}", "content-type": "application/json"}
        for number in range(100_000):
            key = f"{self.prefix}.{number}"
            self.sent.append(key)
            try:
                connection.request("POST", "/api/v1/events", json.dumps(report(key)), names)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                return
            if response.status == 204:
                self.acked.append(key)


def under_load(served: Served, key: str, name: str, ending: signal.Signals) -> list[Reporter]:
    reporters = [Reporter(served, key, f"{name}.{n}") for n in range(6)]
    for reporter in reporters:
        reporter.start()
    while sum(len(r.acked) for r in reporters) < 200:
        assert any(r.is_alive() for r in reporters)
        time.sleep(0.01)
    served.end(ending)
    for reporter in reporters:
        reporter.join(PATIENCE_SECONDS)
    return reporters


@pytest.mark.kill
def test_no_acked_event_is_lost_when_the_server_is_killed_under_load(folder: Path):
    key, acked, sent = "", set[str](), set[str]()
    for round_ in range(4):
        with serving(folder) as served:
            key = key or served.key
            for reporter in under_load(served, key, str(round_), signal.SIGKILL):
                acked |= set(reporter.acked)
                sent |= set(reporter.sent)

    found = stored_keys(folder)
    assert len(acked) >= 800
    assert acked <= found <= sent


def test_no_acked_event_is_lost_when_the_server_is_told_to_end_under_load(folder: Path):
    with serving(folder) as served:
        reporters = under_load(served, served.key, "t", signal.SIGTERM)
        assert served.process.returncode == 0

    acked = {key for reporter in reporters for key in reporter.acked}
    unsure = {reporter.sent[-1] for reporter in reporters}
    assert acked <= stored_keys(folder) <= acked | unsure


def test_two_servers_on_one_store_count_once(folder: Path):
    with serving(folder) as one, serving(folder) as two:
        key = one.key
        assert "tally_" not in two.said
        for number in range(20):
            for served in (one, two):
                status, _, headers = served.request(
                    "POST", "/api/v1/events", report(f"n{number}"), key=key
                )
                assert status == 204
                kind = "recorded=1" if served is one else "duplicate=1"
                assert kind in headers["tallystick-counts"]
        assert (one.end(), two.end()) == (0, 0)
    assert len(stored_keys(folder)) == 20
