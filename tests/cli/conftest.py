"""Runs of the command line in this process, against a store in a temporary folder."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.entrypoints.cli import main
from tallystick.sandbox import StripeSandbox, serve
from tests.cli.billing import BEGIN, KEY, Billing, onboard, seconds
from tests.sandbox.shop import Shop

NOW = "2026-01-31T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        """What --json printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch, capsys) -> Run:
    for name in ("STRIPE_API_KEY", "STRIPE_API_KEY_FILE", "AUTO_ONBOARD", "GRACE"):
        monkeypatch.delenv(f"TALLYSTICK_{name}", raising=False)
    monkeypatch.setenv("TALLYSTICK_STORE", f"sqlite:///{tmp_path / 'usage.db'}")

    def run_command(*arguments: object) -> Ran:
        code = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run_command


@pytest.fixture
def ready(run: Run) -> Run:
    """A store with the tenant 'acme' and the meter 'requests'."""
    assert run("tenants", "add", "acme").code == 0
    assert run("meters", "add", "requests").code == 0
    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def shop(monkeypatch) -> Iterator[Shop]:
    """A sandbox on the first of September that the commands take for Stripe."""
    with serve(StripeSandbox(now=seconds(BEGIN))) as running, requests.Session() as session:
        monkeypatch.setenv("TALLYSTICK_STRIPE_API_BASE", running.url)
        monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", KEY)
        through = stripe.RequestsClient(session=session)
        client = stripe.StripeClient(KEY, base_addresses={"api": running.url}, http_client=through)
        yield Shop(running.sandbox, client, running.url)


@pytest.fixture
def billing(run: Run, shop: Shop, tmp_path: Path) -> Billing:
    return onboard(run, shop, tmp_path)
