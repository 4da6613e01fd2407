"""The rival, run: a PostgreSQL cluster of its own in a folder, and the service in front of it.

Both on the server's core, as ours is. PostgreSQL is Debian's, unchanged but for the settings below,
which are those that a good team would set, and two that spare it the work of a replica.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final

from bench.table.load import Refused
from bench.table.machine import ROOT, SERVER_CORES, cpu_seconds, on_cores, tree
from bench.table.serving import Held, Server
from bench.table.usage import Usage, key_of_number

INSTALL: Final = "apt-get install postgresql"
VENV: Final = ROOT / "build" / "bench"
PYTHON: Final = VENV / "bin" / "python"
KEY: Final = "rival-key"
ROWS_EACH: Final = 10_000
STOP_SECONDS: Final = 120

SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "64MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def programs() -> Path | None:
    """Where the newest PostgreSQL of this machine keeps its programs; None where there is none."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3])
    )
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def what_is_missing() -> str:
    """Why the rival cannot be measured here, with the command that helps; '' where it can be."""
    if programs() is None:
        return f"no PostgreSQL on this machine; `{INSTALL}` installs it"
    if not PYTHON.exists():
        return "the rival's packages are not installed; `make bench` installs them"
    return ""


@dataclass
class Cluster:
    """A PostgreSQL of this run alone. It refuses to run as root, and so runs as its own user."""

    folder: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://rival@127.0.0.1:{self.port}/postgres"

    @property
    def version(self) -> str:
        return subprocess.check_output([self._program("postgres"), "--version"], text=True).strip()  # noqa: S603

    def create(self) -> None:
        self.folder.mkdir(parents=True)
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        self._run(
            *("initdb", "--pgdata", str(self.folder), "--username", "rival"),
            *("--no-locale", "--encoding", "UTF8", "--auth", "trust"),
        )
        lines = [f"{name} = '{value}'\n" for name, value in SETTINGS.items()]
        with (self.folder / "postgresql.conf").open("a") as settings:
            settings.writelines(
                [*lines, f"unix_socket_directories = '{self.folder}'\n", f"port = {self.port}\n"]
            )

    def start(self, log: IO[bytes]) -> None:
        command = [self._program("postgres"), "-D", str(self.folder)]
        self._process = None
        deadline = time.monotonic() + STOP_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise Refused("PostgreSQL does not start; see the log beside its folder")
            if self._process is None or self._process.poll() is not None:
                # After a kill it refuses to begin while one of its processes is still dying.
                self._process = subprocess.Popen(  # noqa: S603
                    command,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    user=self._user,
                    group=self._user,
                )
            time.sleep(0.02)

    def psql(self, text: str) -> str:
        command = [self._program("psql"), "-XqtA", "-v", "ON_ERROR_STOP=1", self.url, "-c", text]
        return subprocess.check_output(command, text=True).strip()  # noqa: S603

    def kill(self) -> None:
        """All its processes at once, as a power cut would."""
        if self._process is not None:
            for pid in tree(self._process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            self._process.wait(STOP_SECONDS)
            self._process = None

    def cpu_seconds(self) -> float:
        return cpu_seconds(self._process.pid) if self._process else 0.0

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            found = subprocess.run(  # noqa: S603
                [self._program("pg_isready"), "-q", "-d", self.url], check=False
            )
            return found.returncode == 0
        return False

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603
            [self._program(name), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
            group=self._user,
        )

    def _program(self, name: str) -> str:
        found = programs()
        if found is None:
            raise Refused(what_is_missing())
        return str(found / name)

    @property
    def _user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None


@dataclass
class Rival(Server):
    """The service and its cluster, as one server."""

    name: str = "rival"
    key: str = KEY

    def __post_init__(self) -> None:
        self.cluster = Cluster(self.folder / "postgres", self.port + 1)

    def set_up(self) -> None:
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        self.cluster.create()
        with on_cores(SERVER_CORES), (self.folder / "log").open("ab") as log:
            self.cluster.start(log)
        self.cluster.psql((Path(__file__).parent / "schema.sql").read_text())
        digest = hashlib.sha256(KEY.encode()).hexdigest()
        self.cluster.psql(f"INSERT INTO api_key VALUES ('\\x{digest}', 'bench')")  # noqa: S608

    def launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        if not self.cluster.cpu_seconds():
            self.cluster.start(log)
        command = [
            *(str(PYTHON), "-m", "uvicorn", "bench.rival.app:app", "--port", str(self.port)),
            *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
        ]
        environment = {**os.environ, "RIVAL_URL": self.cluster.url, "PYTHONPATH": ""}
        return subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=ROOT, stdout=log, stderr=log
        )

    def kill(self) -> None:
        super().kill()
        self.cluster.kill()

    def stop(self) -> None:
        super().stop()
        self.cluster.stop()

    def cpu_seconds(self) -> float:
        return super().cpu_seconds() + self.cluster.cpu_seconds()

    def held(self) -> Held:
        stored = self.cluster.psql("SELECT count(*), coalesce(sum(quantity), 0) FROM event")
        rolled = self.cluster.psql("SELECT sum(events), sum(total) FROM rollup")
        if stored not in {rolled, "0|0"}:
            raise Refused(f"the rival stored {stored} and counted {rolled}")
        events, total = stored.split("|")
        return Held(int(events), int(total))

    def fill(self, usage: Usage, numbers: range) -> None:
        """Store these events beforehand. The service need not run."""
        command = [str(PYTHON), str(Path(__file__).parent / "fill.py")]
        environment = {**os.environ, "RIVAL_URL": self.cluster.url}
        filling = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # noqa: S603
        assert filling.stdin is not None  # noqa: S101  # it was asked for
        with filling.stdin as rows:
            for start in range(numbers.start, numbers.stop, ROWS_EACH):
                upto = min(start + ROWS_EACH, numbers.stop)
                rows.write(b"".join(_copied(usage, range(start, upto))))
        if filling.wait():
            raise Refused("the rival could not be filled")

    def bytes_on_disk(self) -> int:
        """Its tables with their indexes; the write-ahead log is left out."""
        found = self.cluster.psql(
            "SELECT pg_total_relation_size('event') + pg_total_relation_size('rollup')"
        )
        return int(found)


def _copied(usage: Usage, numbers: range) -> Iterator[bytes]:
    """The rows of these events in the form that COPY reads."""
    for number in numbers:
        left, right = _columns(usage.opening(number))
        yield left + key_of_number(number) + right


@cache
def _columns(opening: bytes) -> tuple[bytes, bytes]:
    """What stands before and after an event's own id."""
    sent = json.loads(opening + b'"}')
    source, region = sent["source"], sent["data"]["region"]
    left = f"{sent['subject']}\t{len(source)}:{source}"
    right = (sent["type"], str(sent["data"]["quantity"]), sent["time"], f'{{"region": "{region}"}}')
    return left.encode(), b"\t" + "\t".join(right).encode() + b"\n"
