"""What is written to disk is its owner's alone, and holds no key's text."""

import os
import stat
from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.entrypoints.cli import main


@pytest.fixture(autouse=True)
def generous_umask():
    """As most systems set it: others may read what does not say otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


def test_a_new_store_and_its_backup_are_their_owners_alone(tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path / 'tally.db'}")
    store.backup_to(tmp_path / "copy.db")
    written = modes(tmp_path)
    store.close()

    assert {"tally.db", "tally.db-wal", "copy.db"} <= set(written)
    assert set(written.values()) == {"0o600"}


def test_the_permissions_that_somebody_gave_a_store_stay(tmp_path: Path):
    path = tmp_path / "tally.db"
    open_store(f"sqlite:///{path}").close()
    path.chmod(0o640)

    open_store(f"sqlite:///{path}").close()

    assert modes(tmp_path) == {"tally.db": "0o640"}


def test_a_signing_key_and_a_copy_of_checkpoints_are_their_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{tmp_path / 'tally.db'}")
    monkeypatch.setenv("TALLYSTICK_CHECKPOINT_COPY", str(tmp_path / "copy.jsonl"))
    event = '{"tenant":"acme","code":"calls","key":"k","occurred_at":"2026-09-01T09:00:00Z"}\n'
    (tmp_path / "events.ndjson").write_text(event)
    (tmp_path / "events.ndjson").chmod(0o600)
    for words in (
        "tenants add acme",
        "meters add calls",
        f"import {tmp_path / 'events.ndjson'}",
        f"checkpoints new-key {tmp_path / 'key.pem'}",
        "run --at 2026-09-01T10:10:00Z",
    ):
        assert main(words.split()) == 0

    written = modes(tmp_path)
    assert {"key.pem", "copy.jsonl"} <= set(written)
    assert set(written.values()) == {"0o600"}
