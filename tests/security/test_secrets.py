"""No secret appears anywhere: every command and a served scenario, faults included, is searched."""

import base64
import json
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tallystick.config import read_settings
from tallystick.entrypoints.cli import main
from tallystick.sandbox import Fault, StripeSandbox, serve
from tallystick.signing import new_key_pair
from tests.cli.billing import AFTER_TEN, BEGIN, seconds
from tests.http.served import PROGRAM, Served

STRIPE_KEY = f"sk_test_{secrets.token_hex(16)}"
WEBHOOK_SECRET = f"whsec_{secrets.token_hex(16)}"
EVENT = '{"tenant":"acme","code":"calls","key":"k%d","occurred_at":"2026-09-01T09:00:00Z"}\n'
MAPPED = (
    f"mappings add acme calls --stripe-customer cus_acme --event-name calls --publish-from {BEGIN}"
)
HEALTHY = (
    "stripe setup calls",
    "tenants add acme --anchor 2026-09-01",
    "meters add calls",
    MAPPED,
    "import {folder}/events.ndjson",
    f"run --at {AFTER_TEN}",
    "run --json --at 2026-09-01T11:10:00Z",
    "publications list --json",
    "reconcile --at 2026-09-01T11:20:00Z",
    "doctor",
    "verify",
    "checkpoints take",
    "checkpoints list --json",
    "checkpoints export",
    "keys list --json",
    "usage --json",
    "dead-letters list",
    "backup {folder}/copy.db",
    "restore --why lost",
    "trace nothing",
    "no-such-command",
    "run --no-such-option",
    "--help",
)
UNDER_FAULTS = (f"run --at {AFTER_TEN}", "doctor", "reconcile", "restore --why lost")


PRIVATE_KEY = new_key_pair()[0]
HIDDEN = (STRIPE_KEY, WEBHOOK_SECRET, PRIVATE_KEY.splitlines()[1])
"""Of the key only what is within its frame."""


@dataclass(frozen=True, slots=True)
class World:
    """Every secret there is, in the settings; the sandbox for Stripe; and commands."""

    folder: Path
    sandbox: StripeSandbox
    captured: pytest.CaptureFixture

    def ran(self, commands: tuple[str, ...]) -> dict[str, bytes]:
        """What each command put out."""
        told = {}
        for command in commands:
            main(command.format(folder=self.folder).split())
            captured = self.captured.readouterr()
            told[command] = (captured.out + captured.err).encode()
        return told


@pytest.fixture
def world(tmp_path: Path, monkeypatch, capfd) -> Iterator[World]:
    (tmp_path / "events.ndjson").write_text("".join(EVENT % n for n in range(3)) + "{}\nno\n")
    with serve(StripeSandbox(now=seconds(AFTER_TEN))) as running:
        settings = {
            "STORE": f"sqlite:///{tmp_path / 'tally.db'}",
            "STRIPE_API_KEY": STRIPE_KEY,
            "STRIPE_API_BASE": running.url,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "CHECKPOINT_KEY": PRIVATE_KEY,
            "CHECKPOINT_COPY": str(tmp_path / "checkpoints.jsonl"),
            "LOG_LEVEL": "debug",
        }
        for name, text in settings.items():
            monkeypatch.setenv(f"TALLYSTICK_{name}", text)
        yield World(tmp_path, running.sandbox, capfd)


def spellings(secret: str) -> set[bytes]:
    """A secret as it stands, and as encodings of it would show it."""
    raw = secret.encode()
    encoded = base64.b64encode(raw).rstrip(b"=")[:-1]
    return {raw, encoded, raw.hex().encode(), quote(secret).encode()}


def found_in(texts: dict[str, bytes], *hidden: str) -> list[str]:
    """Where any of the secrets shows."""
    return [
        f"{place} shows {secret[:8]}…"
        for secret in hidden
        for place, text in texts.items()
        if any(spelling in text for spelling in spellings(secret))
    ]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_command_and_no_file_shows_a_secret(world, caplog):
    with caplog.at_level(logging.DEBUG):
        told = world.ran(HEALTHY)
        world.sandbox.add_fault(Fault(kind="outage"))
        told |= {f"outage: {c}": text for c, text in world.ran(UNDER_FAULTS).items()}
    told |= {"log records": caplog.text.encode(), **files_in(world.folder)}

    assert b"1 accepted" in told[f"run --at {AFTER_TEN}"]
    assert found_in(told, *HIDDEN) == []


@pytest.mark.parametrize("kind", ["nobody listens", "no TLS", "no name"])
def test_no_fault_on_the_way_to_stripe_shows_a_secret(world, kind, monkeypatch):
    world.ran(HEALTHY[:5])
    base = {
        "nobody listens": "http://127.0.0.1:9",
        "no TLS": os.environ["TALLYSTICK_STRIPE_API_BASE"].replace("http:", "https:"),
        "no name": "https://stripe.invalid",
    }
    monkeypatch.setenv("TALLYSTICK_STRIPE_API_BASE", base[kind])

    assert found_in(world.ran(UNDER_FAULTS), *HIDDEN) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STRIPE_API_KEY", f"{STRIPE_KEY} \u00e4"),
        ("STRIPE_API_KEY", f"not-a-key-{STRIPE_KEY[8:]}"),
        ("STRIPE_WEBHOOK_SECRET", f"wh{WEBHOOK_SECRET}"),
        ("CHECKPOINT_KEY", f"-----BEGIN {STRIPE_KEY}"),
    ],
    ids=["foreign letter", "no prefix", "wrong prefix", "no key within"],
)
def test_a_secret_that_is_none_is_refused_unseen(world, monkeypatch, name, text):
    world.ran(HEALTHY[1:2])
    monkeypatch.setenv(f"TALLYSTICK_{name}", text)

    told = world.ran((f"run --at {AFTER_TEN}", "doctor"))

    assert found_in(told, STRIPE_KEY[8:], WEBHOOK_SECRET[6:]) == []


def test_settings_show_no_secret_of_theirs(world):
    settings = read_settings(os.environ)
    shown = {"repr": repr(settings).encode(), "str": str(settings).encode()}

    assert found_in(shown, *HIDDEN) == []


def test_a_traceback_shows_no_secret(world):
    """The worst case: a bug of ours, with the settings in hand, that ends the process."""
    bug = "from tallystick.config import read_settings\nraise KeyError(read_settings())"
    ended = subprocess.run([sys.executable, "-c", bug], capture_output=True, check=False)

    assert b"KeyError: Settings(" in ended.stderr
    assert found_in({"traceback": ended.stderr}, *HIDDEN) == []


class SecretServed(Served):
    """A server with every secret in its environment."""

    def __init__(self, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            kept = {k: v for k, v in os.environ.items() if k.startswith("TALLYSTICK_")}
            started = subprocess.Popen

            def with_secrets(*arguments, env, **options):
                return started(*arguments, env={**env, **kept}, **options)

            patch.setattr(subprocess, "Popen", with_secrets)
            super().__init__(folder)


def test_a_server_shows_its_first_key_once_and_no_other_secret(world):
    (world.folder / "served").mkdir()
    served = SecretServed(world.folder / "served")
    key = served.key
    answers = {}
    try:
        for method, path, body, used in (
            ("POST", "/api/v1/events", json.loads(EVENT % 1), key),
            ("POST", "/api/v1/events", [1, "x"], key),
            ("GET", f"/api/v1/events?{key}={key}", None, key),
            ("GET", "/api/v1/meters/none/query", None, key),
            ("GET", "/api/v1/keys", None, key),
            ("GET", "/metrics", None, key),
            ("GET", "/readyz", None, key),
            ("GET", "/openapi.json", None, key),
            ("GET", f"/nothing/{key}", None, key),
            ("GET", "/api/v1/tenants", None, key[:-1] + "x"),
            ("POST", "/webhooks/stripe", {"id": "evt_1"}, key),
        ):
            answers[path] = json.dumps(served.request(method, path, body, used)).encode()
        arguments = Path(f"/proc/{served.process.pid}/cmdline")
        answers["arguments"] = arguments.read_bytes() if arguments.exists() else PROGRAM.encode()
    finally:
        served.end()
    log = served.said.encode()
    told = {**answers, "log": log, **files_in(world.folder)}

    assert found_in(told, *HIDDEN) == []
    assert log.count(key.encode()) == 1
    assert found_in(files_in(world.folder), key, key.split("_", 2)[2]) == []
