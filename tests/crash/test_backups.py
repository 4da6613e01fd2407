"""A backup while events are counted, and a restore from it after the original is lost."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tallystick.stores.sqlite import SqliteStore
from tests.crash.checking import Acks, Found, look_at
from tests.crash.clients import Load, ended, started
from tests.crash.company import Sandbox, now_by_the_clock, opened_company, running_sandbox, url_of
from tests.crash.kills import CLIENTS, World
from tests.http.served import PATIENCE_SECONDS, PROGRAM, serving

BACKUPS = 3
ACKED_BETWEEN = 500


def run(sandbox: Sandbox, *arguments: str) -> None:
    """One command against this sandbox; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | sandbox.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def held_against(copy: Path, acks: Acks) -> Found:
    """What is in the copy against what was acked before it was made."""
    store = SqliteStore.open(copy, create=False, incarnation="x")
    try:
        return look_at(store, acks, now_by_the_clock(), store.integrity_check())
    finally:
        store.close()


@pytest.mark.slow
def test_backups_under_load_hold_what_was_acked_and_a_restored_one_bills_all_once(tmp_path: Path):
    now = now_by_the_clock()
    with running_sandbox() as sandbox:
        sandbox.set_up(now)
        original, restored = tmp_path / "original", tmp_path / "restored"
        original.mkdir()
        restored.mkdir()
        key, load = opened_company(original, now), Load("backups", now)

        copies = _back_up_under_load(original, sandbox, load, key)
        for copy, acked in copies:
            found = held_against(copy, Acks(dict(load.acks.sent), acked))
            assert found.is_clean, str(found)
            assert acked

        shutil.rmtree(original)
        copies[-1][0].rename(restored / "tally.db")
        world = World(restored, sandbox, Random(0), load, key)
        _restore_under_load(world)
        found, published = world.end()

    assert found.is_clean, str(found)
    assert published


def _back_up_under_load(
    folder: Path, sandbox: Sandbox, load: Load, key: str
) -> list[tuple[Path, set[tuple[str, str]]]]:
    """The copies, each with what had been acked before it was begun; the server is killed then."""
    copies: list[tuple[Path, set[tuple[str, str]]]] = []
    with serving(folder, environment=sandbox.environment) as served:
        clients = started(load, [served.port], key, CLIENTS)
        for number in range(BACKUPS):
            assert load.wait_until(ACKED_BETWEEN * (number + 1))
            acked = set(load.acks.acked)
            copy = folder.parent / f"copy-{number}.db"
            run(sandbox, "backup", str(copy), "--store", url_of(folder))
            copies.append((copy, acked))
        served.end(signal.SIGKILL)
        ended(clients)
    return copies


def _restore_under_load(world: World) -> None:
    """The copy is restored while a server counts on it that publishes nothing yet."""
    with serving(world.folder) as served:
        told = world.load.tell_all_again()
        clients = started(world.load, [served.port], world.key, CLIENTS)
        restore = ["restore", "--why", "the disk is gone", "--store", url_of(world.folder)]
        run(world.sandbox, *restore)
        assert world.load.wait_until(told)
        assert served.end() == 0
        ended(clients)


def test_a_backup_has_its_name_on_the_disk_when_it_is_said_to_be_there(tmp_path, monkeypatch):
    store = SqliteStore.open(tmp_path / "tally.db", incarnation="here")
    copy, put = tmp_path / "copy.db", []
    monkeypatch.setattr(os, "fsync", lambda of: put.append((os.fstat(of).st_ino, copy.exists())))
    store.backup_to(copy)
    store.close()

    assert put == [(tmp_path.stat().st_ino, True)]
