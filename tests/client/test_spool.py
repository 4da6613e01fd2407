"""The spool: its format under every cut and scratch, and who may send what on which folder."""

import fcntl
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.client.spool import REJECTED, Segment, Spool, SpoolFull
from tallystick.client.spool_lines import read_lines, write_lines

lines = st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line), max_size=8)


def spool_in(folder: Path, owner: str = "me", bytes_max: int = 10**6) -> Spool:
    return Spool(folder=folder, owner=owner, bytes_max=bytes_max, rejected_bytes_max=10_000)


def filled(folder: Path, owner: str, *events: bytes) -> Spool:
    """A living client with one complete file."""
    spool = spool_in(folder, owner)
    spool.append(events, is_durable=False)
    assert spool.seal(is_durable=False) is not None
    return spool


# ── The format ────────────────────────────────────────────────────────────────────────────────────


@given(lines)
def test_what_was_written_is_read_again(events):
    contents = read_lines(write_lines(events))

    assert (list(contents.events), contents.damaged) == (events, ())


@given(lines, st.data())
def test_a_file_that_was_cut_off_anywhere_gives_its_whole_lines_and_at_most_one_piece(events, draw):
    content = write_lines(events)
    cut = draw.draw(st.integers(0, len(content)))

    contents = read_lines(content[:cut])

    assert list(contents.events) == events[: len(contents.events)]
    assert len(contents.damaged) <= 1
    whole = sum(1 for end in ends_of(events) if end <= cut)
    assert len(contents.events) in (whole, whole + 1)  # the last may lack its newline only


def ends_of(events):
    sizes = [len(write_lines([event])) for event in events]
    return [sum(sizes[: n + 1]) for n in range(len(sizes))]


@given(lines.filter(bool), st.data())
def test_a_changed_byte_takes_at_most_its_own_line_and_is_never_read_as_an_event(events, draw):
    content = bytearray(write_lines(events))
    place = draw.draw(st.integers(0, len(content) - 1))
    content[place] ^= draw.draw(st.integers(1, 255))

    contents = read_lines(bytes(content))

    assert set(contents.events) <= set(events)
    assert len(contents.events) >= len(events) - 2  # a newline that is gone joins two lines
    assert len(contents.events) < len(events) or contents.events == tuple(events)


@given(st.binary())
def test_any_bytes_can_be_read(content):
    contents = read_lines(content)

    assert sum(map(len, (*contents.events, *contents.damaged))) <= len(content)


# ── The folder ────────────────────────────────────────────────────────────────────────────────────


def test_only_its_owner_sees_a_living_clients_files(tmp_path):
    mine, other = filled(tmp_path, "mine", b"1"), filled(tmp_path, "other", b"2")

    assert (mine.adopt(), other.adopt()) == ([], [])


def test_what_a_dead_client_left_is_taken_over_by_exactly_one(tmp_path):
    filled(tmp_path, "dead", b"1", b"2").forget()
    first, second = spool_in(tmp_path, "first"), spool_in(tmp_path, "second")

    (heritage,) = first.adopt()

    assert second.adopt() == []
    assert first.adopt() == []
    assert first.read(heritage.segments[0]).events == (b"1", b"2")
    first.remove(heritage.segments[0])
    first.bury(heritage)
    assert second.adopt() == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_lock_is_taken_over_too(tmp_path):
    filled(tmp_path, "dead", b"1").forget()
    (tmp_path / "dead.lock").unlink()

    (heritage,) = spool_in(tmp_path).adopt()

    assert [segment.path.name for segment in heritage.segments] == ["dead.0000000001.events"]


def test_a_client_that_takes_over_and_dies_leaves_it_to_the_next(tmp_path):
    filled(tmp_path, "dead", b"1").forget()
    heir = spool_in(tmp_path, "heir")
    assert heir.adopt()

    heir.release()

    (heritage,) = spool_in(tmp_path, "next").adopt()
    assert len(heritage.segments) == 1


def _killed_with(folder: str) -> None:
    filled(Path(folder), "killed", b"1")
    os._exit(9)


def test_the_lock_of_a_process_that_died_is_free(tmp_path):
    process = multiprocessing.get_context("spawn").Process(
        target=_killed_with, args=(str(tmp_path),)
    )
    process.start()
    process.join()
    assert process.exitcode == 9

    (heritage,) = spool_in(tmp_path).adopt()

    assert [s.path.name for s in heritage.segments] == ["killed.0000000001.events"]


@pytest.mark.parametrize("is_gone", [True, False], ids=["and took it away", "and holds it still"])
def test_who_looks_for_the_dead_while_a_client_begins_does_not_keep_it_from_writing(
    is_gone, tmp_path, monkeypatch
):
    """Between the making of a lock and its locking, it looks like one that the dead left."""
    lock, descriptors = fcntl.flock, []

    def taken_first(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", lock)
        if is_gone:
            assert spool_in(tmp_path, "heir").adopt() == []
        else:
            descriptors.append(os.open(tmp_path / "me.lock", os.O_RDWR))
            lock(descriptors[0], operation)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", taken_first)
    client = spool_in(tmp_path)
    client.append([b"{}"], is_durable=False)
    sealed = client.seal(is_durable=False)

    assert sealed is not None
    assert spool_in(tmp_path, "another").adopt() == []
    for descriptor in descriptors:
        os.close(descriptor)
    client.remove(sealed)
    client.release()
    assert spool_in(tmp_path, "the last").adopt() == []
    assert list(tmp_path.iterdir()) == []


def test_release_leaves_files_and_takes_an_empty_lock_away(tmp_path):
    keeps, empty = filled(tmp_path, "keeps", b"1"), spool_in(tmp_path, "empty")
    empty.claim()

    keeps.release()
    empty.release()

    assert {p.name for p in tmp_path.iterdir()} == {"keeps.lock", "keeps.0000000001.events"}


def test_the_folder_takes_no_more_than_it_may(tmp_path):
    one, two = spool_in(tmp_path, "one", 100), spool_in(tmp_path, "two", 100)
    one.append([b"x" * 200], is_durable=False)

    with pytest.raises(SpoolFull):
        two.append([b"y"], is_durable=False)

    one.remove(Segment(tmp_path / "one.0000000001.events"))
    two.append([b"y"], is_durable=False)
    assert two.open_count == 1


def test_a_write_that_fails_half_way_leaves_nothing_of_it(tmp_path, monkeypatch):
    spool = spool_in(tmp_path)
    spool.append([b"whole"], is_durable=True)
    write = os.write

    def full(descriptor, content):
        if len(content) <= 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        spool.append([b"x" * 30], is_durable=True)
    monkeypatch.undo()

    spool.append([b"after"], is_durable=False)
    segment = spool.seal(is_durable=False)
    assert segment is not None
    assert segment.count == 2
    contents = spool.read(segment)
    assert (contents.events, contents.damaged) == ((b"whole", b"after"), ())


def test_nobody_else_may_read_the_spool(tmp_path):
    spool = filled(tmp_path / "spool", "me", b"1")
    spool.set_aside([(b"{}", "why")])

    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert [p for p in (tmp_path / "spool").iterdir() if p.stat().st_mode & 0o077] == []


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "spool"
    folder.mkdir()
    for name in (REJECTED, "me.lock"):
        (folder / name).symlink_to(precious)
    spool = spool_in(folder)

    with pytest.raises(OSError, match="symbolic link"):
        spool.set_aside([(b"{}", "why")])
    with pytest.raises(OSError, match="symbolic link"):
        spool.append([b"1"], is_durable=False)
    assert precious.read_text() == "mine"


def test_what_is_set_aside_keeps_its_event_and_its_reason_within_its_room(tmp_path):
    spool = spool_in(tmp_path)

    assert spool.set_aside([(b'{"key":"a"}', "why"), (b"\xff not JSON", "damaged")]) == 2
    assert spool.set_aside([(b"9" * 9_000, "long"), (b"9" * 9_000, "longer")]) == 1

    found = [json.loads(line) for line in (tmp_path / REJECTED).read_text().splitlines()[:2]]
    assert found == [
        {"reason": "why", "event": {"key": "a"}},
        {"reason": "damaged", "event": "\\xff not JSON"},
    ]
