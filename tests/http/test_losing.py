"""A commit whose outcome nobody knows ends the process, and the next one knows."""

import subprocess
import sys
from pathlib import Path

from tallystick.entrypoints.cli import main
from tests.http.served import PATIENCE_SECONDS, STILL, report, serving

FAILING = """
import apsw, pathlib
from tallystick.stores.sqlite import SqliteStore

class File(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__("", name, flags)

    def xSync(self, flags):
        if pathlib.Path({trigger!r}).exists():
            raise apsw.IOError("the disk is gone")
        super().xSync(flags)

class Vfs(apsw.VFS):
    def __init__(self):
        super().__init__("failing", "")

    def xOpen(self, name, flags):
        return File(name, flags)

vfs, opened = Vfs(), SqliteStore.open
SqliteStore.open = lambda *given, **more: opened(*given, vfs="failing", **more)
"""


def test_a_lost_commit_ends_the_process_and_the_next_one_counts_once(folder: Path):
    trigger = folder / "the disk is gone"
    with serving(folder, prelude=FAILING.format(trigger=str(trigger)) + STILL) as served:
        key = served.key
        served.wait_for_passes()
        assert served.request("POST", "/api/v1/events", report("a"))[0] == 204
        trigger.touch()

        status, body, _ = served.request("POST", "/api/v1/events", report("b"))

        assert (status, "urn:tallystick:problem:unavailable" in body) == (503, True)
        assert served.process.wait(PATIENCE_SECONDS) == 3
        served.end()
        assert "the store is lost" in served.said
        assert "is not known" in served.said
        assert str(folder) not in body

    with serving(folder) as again:
        for name in ("a", "b", "b"):
            assert again.request("POST", "/api/v1/events", report(name), key=key)[0] == 204
        status, text, _ = again.request("GET", "/api/v1/usage?tenant=acme&by=total", key=key)
        assert '"quantity": "2"' in text


def test_a_commit_that_the_hourly_loop_loses_ends_the_process_too(folder: Path):
    trigger = folder / "the disk is gone"
    trigger.touch()
    seed = f"""
from tallystick.bootstrap import open_store
from tallystick.testing.factories import event, recording
store = open_store({f"sqlite:///{folder / 'tally.db'}"!r})
store.events.record([recording(event())], 0)
store.close()
"""
    subprocess.run([sys.executable, "-c", seed], check=True)
    url = f"sqlite:///{folder / 'tally.db'}"
    assert main(["keys", "create", "--scope", "admin", "--store", url]) == 0

    with serving(folder, prelude=FAILING.format(trigger=str(trigger))) as served:
        assert served.process.wait(PATIENCE_SECONDS) == 3
        served.end()
        assert "the store is lost" in served.said
