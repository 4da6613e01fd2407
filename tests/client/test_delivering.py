"""Nothing is lost and nothing counted twice, whatever the service does."""

import json
import logging
import time
from dataclasses import replace

import pytest

from tallystick.client import Answer
from tallystick.client.spool import REJECTED
from tests.client.service import (
    CUT,
    LOST,
    PATIENCE,
    QUICK,
    SLOW,
    FakeService,
    kinds_of_files,
    problem,
    until,
)

BUSY = Answer(status=503, headers={})
DENIED = problem(401, "unauthorized")


@pytest.mark.parametrize(
    "faults",
    [
        [LOST],
        [CUT, CUT],
        [Answer(status=500, headers={}), LOST, BUSY, CUT],
        [Answer(status=429, headers={"retry-after": "0"}), LOST, LOST],
        [Answer(status=200, headers={}, body=b"<html>log in</html>")],
        [DENIED, problem(403, "scope-missing"), Answer(status=404, headers={})],
        [problem(408, "too-slow"), problem(400, "cut-off")],
    ],
    ids=lambda faults: str(len(faults)),
)
def test_every_event_counts_once_after(faults, spool):
    service = FakeService(*faults)
    with service.client(spool) as client:
        keys = [client.record("acme", "tokens", n + 1) for n in range(5)]
        assert client.flush(PATIENCE)
        stats = client.stats

    assert {key: event["quantity"] for key, event in service.counted.items()} == {
        key: str(n + 1) for n, key in enumerate(keys)
    }
    assert (stats.delivered, stats.waiting, stats.dropped) == (5, 0, 0)
    assert stats.failures == len(faults)
    assert (stats.duplicates > 0) is (LOST in faults)


def test_a_retry_sends_the_same_bytes(spool):
    service = FakeService(LOST, BUSY, CUT)
    with service.client(spool) as client:
        client.record("acme", "tokens", "0.5", dimensions={"model": "large"})
        assert client.flush(PATIENCE)

    assert len(service.requests) == 4
    assert all(request == service.requests[0] for request in service.requests)


def test_a_large_request_is_zipped_and_a_small_one_is_not():
    service = FakeService()
    with service.client() as client:
        client.record("acme", "tokens")
        assert client.flush(PATIENCE)
        client.record("acme", "tokens", dimensions={"text": "x" * 5_000})
        assert client.flush(PATIENCE)

    assert [headers.get("Content-Encoding") for headers in service.headers] == [None, "gzip"]


def test_batches_keep_to_their_limits(spool):
    service = FakeService()
    service.gate.clear()
    with service.client(spool, limits=replace(QUICK, batch_events=10, batch_bytes=2_000)) as client:
        for _ in range(95):
            client.record("acme", "tokens")
        client.record("acme", "tokens", dimensions={"text": "x" * 5_000})
        service.gate.set()
        assert client.flush(PATIENCE)

    assert sum(map(len, service.requests)) == 96
    assert max(map(len, service.requests)) <= 10
    for request in service.requests:
        assert len(request) == 1 or len(json.dumps(request)) < 2_500


def test_the_service_is_left_alone_for_as_long_as_it_says_even_by_flush(spool):
    service = FakeService(Answer(status=503, headers={"retry-after": "1"}))
    with service.client(spool) as client:
        began = time.monotonic()
        client.record("acme", "tokens")
        assert client.flush(PATIENCE)

    assert time.monotonic() - began >= 1


def test_flush_does_not_sit_out_a_backoff(spool):
    service = FakeService(CUT)
    client = service.client(spool, limits=SLOW)
    client.record("acme", "tokens")
    until(lambda: client.stats.failures)

    assert client.flush(PATIENCE)
    assert client.close(PATIENCE)


def test_flush_tells_when_the_service_has_not_taken_all(spool):
    service = FakeService(*[BUSY] * 1_000)
    client = service.client(spool, limits=SLOW)
    client.record("acme", "tokens")

    assert not client.flush(0.05)
    assert client.stats.waiting == 1
    client.close(0.05)


def test_a_request_that_is_too_much_is_sent_in_smaller_ones(spool):
    service = FakeService(events_max=13)
    together = replace(QUICK, linger_seconds=3_600, interval_seconds=3_600)
    with service.client(spool, limits=together) as client:
        keys = {client.record("acme", "tokens") for _ in range(100)}
        until(lambda: client.flush(0.01))

    assert set(service.counted) == keys


# ── What the service will never take ──────────────────────────────────────────────────────────────


def test_a_poisoned_event_is_set_aside_and_the_others_arrive(tmp_path, caplog):
    poison = frozenset({"bad1", "bad2"})
    service = FakeService(poison=poison)
    service.gate.clear()
    with caplog.at_level(logging.ERROR, "tallystick.client"), service.client(tmp_path) as client:
        for n in range(50):
            client.record("acme", "tokens", key=f"k{n}")
            if n in (7, 33):
                client.record("acme", "tokens", key="bad1" if n == 7 else "bad2")
        service.gate.set()
        assert client.flush(PATIENCE)
        assert (client.stats.delivered, client.stats.rejected) == (50, 2)

    assert set(service.counted) == {f"k{n}" for n in range(50)}
    aside = [json.loads(line) for line in (tmp_path / REJECTED).read_text().splitlines()]
    assert {line["event"]["key"] for line in aside} == poison
    assert aside[0]["reason"] == "HTTP 400 unreadable: because"
    assert "refused for good" in caplog.text


def test_events_that_the_answer_names_are_set_aside_at_once(tmp_path):
    service = FakeService(problem(404, "not-found", 0, 2))
    together = replace(QUICK, linger_seconds=3_600, interval_seconds=3_600)
    with service.client(tmp_path, limits=together) as client:
        for key in ("a", "b", "c", "d"):
            client.record("acme", "tokens", key=key)
        assert client.flush(PATIENCE)

    assert [[event["key"] for event in sent] for sent in service.requests] == [
        ["a", "b", "c", "d"],
        ["b", "d"],
    ]


def test_without_a_spool_what_is_set_aside_stands_in_the_log(caplog):
    service = FakeService(poison=frozenset({"bad"}))
    with caplog.at_level(logging.ERROR, "tallystick.client"), service.client() as client:
        client.record("acme", "tokens", key="bad")
        assert client.flush(PATIENCE)

    assert '"key":"bad"' in caplog.text


def test_a_denied_key_keeps_everything_and_says_so(tmp_path, caplog):
    service = FakeService(*[DENIED] * 1_000)
    with caplog.at_level(logging.ERROR, "tallystick.client"):
        client = service.client(tmp_path, limits=SLOW)
        client.record("acme", "tokens")
        assert not client.flush(0.05)
        assert not client.close(PATIENCE)

    assert "HTTP 401 unauthorized" in caplog.text
    assert client.stats.waiting == 1
    assert kinds_of_files(tmp_path) == ["events", "lock"]
    assert client.stats.failures <= 3, "slowly"
