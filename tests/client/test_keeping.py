"""Nothing is lost and nothing counted twice, whatever the disk, the threads and the end do."""

import logging
import os
import threading
from dataclasses import replace

import pytest

from tallystick.client import Limits
from tallystick.client.buffer import Buffer
from tallystick.client.spool import REJECTED, Spool
from tests.client.service import (
    CUT,
    PATIENCE,
    QUICK,
    SLOW,
    FakeService,
    kinds_of_files,
    problem,
    until,
)

# ── The disk ──────────────────────────────────────────────────────────────────────────────────────


def test_what_one_client_spooled_the_next_one_sends(tmp_path):
    away = FakeService(*[CUT] * 1_000)
    client = away.client(tmp_path, limits=SLOW)
    keys = {client.record("acme", "tokens") for _ in range(7)}
    assert not client.close(PATIENCE)

    service = FakeService()
    with service.client(tmp_path) as heir:
        heir.flush(0)
        until(lambda: heir.stats.delivered == 7)

    assert set(service.counted) == keys
    assert (heir.stats.adopted, heir.stats.delivered, heir.stats.recorded) == (7, 7, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_sending_waits_until_the_writer_has_put_its_events_down(tmp_path, monkeypatch):
    away = FakeService(*[CUT] * 1_000)
    client = away.client(tmp_path, limits=SLOW)
    keys = {client.record("acme", "tokens")}
    until(lambda: client.stats.failures)
    write, writing, go_on = Spool.append, threading.Event(), threading.Event()

    def slowly(self, events, *, is_durable):
        write(self, events, is_durable=is_durable)
        writing.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(Spool, "append", slowly)
    keys |= {client.record("acme", "tokens") for _ in range(6)}
    assert writing.wait(PATIENCE)
    assert not client.close(0)  # the sender gives up, while the writer is between disk and memory
    assert client._live.traffic.buffer
    go_on.set()
    for thread in client._live._threads:
        thread.join(PATIENCE)

    lines = [line for path in tmp_path.glob("*.events") for line in path.read_text().splitlines()]
    written = [key for line in lines for key in keys if key in line]
    assert sorted(written) == sorted(keys)


@pytest.fixture
def synced(monkeypatch) -> set[int]:
    """The inodes of what was synced."""
    found, fsync = set[int](), os.fsync

    def note(descriptor):
        found.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return found


def test_nothing_is_synced_while_the_service_answers(tmp_path, synced):
    with FakeService().client(tmp_path) as client:
        for _ in range(20):
            client.record("acme", "tokens")
            assert client.flush(PATIENCE)

    assert not synced


def test_from_the_first_failure_on_every_file_is_synced_with_its_folder(tmp_path, synced):
    client = FakeService(*[CUT] * 1_000).client(tmp_path, limits=replace(SLOW, batch_events=2))
    client.record("acme", "tokens")
    until(lambda: client.stats.failures)
    for _ in range(9):
        client.record("acme", "tokens")
    until(lambda: not client._live.traffic.buffer)
    waiting = {path.stat().st_ino for path in tmp_path.glob("*.events")}

    until(lambda: waiting | {tmp_path.stat().st_ino} <= synced)
    assert len(waiting) >= 5
    client.close(PATIENCE)


def test_damage_in_the_spool_is_told_and_costs_only_its_own_lines(tmp_path, caplog):
    away = FakeService(*[CUT] * 1_000)
    client = away.client(tmp_path, limits=replace(SLOW, linger_seconds=3_600))
    keys = [client.record("acme", "tokens") for _ in range(3)]
    assert not client.close(PATIENCE)
    (path,) = tmp_path.glob("*.events")
    path.write_bytes(path.read_bytes()[:-40])

    service = FakeService()
    with caplog.at_level(logging.ERROR), service.client(tmp_path) as heir:
        heir.flush(0)
        until(lambda: heir.stats.delivered == 2)

    assert set(service.counted) == set(keys[:2])
    assert heir.stats.damaged == 1
    assert "damaged" in caplog.text
    assert "damaged in the spool" in (tmp_path / REJECTED).read_text()


def test_a_spool_that_is_full_leaves_events_in_memory_and_a_full_memory_drops_them_loudly(
    tmp_path, caplog
):
    service = FakeService()
    service.gate.clear()
    limits = replace(QUICK, spool_bytes=2_000, memory_bytes=20_000, batch_events=5)
    client = service.client(tmp_path, limits=limits)

    def one_more():
        return client.record("acme", "tokens", dimensions={"text": "x" * 200})

    with caplog.at_level(logging.ERROR, "tallystick.client"):
        until(lambda: one_more() and "takes no events" in caplog.text)
        until(lambda: one_more() and client.stats.dropped)
        stats = client.stats
        service.gate.set()
        assert client.close(PATIENCE)

    assert stats.recorded > 20_000 // 500
    assert len(service.counted) == stats.recorded
    assert "LOST" in caplog.text


def test_a_disk_that_refuses_everything_stops_nobody(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    service = FakeService(CUT)
    with caplog.at_level(logging.ERROR, "tallystick.client"), service.client(tmp_path) as client:
        monkeypatch.setattr(os, "write", refuse)
        keys = {client.record("acme", "tokens") for _ in range(10)}
        assert client.flush(PATIENCE)
        monkeypatch.undo()
        keys |= {client.record("acme", "tokens") for _ in range(10)}
        assert client.flush(PATIENCE)

    assert set(service.counted) == keys
    assert "No space left" in caplog.text


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    service = FakeService()
    with caplog.at_level(logging.ERROR), service.client(tmp_path / "file" / "spool") as client:
        client.record("acme", "tokens")
        assert client.flush(PATIENCE)

    assert len(service.counted) == 1
    assert "takes no events" in caplog.text


# ── The end ───────────────────────────────────────────────────────────────────────────────────────


def test_close_sends_what_is_left_and_may_be_called_again(spool):
    service = FakeService()
    client = service.client(spool, limits=Limits())
    client.record("acme", "tokens")

    assert client.close(PATIENCE)
    assert client.close(PATIENCE)
    assert len(service.counted) == 1


def test_close_does_not_wait_for_a_service_that_is_away_if_there_is_a_spool(tmp_path):
    client = FakeService(*[CUT] * 1_000).client(tmp_path, limits=SLOW)
    client.record("acme", "tokens")

    assert not client.close(3_600)
    assert kinds_of_files(tmp_path) == ["events", "lock"]


def test_without_a_spool_what_is_left_at_the_end_is_counted_as_lost(caplog):
    client = FakeService(*[CUT] * 10_000).client(limits=SLOW)
    client.record("acme", "tokens")
    with caplog.at_level(logging.ERROR, "tallystick.client"):
        assert not client.close(0.1)

    assert client.stats.dropped == 1
    assert "LOST" in caplog.text


def test_the_end_does_not_wait_for_a_service_that_hangs(spool, caplog):
    service = FakeService()
    service.gate.clear()
    client = service.client(spool)
    client.record("acme", "tokens")
    assert service.entered.wait(PATIENCE)

    assert not client.close(0)

    told = "LOST, unless" if spool is None else "1 events are left in the spool"
    assert told in caplog.text
    service.gate.set()
    until(lambda: not client.stats.waiting)


def test_at_the_end_only_what_was_not_delivered_of_a_request_is_lost():
    service = FakeService(problem(404, "not-found", 0, 1), *[CUT] * 10_000)
    together = replace(SLOW, linger_seconds=3_600, interval_seconds=3_600)
    client = service.client(limits=together)
    for key in ("a", "b", "c", "d", "e"):
        client.record("acme", "tokens", key=key)
    client.flush(0)
    until(lambda: client.stats.failures)

    assert not client.close(0)
    stats = client.stats
    assert (stats.rejected, stats.dropped, stats.waiting) == (2, 3, 0)


def test_an_event_after_the_end_is_counted_as_lost(spool, caplog):
    client = FakeService().client(spool)
    client.close()
    with caplog.at_level(logging.ERROR, "tallystick.client"):
        assert client.record("acme", "tokens")

    assert client.stats.dropped == 1
    assert "LOST" in caplog.text


def test_an_event_that_comes_in_the_middle_of_the_end_is_kept_or_counted_as_lost(
    spool, monkeypatch, caplog
):
    """It is recorded by one thread while another closes, or by who was interrupted to close."""
    service = FakeService()
    client, append = service.client(spool), Buffer.append

    def late(self, line):
        monkeypatch.setattr(Buffer, "append", append)
        assert client.close(PATIENCE)
        return append(self, line)

    client.record("acme", "tokens", key="early")
    monkeypatch.setattr(Buffer, "append", late)
    with caplog.at_level(logging.ERROR, "tallystick.client"):
        client.record("acme", "tokens", key="late")

    assert (client.stats.waiting, client.stats.dropped) == (0, 1)
    assert set(service.counted) == {"early"}
    assert "LOST" in caplog.text


def test_the_end_waits_for_the_threads_that_somebody_is_starting(spool):
    service, go_on = FakeService(), threading.Event()

    def connect():
        assert go_on.wait(PATIENCE)
        return service.answer

    client = service.client(spool, transport=connect)
    recording = threading.Thread(target=client.record, args=("acme", "tokens"))
    recording.start()
    until(client._live._starting.locked)
    told: list[bool] = []
    closing = threading.Thread(target=lambda: told.append(client.close(PATIENCE)))
    closing.start()
    closing.join(0.1)  # long enough for an end that waits for nobody
    assert told == []
    go_on.set()
    closing.join(PATIENCE)
    recording.join(PATIENCE)

    assert told == [True]
    assert len(service.counted) == 1
    assert not any(thread.is_alive() for thread in client._live._threads)


def test_a_signal_that_interrupts_a_look_at_the_numbers_may_record():
    client = FakeService().client()
    client.close(PATIENCE)

    def interrupted():
        with client._live.traffic.counts._lock:
            client.record("acme", "tokens")

    looking = threading.Thread(target=interrupted, daemon=True)
    looking.start()
    looking.join(PATIENCE)

    assert not looking.is_alive()
    assert client.stats.dropped == 1


def test_a_sender_that_a_bug_has_ended_still_gives_the_spool_back(tmp_path, monkeypatch):
    service, hooked = FakeService(ZeroDivisionError("a bug")), []
    monkeypatch.setattr("threading.excepthook", hooked.append)
    client = service.client(tmp_path)
    key = client.record("acme", "tokens")
    until(lambda: hooked)

    client.close(PATIENCE)

    with service.client(tmp_path) as heir:
        heir.flush(0)
        until(lambda: set(service.counted) == {key})


def test_a_process_that_gets_no_thread_keeps_its_events_in_the_spool(tmp_path, monkeypatch, caplog):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    client = FakeService().client(tmp_path)
    monkeypatch.setattr("threading.Thread.start", refuse)
    keys = {client.record("acme", "tokens") for _ in range(3)}
    assert not client.flush(0)
    assert not client.close(PATIENCE)
    monkeypatch.undo()

    assert "3 events are left in the spool" in caplog.text
    service = FakeService()
    with service.client(tmp_path) as heir:
        heir.flush(0)
        until(lambda: set(service.counted) == keys)


def test_a_process_that_gets_no_thread_and_has_no_spool_says_what_is_lost(monkeypatch, caplog):
    client = FakeService().client()
    monkeypatch.setattr(
        "tallystick.client.live.Live._start_threads", lambda live: live._made_runs()
    )
    client.record("acme", "tokens")

    assert not client.close(PATIENCE)
    assert client.stats.dropped == 1
    assert "LOST" in caplog.text


def test_one_failure_is_no_news_and_an_outage_is(spool, caplog):
    with caplog.at_level(logging.INFO, "tallystick.client"):
        with FakeService(CUT).client(spool) as client:
            client.record("acme", "tokens")
            assert client.flush(PATIENCE)
        assert caplog.text == ""
        with FakeService(CUT, CUT, CUT).client(spool) as client:
            client.record("acme", "tokens")
            assert client.flush(PATIENCE)

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "does not take events: no answer: cut. 1 wait for it" in told[0]
    assert "takes events again" in told[1]


def test_a_thread_that_a_bug_has_ended_is_started_again_and_loses_nothing(spool, monkeypatch):
    service, hooked = FakeService(ZeroDivisionError("a bug")), []
    monkeypatch.setattr("threading.excepthook", hooked.append)
    monkeypatch.setattr("tallystick.client.live.RESTART_SECONDS", 0)
    with service.client(spool) as client:
        keys = {client.record("acme", "tokens")}
        until(lambda: hooked)
        keys |= {client.record("acme", "tokens")}
        until(lambda: client.stats.delivered == 2)

    assert set(service.counted) == keys
    assert hooked[0].exc_type is ZeroDivisionError
