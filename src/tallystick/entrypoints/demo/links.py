"""The driver's ends of the lines to its two programs: the service, which it kills, and Stripe."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from tallystick.clock import SystemClock
from tallystick.domain.errors import TallystickError
from tallystick.domain.instant import SECOND

Reply = dict[str, Any]
"""Parsed JSON."""

DEMO_KEY: Final = "sk_test_demo"
"""The sandbox takes any test key; it never leaves this machine."""

PATIENCE_SECONDS: Final = 60


class DemoFailed(TallystickError):
    """The demo could not be carried out."""


def started(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A program of this package, which ends when its input does."""
    program = f"tallystick.entrypoints.demo.{module}"
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # Ctrl-C is the driver's to answer; its programs end with their input.
        start_new_session=True,
    )


def ended(program: subprocess.Popen[str]) -> str:
    """End it for certain; what it had said and nobody had read yet."""
    program.kill()
    program.wait()
    unread = "" if program.stdout is None else program.stdout.read()
    for pipe in (program.stdin, program.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    return unread


@dataclass(slots=True)
class ServiceLink:
    """The service, started when it is first asked something, and again after each kill."""

    store_url: str
    api_base: str
    kills: int = 0
    _program: subprocess.Popen[str] | None = None

    @property
    def is_up(self) -> bool:
        return self._program is not None

    def ask(self, order: Mapping[str, object]) -> Reply:
        """Its answer. Raises DemoFailed where it died by itself."""
        program = self._say(order)
        line = program.stdout.readline() if program.stdout else ""
        if not line:
            raise DemoFailed(f"the service ended by itself with status {program.wait()}")
        return _read(line)

    def ask_and_kill(self, order: Mapping[str, object], patience: int) -> Reply | None:
        """Give the order, wait for `patience` microseconds, kill -9. Its answer if it came."""
        program = self._say(order)
        SystemClock().sleep(patience)
        self._program = None
        unread = ended(program)
        self.kills += 1
        return _read(unread) if unread.endswith("\n") else None

    def _say(self, order: Mapping[str, object]) -> subprocess.Popen[str]:
        if self._program is None:
            self._program = started("service", self.store_url, self.api_base)
        program = self._program
        if program.stdin is not None:
            try:
                program.stdin.write(json.dumps(order) + "\n")
                program.stdin.flush()
            except BrokenPipeError as error:
                raise DemoFailed("the service ended by itself") from error
        return program

    def close(self) -> None:
        """Kill it: nothing it knows is lost."""
        if self._program is not None:
            ended(self._program)
            self._program = None


def _read(line: str) -> Reply:
    answer: Reply = json.loads(line)
    return answer


@dataclass(slots=True)
class SandboxLink:
    """The stand-in for Stripe: its control API, and Stripe's own for reading totals and bills."""

    url: str
    _program: subprocess.Popen[str]
    _connection: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        host = urlsplit(self.url).netloc
        self._connection = HTTPConnection(host, timeout=PATIENCE_SECONDS)

    @classmethod
    def open(cls, at: int, seed: int) -> Self:
        """Start it, its clock at this instant."""
        program = started("stand_in", str(at // SECOND), str(seed))
        url = program.stdout.readline().strip() if program.stdout else ""
        if not url:
            raise DemoFailed(f"the sandbox did not start: status {program.wait()}")
        return cls(url, program)

    def order(self, path: str, /, **params: object) -> Reply:
        """Carry out an order of the control API."""
        return self._call("POST", f"/_sandbox/{path}", json.dumps(params))

    def forget_faults(self) -> None:
        self._call("DELETE", "/_sandbox/faults")

    def ask(self, path: str) -> Reply:
        """What the control API shows."""
        return self._call("GET", f"/_sandbox/{path}")

    def read(self, path: str, /, **params: object) -> Reply:
        """What Stripe's API shows."""
        return self._call("GET", f"/v1/{path}?{urlencode(params)}")

    def set_clock(self, at: int) -> None:
        self.order("clock", now=at // SECOND)

    def _call(self, method: str, path: str, body: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {DEMO_KEY}"}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status != HTTPStatus.OK:
            raise DemoFailed(f"the sandbox answers {path} with {response.status}: {text}")
        answer: Reply = json.loads(text, parse_float=Decimal)
        return answer

    def close(self) -> None:
        self._connection.close()
        ended(self._program)
