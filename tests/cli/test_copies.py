"""The copy of the checkpoints: it catches up, goes on after a crash, and holds up no billing."""

import fcntl
import json
from dataclasses import fields
from pathlib import Path
from threading import Thread

import pytest

from tallystick.domain.checkpoint import checkpoint_of
from tallystick.entrypoints.cli.checkpoints import checkpointed
from tallystick.entrypoints.cli.context import open_app
from tallystick.entrypoints.cli.copies import catch_up
from tallystick.entrypoints.worker import Passed
from tests.cli.test_checkpoints import LATER, Books, booked, hour

__all__ = ["booked"]


@pytest.fixture
def copy(booked: Books, monkeypatch) -> Path:
    path = booked.folder / "copy.jsonl"
    monkeypatch.setenv("TALLYSTICK_CHECKPOINT_COPY", str(path))
    return path


def exported(books: Books) -> str:
    return books.run("checkpoints", "export").out


def test_taking_one_prints_its_line_and_adds_it_to_the_copy(booked, copy):
    ran = booked.at(hour("13:20"), "checkpoints", "take")

    assert ran.out == booked.run("checkpoints", "export", "--after", "4").out
    assert copy.read_text().splitlines()[4:] == [ran.out.strip()]
    one = checkpoint_of(json.loads(ran.out))
    assert (one.checkpoint.number, one.checkpoint.moved, one.moved) == (5, 0, ())
    assert {f.name for f in fields(one.checkpoint)} < set(json.loads(ran.out))


def test_a_copy_that_is_named_late_gets_all_that_there_is(booked, copy):
    booked.at(hour("13:20"), "run")

    assert copy.read_text() == exported(booked)
    assert copy.read_text().count("\n") == 4


def test_a_copy_that_lacks_a_line_catches_up_with_the_next_pass(booked, copy):
    booked.at(hour("13:20"), "run")
    copy.write_text("".join(copy.read_text().splitlines(keepends=True)[:2]))

    booked.at(LATER, "run")

    assert copy.read_text() == exported(booked)
    assert copy.read_text().count("\n") == 5


def test_half_a_line_that_a_crash_left_is_written_anew(booked, copy):
    booked.at(hour("13:20"), "run")
    copy.write_text(copy.read_text()[:-40])

    booked.at(hour("13:30"), "run")

    assert copy.read_text() == exported(booked)
    assert booked.run("verify", "--checkpoints", copy).code == 0


def test_nothing_is_added_to_the_copy_of_another_series(booked, copy):
    booked.at(hour("13:20"), "run")
    last = copy.read_text().splitlines()[-1]
    copy.write_text(copy.read_text().replace(json.loads(last)["hash"], "0" * 64))

    ran = booked.at(LATER, "run")

    assert (ran.code, "name a new file" in ran.err) == (1, True)
    assert copy.read_text().count("\n") == 4
    assert len(booked.run("checkpoints", "list", "--json").rows) == 5


def test_a_copy_that_cannot_be_written_is_told_and_holds_up_no_pass(booked, copy):
    copy.mkdir()
    booked.report("k14", hour("13:30"))

    ran = booked.at(LATER, "run")

    assert (ran.code, "cannot be written" in ran.err) == (1, True)
    assert "Sealed: 1 entries" in ran.err
    assert booked.at(LATER, "checkpoints", "take").code == 1


def test_the_hourly_loop_is_told_of_a_copy_that_cannot_be_written(booked, copy):
    copy.mkdir()
    with open_app(None, LATER) as app:
        done = checkpointed(app, lambda: Passed(counts={}, trouble={"other": "one"}))()

    assert set(done.trouble) == {"other", "checkpoint_copy"}


def test_two_programs_write_one_copy_one_after_the_other(booked, copy):
    with open_app(None, LATER) as app, copy.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = Thread(target=catch_up, args=(app,))
        other.start()
        other.join(1)
        waiting, written = other.is_alive(), copy.read_text()
        fcntl.flock(held, fcntl.LOCK_UN)
        other.join()

    assert (waiting, written) == (True, "")
    assert copy.read_text() == exported(booked)


def test_without_a_copy_nothing_is_told(booked):
    assert booked.at(LATER, "run").code == 0
