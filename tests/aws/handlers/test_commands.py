"""Every command does on DynamoDB what it does on a file: the same walk over both."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import stripe

from tallystick.sandbox import StripeSandbox, serve
from tests.cli.billing import AFTER_TEN, BEGIN, EVENING, KEY, Billing, onboard, seconds
from tests.cli.conftest import Ran, Run
from tests.http.served import STILL, report, serving
from tests.sandbox.shop import Shop

COMMANDS = Path("docs/cli.md")
pytestmark = pytest.mark.aws

Walked = dict[str, list[Ran]]

ON_NO_STORE = {"demo", "checkpoints new-key", "sandbox stripe"}
SERVED = {"serve"}
"""Its process has a test of its own, below."""

ONLY_FILES = {"backup"}
"""A table is copied by AWS: point-in-time recovery."""

ALONE = {"doctor"}
"""What it looks at is the file, or what takes its place."""

MADE_UP = re.compile(r"\b(?:[0-9a-f]{16,}|(?:tally|tly)_\S+)\b|(?:dynamodb|sqlite):\S+")
"""What is drawn anew in each store: incarnations, identifiers, keys."""


class Walk:
    """Runs commands and keeps what each answered, by its name."""

    def __init__(self, billing: Billing) -> None:
        self._billing = billing
        self.walked: Walked = {}

    def __call__(self, name: str, *arguments: object, at: str = EVENING) -> Ran:
        words = name.split()
        is_timed = name not in UNTIMED
        ran = (
            self._billing.at(at, *words, *arguments)
            if is_timed
            else self._billing.run(*words, *arguments)
        )
        self.walked.setdefault(name, []).append(ran)
        return ran


UNTIMED = {
    *("checkpoints list", "checkpoints export", "dead-letters list", "keys list"),
    *("mappings list", "meters list", "meters show", "publications list", "tenants list"),
    *("tenants show", "trace", "usage", "verify", "backup", "stripe setup", "stripe allow-live"),
}


def usage_in(folder: Path) -> Path:
    line = '{"tenant":"%s","code":"api_calls","key":"%s","quantity":%d,"occurred_at":"%s"}\n'
    path = folder / "usage.ndjson"
    told = [("acme", "k1", 5), ("acme", "k2", 7), ("nobody", "k3", 1), ("never", "k4", 1)]
    path.write_text("".join(line % (*one, "2026-09-01T09:00:00Z") for one in told), "utf-8")
    return path


def through_a_day(walk: Walk, folder: Path) -> None:
    """What a company does: count, bill, look, mend, close."""
    walk("import", usage_in(folder), at=AFTER_TEN)
    walk("dead-letters list", "--json")
    walk("tenants add", "nobody", at=AFTER_TEN)
    walk("dead-letters replay", at=AFTER_TEN)
    letter = walk("dead-letters list", "--json").rows[0]["id"]
    walk("dead-letters dismiss", letter, "--why", "a typo", at=AFTER_TEN)
    walk("seal", at=AFTER_TEN)
    walk("publish", at=AFTER_TEN)
    sent = walk("publications list", "--json").rows[0]["identifier"]
    walk("publications settle", sent, "--as", "arrived", "--why", "it shows", at=AFTER_TEN)
    walk("trace", sent, "--json")
    walk("run")
    walk("usage", "--tenant", "acme", "--json")
    walk("void", "--tenant", "acme", "--event-key", "k2", "--why", "a mistake")
    walk("run", at="2026-09-01T18:10:00Z")
    walk("usage", "--tenant", "acme", "--json")
    walk("reconcile", "--json", at="2026-09-01T18:20:00Z")


def through_its_settings(walk: Walk) -> None:
    walk("meters add", "errors", "--code", "errors")
    walk("meters list", "--json")
    walk("meters show", "errors", "--json")
    walk("meters archive", "errors", "--why", "over")
    walk("tenants list", "--json")
    walk("tenants show", "acme", "--json")
    walk("mappings add", "nobody", "api_calls", "--stripe-subscription-item", "si_1")
    walk("mappings list", "--json")
    walk("mappings end", "nobody", "api_calls", "--why", "over")
    walk("pause", "--why", "lunch")
    walk("run", at="2026-09-01T18:30:00Z")
    walk("resume", "--why", "fed")
    walk("stripe setup", "more_calls")
    walk("stripe allow-live", "--why", "we begin")
    made = walk("keys create", "--scope", "read", "--json").rows[0]
    walk("keys list", "--json")
    walk("keys revoke", made["id"], "--why", "leaked")


def through_its_books(walk: Walk, folder: Path) -> None:
    walk("checkpoints take", at="2026-09-01T19:10:00Z")
    walk("checkpoints list", "--json")
    copy = folder / "copy.ndjson"
    copy.write_text(walk("checkpoints export").out, "utf-8")
    walk("verify", "--checkpoints", copy)
    walk("doctor", "--json", at="2026-09-01T19:20:00Z")
    walk("backup", folder / "copy.db")
    walk("restore", "--why", "a copy was put in place", at="2026-09-01T20:00:00Z")
    walk("reconcile", at="2026-09-01T20:10:00Z")


@pytest.fixture
def walked_on(run: Run, monkeypatch, tmp_path: Path) -> Callable[[str, str], Walked]:
    """What the commands answered on a store, each with a Stripe of its own."""

    def walk_on(name: str, store: str) -> Walked:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("TALLYSTICK_STORE", store)
        with serve(StripeSandbox(now=seconds(BEGIN))) as running, requests.Session() as session:
            monkeypatch.setenv("TALLYSTICK_STRIPE_API_BASE", running.url)
            monkeypatch.setenv("TALLYSTICK_STRIPE_API_KEY", KEY)
            client = stripe.StripeClient(
                KEY,
                base_addresses={"api": running.url},
                http_client=stripe.RequestsClient(session=session),
            )
            walk = Walk(onboard(run, Shop(running.sandbox, client, running.url), folder))
            through_a_day(walk, folder)
            through_its_settings(walk)
            through_its_books(walk, folder)
        return walk.walked

    return walk_on


def test_every_command_answers_on_a_table_as_on_a_file(table, walked_on, tmp_path):
    on_table = walked_on("table", f"dynamodb://{table}?region=us-east-1")
    on_file = walked_on("file", f"sqlite:///{tmp_path / 'usage.db'}")

    for name in on_table.keys() - ONLY_FILES - ALONE:
        assert told(on_table, name) == told(on_file, name), name
    codes = {name: {ran.code for ran in found} for name, found in on_table.items()}
    assert {name for name, found in codes.items() if 3 in found} == set()
    assert {name for name, found in codes.items() if 2 in found} == ONLY_FILES
    commands = set(re.findall(r"^## ([a-z][a-z -]+)$", COMMANDS.read_text("utf-8"), re.MULTILINE))
    assert commands - ON_NO_STORE - SERVED == on_table.keys()


def told(walked: Walked, name: str) -> list[tuple[int, str, str]]:
    """What a command answered each time, without what is drawn anew."""
    key = str(walked["keys create"][0].rows[0]["id"])

    def plain(text: str) -> str:
        return MADE_UP.sub("…", text.replace(key, "…"))

    return [(ran.code, plain(ran.out), plain(ran.err)) for ran in walked[name]]


def test_a_server_counts_what_it_takes_into_a_table(table, run: Run, tmp_path: Path):
    store = f"dynamodb://{table}?region=us-east-1"
    for added in (("tenants", "add", "acme"), ("meters", "add", "requests")):
        assert run(*added, "--store", store).code == 0

    with serving(tmp_path, prelude=STILL, store=store) as served:
        statuses = [served.request("POST", "/api/v1/events", report("e1", 5))[0] for _ in range(2)]
        code = served.end()

    assert (statuses, code) == ([204, 204], 0)
    (row,) = run("usage", "--tenant", "acme", "--json", "--store", store).rows
    assert row["quantity"] == "5"
