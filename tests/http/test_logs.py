"""Log lines: what each says, what none may say, and that nobody waits for them."""

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tallystick.domain.api_key import Scope
from tallystick.entrypoints import logs
from tallystick.entrypoints.cli.tables import say
from tallystick.entrypoints.logs import LOG, logging_to, note
from tests.http.conftest import Api, native
from tests.http.served import PATIENCE_SECONDS, report, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
Read = Callable[[], list[dict[str, object]]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """All lines that were logged during the test, read at its end."""
    monkeypatch.setattr(logs, "FLUSH_SECONDS", PATIENCE_SECONDS)
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    writing = logging_to(descriptor, "info", "json")
    writing.__enter__()
    is_open = [True]

    def lines() -> list[dict[str, object]]:
        writing.__exit__(None, None, None)
        is_open.clear()
        return [json.loads(line) for line in path.read_text().splitlines()]

    yield lines
    if is_open:
        writing.__exit__(None, None, None)
    os.close(descriptor)


def requests_of(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in lines if line["event"] == "request"]


def test_a_request_is_one_line_with_its_key_and_never_its_secret(api: Api, read: Read):
    key = api.key(Scope.INGEST)
    response = api.post([native("a")], key=key)

    (line,) = requests_of(read())

    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/api/v1/events", 204)
    assert line["key"] == "test_0"
    assert line["bytes_in"] == len(json.dumps([native("a")]))
    assert line["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(line["time"]))
    assert isinstance(line["seconds"], float)
    assert "logger" not in line


@pytest.mark.parametrize("given", ["job-7.2026_11", "A" * 64])
def test_a_sane_id_of_the_caller_is_kept(api: Api, read: Read, given: str):
    names = {"X-Request-Id": given, "traceparent": f"00-{TRACE}-{PARENT}-01"}
    response = api.client.get("/nowhere", headers=names)

    (line,) = requests_of(read())

    assert response.headers["x-request-id"] == line["request_id"] == given
    assert response.json()["instance"] == f"urn:tallystick:request:{given}"
    assert (line["trace_id"], line["parent_id"]) == (TRACE, PARENT)


@pytest.mark.parametrize("given", ["", "a b", "A" * 65, 'x"}{"', "é", "a/b"])
def test_an_id_that_is_none_is_replaced(api: Api, given: str):
    response = api.client.get("/healthz", headers={"X-Request-Id": given.encode()})

    assert re.fullmatch(r"[0-9a-f]{16}", response.headers["x-request-id"])


@pytest.mark.parametrize(
    "given",
    [
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}",
    ],
)
def test_a_traceparent_that_is_none_is_left_out(api: Api, read: Read, given: str):
    api.client.get("/healthz", headers={"traceparent": given})

    (line,) = requests_of(read())

    assert "trace_id" not in line


def test_a_failure_says_which_request_it_was(api: Api, read: Read):
    names = {"authorization": f"Bearer {api.key(Scope.READ)}", "X-Request-Id": "the-failing-one"}
    api.store.close()

    response = api.client.get("/api/v1/usage?tenant=acme", headers=names)

    lines = read()
    assert response.status_code == 503
    (failure,) = (line for line in lines if line["level"] == "error")
    assert failure["request_id"] == "the-failing-one"
    assert failure["event"] == "store unavailable"
    assert "StoreUnavailable" in str(failure["error"])


def test_paths_queries_and_bodies_are_not_logged(api: Api, read: Read):
    names = {"authorization": f"Bearer {api.key(Scope.READ)}"}
    api.client.get("/api/v1/tenants/acme-inc?token=hidden", headers=names)
    api.client.get("/hidden/place", headers=names)
    api.post([native("hidden-key")])

    text = json.dumps(read())

    assert "acme-inc" not in text
    assert "hidden" not in text
    assert '"route": "/api/v1/tenants/{tenant}"' in text


def test_what_looks_like_a_secret_is_struck_out(read: Read):
    secrets = (
        "tally_kq3xv5ba_R3a1-Secret_text0123456789",
        "sk_live_51HxSecret",
        "rk_test_51HxSecret",
        "whsec_Secret+/=",
        "Bearer Secret.with.dots",
    )
    for secret in secrets:
        note(logging.ERROR, f"went wrong with {secret}", error=f"said '{secret}', twice")

    text = json.dumps(read())

    assert "Secret" not in text
    assert "tally_kq3xv5ba_" in text
    assert ", twice" in text


def test_a_level_that_is_not_wanted_is_not_written(read: Read):
    note(logging.DEBUG, "too little")
    logging.getLogger("stripe").info("what a library sends")
    logging.getLogger("stripe").warning("what a library warns of")

    (line,) = read()

    assert (line["event"], line["logger"]) == ("what a library warns of", "stripe")


def test_a_bug_is_logged_with_where_it_happened(read: Read):
    try:
        int("a bug")
    except ValueError:
        LOG.exception("it broke")

    (line,) = read()

    assert "test_logs.py" in str(line["traceback"])
    assert line["event"] == "it broke"


def test_lines_for_people_stay_lines(tmp_path: Path):
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    with logging_to(descriptor, "info", "text"):
        note(logging.INFO, "pass", entries=3, provider_unread="two\nlines")
    os.close(descriptor)

    assert path.read_text().endswith(' INFO    pass entries=3 provider_unread="two\\nlines"\n')
    assert len(path.read_text().splitlines()) == 1


def test_whoever_logs_does_not_wait_for_whoever_reads(monkeypatch: pytest.MonkeyPatch):
    """Nobody reads this pipe: it fills, the queue fills, and the rest is dropped and counted."""
    monkeypatch.setattr(logs, "WAITING_MAX", 10)
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 0.1)
    reader, writer = os.pipe()
    with logging_to(writer, "info", "json") as writing:
        for number in range(500):
            note(logging.INFO, "long", text="x" * 4_096, number=number)

        assert writing.dropped > 400
        *_, thread = (one for one in threading.enumerate() if one.name == "log lines")
    os.close(reader)
    thread.join(PATIENCE_SECONDS)  # or it would write into whatever gets the descriptor next
    os.close(writer)
    assert not thread.is_alive()


def test_lines_come_in_order_and_the_last_before_the_end(read: Read):
    for number in range(2_000):
        note(logging.INFO, "counted", number=number)

    assert [line["number"] for line in read()] == list(range(2_000))


def test_what_people_are_told_and_a_line_of_the_log_are_never_mixed(monkeypatch):
    written: list[str] = []
    monkeypatch.setattr("sys.stderr", SimpleNamespace(write=written.append))

    say("a sentence")

    assert written == ["a sentence\n"]


def test_a_running_server_logs_lines_and_no_secret(folder: Path):
    """All that a server says while keys, wrong keys and a provider's key are about."""
    secrets = {
        "TALLYSTICK_STRIPE_API_KEY": "sk_test_51ThisIsTheStripeKey",
        "TALLYSTICK_STRIPE_API_BASE": "http://127.0.0.1:9",
        "TALLYSTICK_STRIPE_WEBHOOK_SECRET": "whsec_ThisIsTheWebhookSecret",
        "TALLYSTICK_FIRST_KEY_FILE": str(folder / "first.key"),
    }
    with serving(folder, environment=secrets) as served:
        key = (folder / "first.key").read_text().strip()
        assert served.request("POST", "/api/v1/events", report("a"), key=key)[0] == 204
        assert served.request("GET", f"/api/v1/usage?token={key}", key=key)[0] == 400
        assert served.request("GET", "/api/v1/usage", key="tally_wrong_WrongSecret")[0] == 401
        served.wait_for_passes()
        assert served.end() == 0

    assert (folder / "first.key").stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in served.said.splitlines() if line.startswith("{")]
    assert len(requests_of(lines)) == 3
    assert any(line["event"] == "pass" for line in lines), served.said
    for secret in (*secrets.values(), "WrongSecret", key, key.split("_", 2)[2]):
        if not secret.startswith(("http", "/")):
            assert secret not in served.said
