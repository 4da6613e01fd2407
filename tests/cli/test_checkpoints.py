"""`checkpoints` and `verify`: what was changed, removed, swapped or cut off is found and named."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import pytest

from tallystick.domain.ledger import GENESIS, chained
from tallystick.stores.sqlite import SqliteStore
from tallystick.stores.sqlite.ledger_rows import entry_row
from tests.cli.billing import EVENT, seconds

HOURS = ("10:10", "11:10", "12:10", "13:10")
LATER = "2026-09-01T14:10:00Z"


def hour(text: str) -> str:
    return f"2026-09-01T{text}:00Z"


@dataclass(frozen=True, slots=True)
class Books:
    """The commands, on a store that publishes nothing: its ledger is what matters here."""

    run: Callable
    folder: Path
    tell_time: Callable[[str], object] = str
    """Sets the provider's clock, where there is one."""

    def at(self, text: str, *arguments: object):
        self.tell_time(text)
        return self.run(*arguments, "--at", text)

    def report(self, key: str, occurred_at: str) -> None:
        path = self.folder / f"{key}.ndjson"
        path.write_text(EVENT % (key, 5, occurred_at), encoding="utf-8")
        assert self.run("import", path).code == 0

    def keep(self) -> None:
        """Four ledger lines, an hour and a checkpoint each."""
        for at in HOURS:
            self.report(f"k{at[:2]}", hour(f"{int(at[:2]) - 1:02}:30"))
            assert self.at(hour(at), "run").code == 0


@pytest.fixture
def booked(run, tmp_path: Path) -> Books:
    assert run("tenants", "add", "acme").code == 0
    assert run("meters", "add", "api_calls").code == 0
    books = Books(run, tmp_path)
    books.keep()
    return books


@pytest.fixture
def signed(run, tmp_path: Path, monkeypatch) -> Path:
    """A key that signs, and the file with its public half."""
    public = tmp_path / "public.pem"
    public.write_text(run("checkpoints", "new-key", tmp_path / "private.pem").out)
    monkeypatch.setenv("TALLYSTICK_CHECKPOINT_KEY_FILE", str(tmp_path / "private.pem"))
    return public


@contextmanager
def opened() -> Iterator[apsw.Connection]:
    """The store's file, as somebody with a SQLite shell has it."""
    db = apsw.Connection(os.environ["TALLYSTICK_STORE"].removeprefix("sqlite:///"))
    try:
        yield db
    finally:
        db.close()


def tamper(*statements: str) -> None:
    with opened() as db:
        for statement in statements:
            db.execute(statement)
            assert db.changes() >= 1


def rewrite_from(line: int, **change: object) -> None:
    """Change one line and hash it and all that follow anew, as who knows the recipe can."""
    path = Path(os.environ["TALLYSTICK_STORE"].removeprefix("sqlite:///"))
    store = SqliteStore.open(path, incarnation="unused")
    entries = store.ledger.entries().elements
    store.close()
    previous = entries[line - 2].hash if line > 1 else GENESIS
    with opened() as db:
        for entry in entries[line - 1 :]:
            changed = replace(entry, **change) if entry.line == line else entry
            anew = chained(replace(changed, previous_hash=previous))
            previous = anew.hash
            row = (*entry_row(anew)[1:], entry.line)
            names = [
                "dimensions", "window_start", "window_end", "period_start", "period_end",
                "revision", "delta", "total", "released", "released_total", "moved", "billed",
                "allocated", "position", "held", "linked_line", "sealed_at", "previous_hash",
                "hash",
            ]  # fmt: skip
            sets = ", ".join(f"{name} = ?" for name in names)
            db.execute(f"UPDATE entry SET {sets} WHERE line = ?", row)  # noqa: S608
        db.execute("UPDATE chain SET hash = ?", (previous,))


def cut_off_last() -> None:
    """Take the last line away, and mend the head so that the chain looks whole."""
    tamper(
        "PRAGMA foreign_keys = off; DELETE FROM entry WHERE line = 4",
        "UPDATE chain SET line = 3, hash = (SELECT hash FROM entry WHERE line = 3)",
    )


def faults(books: Books, *arguments: object) -> list[str]:
    ran = books.run("verify", "--json", *arguments)
    found = [str(row["fault"]) for row in ran.rows]
    assert ran.code == (1 if found else 0)
    return found


def exported(books: Books, *arguments: object) -> Path:
    path = books.folder / "kept-elsewhere.jsonl"
    path.write_text(books.run("checkpoints", "export", *arguments).out, encoding="utf-8")
    return path


# ── What is found ─────────────────────────────────────────────────────────────────────────────────


def test_every_hour_has_a_checkpoint_and_a_ledger_as_it_was_written_holds(booked):
    rows = booked.run("checkpoints", "list", "--json").rows

    assert [(row["number"], row["chains"], row["moved"]) for row in rows] == [
        (number, 1, 1) for number in (1, 2, 3, 4)
    ]
    assert faults(booked) == []
    assert faults(booked, "--checkpoints", exported(booked)) == []


def test_a_second_pass_in_the_hour_takes_no_second_checkpoint(booked):
    booked.at(hour("13:40"), "run")

    assert len(booked.run("checkpoints", "list", "--json").rows) == 4


def test_one_flipped_digit_is_found_and_its_line_named(booked):
    tamper("UPDATE entry SET delta = '6' WHERE line = 2")

    assert faults(booked) == ["line 2 was changed"]


def test_a_removed_entry_is_found_and_named(booked):
    tamper("PRAGMA foreign_keys = off; DELETE FROM entry WHERE line = 2")

    assert faults(booked) == ["line 2 is missing"]


def test_two_swapped_entries_are_found_and_the_first_is_named(booked):
    with opened() as db:
        db.execute("PRAGMA foreign_keys = off")
        for was, now in ((2, 99), (3, 2), (99, 3)):
            db.execute("UPDATE entry SET line = ? WHERE line = ?", (now, was))

    assert faults(booked) == ["line 2 does not follow the line before it"]


def test_a_tail_that_was_cut_off_with_its_head_mended_is_found_by_the_checkpoint(booked):
    cut_off_last()

    assert faults(booked) == [
        "line 4 is missing: the chain ends at line 3, and checkpoint 4 has a line 4"
    ]


def test_a_chain_that_was_hashed_anew_is_found_and_its_first_line_named(booked):
    rewrite_from(2, held="changed")

    assert faults(booked) == [
        "line 2 was changed, and the chain hashed anew: checkpoint 2 tells it"
    ]


def test_a_change_stays_found_after_later_checkpoints_were_taken_of_the_changed_chain(booked):
    rewrite_from(2, held="changed")
    booked.report("k14", hour("13:30"))
    booked.at(LATER, "run")

    assert len(booked.run("checkpoints", "list", "--json").rows) == 5
    assert faults(booked) == [
        "line 2 was changed, and the chain hashed anew: checkpoint 2 tells it"
    ]


def test_a_chain_that_is_gone_is_found(booked):
    tamper("PRAGMA foreign_keys = off; DELETE FROM entry", "DELETE FROM chain")

    assert faults(booked) == [
        "line 1 is missing: the chain ends at line 0, and checkpoint 4 has a line 4"
    ]


# ── Who can write the store can write its checkpoints too ─────────────────────────────────────────


def test_checkpoints_that_were_taken_away_with_the_tail_are_found_by_the_copy(booked):
    kept = exported(booked)
    cut_off_last()
    tamper("DELETE FROM checkpoint WHERE number = 4")

    assert faults(booked) == []
    assert faults(booked, "--checkpoints", kept) == [
        "checkpoint 4: the store's end before it, and the copy's go on to 4",
        "line 4 is missing: the chain ends at line 3, and checkpoint 4 has a line 4",
    ]


def test_a_changed_checkpoint_accuses_itself_and_no_line(booked):
    tamper("UPDATE checkpoint SET heads_hash = printf('%064d', 0) WHERE number = 3")

    (found,) = faults(booked)
    assert found == "checkpoint 3 of 2026-09-01T12:10:00Z: it was changed"


def test_heads_that_were_changed_are_found(booked):
    tamper("UPDATE checkpoint SET heads = replace(heads, 'acme', 'ecma') WHERE number = 3")

    (found,) = faults(booked)
    assert found == "checkpoint 3 of 2026-09-01T12:10:00Z: its heads were changed"


def test_a_removed_checkpoint_is_found(booked):
    tamper("DELETE FROM checkpoint WHERE number = 2")

    (found,) = faults(booked)
    assert "checkpoint 3 of" in found
    assert "some are missing" in found


def test_the_copy_finds_a_ledger_and_checkpoints_that_were_made_anew(booked):
    kept = exported(booked)
    rewrite_from(2, held="changed")
    tamper("DELETE FROM checkpoint", "UPDATE chain SET covered_hash = ''")
    for at in ("14:10", "15:10", "16:10", "17:10"):
        booked.at(hour(at), "checkpoints", "take")

    assert faults(booked) == []
    found = faults(booked, "--checkpoints", kept)
    assert found[0] == "checkpoint 1: the store has another one than the copy"
    assert found[1:] == ["line 2 was changed, and the chain hashed anew: checkpoint 2 tells it"]


def test_a_brief_copy_is_small_and_finds_that_the_stores_checkpoints_are_others(booked):
    kept = exported(booked, "--brief")
    assert max(map(len, kept.read_text().splitlines())) < 800
    assert faults(booked, "--checkpoints", kept) == []
    tamper("DELETE FROM checkpoint", "UPDATE chain SET covered_hash = ''")
    booked.at(hour("13:50"), "checkpoints", "take")

    assert faults(booked, "--checkpoints", kept)[0] == (
        "checkpoint 1: the store has another one than the copy"
    )


def test_after_a_restore_from_an_older_copy_the_lost_tail_is_named(billing, tmp_path, monkeypatch):
    booked = Books(billing.run, tmp_path, lambda at: billing.shop.sandbox.set_time(seconds(at)))
    booked.keep()
    kept = booked.folder / "kept-elsewhere.jsonl"
    monkeypatch.setenv("TALLYSTICK_CHECKPOINT_COPY", str(kept))
    kept.write_text(booked.run("checkpoints", "export").out, encoding="utf-8")
    booked.run("backup", tmp_path / "copy.db")
    booked.report("k14", hour("13:30"))
    booked.at(LATER, "run")
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{tmp_path / 'copy.db'}")
    assert booked.at(hour("15:05"), "restore", "--why", "the disk is gone").code == 0

    assert [json.loads(line)["number"] for line in kept.read_text().splitlines()] == [1, 2, 3, 4, 5]
    assert faults(booked, "--checkpoints", kept) == [
        "checkpoint 5: the store's end before it, and the copy's go on to 5",
        "line 5 is missing: the chain ends at line 4, and checkpoint 5 has a line 5",
    ]


# ── Signatures ────────────────────────────────────────────────────────────────────────────────────


def test_signed_checkpoints_verify_by_the_public_key(signed, booked):
    ran = booked.at(LATER, "verify", "--public-key", signed)

    assert (ran.code, "unsigned" in ran.err) == (0, False)
    assert {row["key"] for row in booked.run("checkpoints", "list", "--json").rows} != {""}


def test_without_a_key_verify_and_doctor_say_that_checkpoints_are_unsigned(booked):
    verified, examined = booked.at(LATER, "verify"), booked.at(LATER, "doctor")

    assert (verified.code, "unsigned: who can write the store" in verified.err) == (0, True)
    assert "unsigned: who can write the store" in examined.out


def test_a_checkpoint_made_anew_without_the_key_is_found(signed, booked, monkeypatch):
    rewrite_from(4, held="changed")
    tamper("DELETE FROM checkpoint WHERE number = 4", "UPDATE chain SET covered_hash = ''")
    monkeypatch.delenv("TALLYSTICK_CHECKPOINT_KEY_FILE")
    booked.at(hour("13:50"), "checkpoints", "take")

    assert faults(booked) == []
    assert faults(booked, "--public-key", signed) == [
        "checkpoint 4 of 2026-09-01T13:50:00Z: it is not signed"
    ]


def test_a_signature_of_another_key_or_a_false_one_is_found(signed, booked, run, tmp_path):
    other = tmp_path / "other.pem"
    other.write_text(run("checkpoints", "new-key", tmp_path / "other-private.pem").out)
    assert all("none of those given" in found for found in faults(booked, "--public-key", other))
    assert faults(booked, "--public-key", other, "--public-key", signed) == []

    tamper(
        "UPDATE checkpoint SET signature = (SELECT signature FROM checkpoint WHERE number = 1)"
        " WHERE number = 3"
    )
    (found,) = faults(booked, "--public-key", signed)
    assert found == "checkpoint 3 of 2026-09-01T12:10:00Z: its signature is false"


def test_the_doctor_says_that_a_checkpoint_is_old_or_not_by_the_key_that_is_set(booked, signed):
    rows = booked.at("2026-09-01T17:00:00Z", "doctor", "--json").rows

    assert [row["finding"] for row in rows if row["subject"] == "checkpoints"][:2] == [
        "the last is of 2026-09-01T13:10:00Z",
        "the last is not signed by the key that is set",
    ]


# ── The commands ──────────────────────────────────────────────────────────────────────────────────


def test_a_new_key_is_its_owners_alone_and_overwrites_nothing(run, tmp_path):
    path = tmp_path / "key.pem"
    ran = run("checkpoints", "new-key", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PRIVATE" in path.read_text()
    assert "PRIVATE" not in ran.out + ran.err
    assert ran.out.startswith("-----BEGIN PUBLIC KEY-----")
    assert run("checkpoints", "new-key", path).code == 2


def test_where_there_is_no_chain_nothing_is_taken(run):
    run("tenants", "add", "acme")

    assert run("checkpoints", "take").code == 1
    assert run("checkpoints", "export").out == ""
    assert "There is no checkpoint" in run("verify").err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--checkpoints", "absent.jsonl"), "cannot be read"),
        (("--public-key", "absent.pem"), "cannot be read"),
        (("--checkpoints", "{wrong}"), "line 2: not a checkpoint"),
        (("--public-key", "{wrong}"), "must be Ed25519"),
    ],
)
def test_a_copy_or_a_key_that_is_none_is_refused(booked, write, arguments, complaint):
    wrong = write("wrong", '\n{"format":0}\n')
    ran = booked.run("verify", *(a.format(wrong=wrong) for a in arguments))

    assert (ran.code, complaint in ran.err) == (2, True)


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_signing_key_that_is_none_stops_the_run_and_shows_nothing_of_itself(
    booked, monkeypatch, text
):
    def lines() -> int:
        with opened() as db:
            ((found,),) = db.execute("SELECT count(*) FROM entry").fetchall()
        return found

    before = lines()
    booked.report("k13b", hour("13:30"))
    monkeypatch.setenv("TALLYSTICK_CHECKPOINT_KEY", text)
    ran = booked.at(LATER, "run")

    assert (ran.code, "no private key" in ran.err) == (2, True)
    assert lines() == before
    assert "nonsense" not in ran.err
    assert "AAAA" not in ran.err
