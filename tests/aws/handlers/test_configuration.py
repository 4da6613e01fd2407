"""scripts/create_tenant_configuration.py, where nothing but Python and boto3 is installed."""

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tallystick.bootstrap import open_store
from tallystick.domain.instant import parse_instant
from tallystick.entrypoints.aws import ingest
from tallystick.ports import Store
from tallystick.publishers import HOUR_METER, USAGE_RECORD
from tests.aws.handlers.calls import batch, usage

pytestmark = pytest.mark.aws

SCRIPT = Path("scripts/create_tenant_configuration.py")
SINCE = "2026-09-01T00:00:00Z"
Ran = subprocess.CompletedProcess[str]


def distributions(name: str) -> Iterator[importlib.metadata.Distribution]:
    """It, and all that it needs."""
    found = importlib.metadata.distribution(name)
    yield found
    for requirement in found.requires or ():
        if "extra ==" not in requirement:
            needed = re.match(r"[A-Za-z0-9._-]+", requirement)
            assert needed is not None
            yield from distributions(needed[0])


@pytest.fixture(scope="module")
def only_boto3(tmp_path_factory) -> Path:
    """A folder with boto3 and what it needs."""
    folder = tmp_path_factory.mktemp("only_boto3")
    for found in distributions("boto3"):
        tops = {file.parts[0] for file in found.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


@pytest.fixture
def configure(table: str, only_boto3: Path) -> Callable[..., Ran]:
    def ran(*more: str, item: str = "si_1", code: str = "api_calls") -> Ran:
        given = {
            "--table": table,
            "--region": "us-east-1",
            "--tenant-id": "sub|1234",
            "--internal-product-code": code,
            "--stripe-subscription-item": item,
        }
        options = [text for pair in given.items() for text in pair]
        return subprocess.run(
            [sys.executable, "-S", str(SCRIPT), *options, *more],
            env={**os.environ, "PYTHONPATH": str(only_boto3)},
            capture_output=True,
            text=True,
            check=False,
        )

    return ran


@pytest.fixture
def store(table: str) -> Iterator[Store]:
    found = open_store(f"dynamodb://{table}?region=us-east-1")
    yield found
    found.close()


def test_nothing_but_boto3_is_there(only_boto3):
    asked = [sys.executable, "-S", "-c", "import boto3\nimport msgspec"]
    ran = subprocess.run(
        asked, env={"PYTHONPATH": str(only_boto3)}, capture_output=True, text=True, check=False
    )

    assert "No module named 'msgspec'" in ran.stderr


def test_it_makes_tenant_meter_and_mapping_says_so_and_changes_nothing_twice(configure, store):
    first = configure("--publish-from", SINCE)
    stored = store.catalog.account("sub|1234"), store.catalog.meters(), store.catalog.revision()
    again = configure("--publish-from", SINCE)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        "tenant 'sub|1234' is added: billed monthly, in UTC",
        "meter 'api_calls' is added: it sums 'api_calls'",
        f"'api_calls' is billed through si_1, from {SINCE}",
    ]
    assert again.stdout == "nothing is changed: it is so already\n"
    account = store.catalog.account("sub|1234")
    assert account is not None
    (mapping,) = account.mappings
    assert (mapping.route, mapping.destination, mapping.counter) == (USAGE_RECORD.name, "si_1", "")
    assert mapping.publish_from == parse_instant(SINCE)
    now = store.catalog.account("sub|1234"), store.catalog.meters(), store.catalog.revision()
    assert now == stored


def test_another_item_takes_over_from_the_next_hour(configure, store):
    configure("--publish-from", SINCE)

    assert "is billed through si_2, from " in configure(item="si_2").stdout

    account = store.catalog.account("sub|1234")
    assert account is not None
    assert [mapping.destination for mapping in account.mappings] == ["si_1", "si_2"]
    assert account.mappings[1].publish_from == parse_instant(SINCE), "a known one keeps it"


def test_a_customer_is_billed_through_an_hour_meter(configure, store):
    configure(item="cus_1")

    account = store.catalog.account("sub|1234")
    assert account is not None
    (mapping,) = account.mappings
    assert (mapping.route, mapping.counter) == (HOUR_METER.name, "api_calls")


def test_events_that_wait_for_the_tenant_are_told_of(configure, store, call):
    call(ingest.handler, batch(usage("sub|1234")))

    assert "events wait for this tenant" in configure().stdout


@pytest.mark.parametrize(
    ("options", "item", "wrong"),
    [
        ((), "sub_1", "'sub_1'"),
        (("--publish-from", "yesterday"), "si_1", "RFC 3339"),
        (("--tenant-id", ""), "si_1", "tenant ''"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    configure, store, options, item, wrong
):
    ran = configure(*options, item=item)

    assert (ran.returncode, wrong in ran.stderr, ran.stdout) == (2, True, "")
    assert store.catalog.revision() == 0


def test_a_table_that_is_not_there_is_told(configure):
    ran = configure("--table", "absent-table")

    assert ran.returncode == 2
    assert "no DynamoDB table absent-table in us-east-1" in ran.stderr


@pytest.mark.parametrize("command", [("usage",), ("tenants", "add", "acme"), ("doctor",)])
def test_a_command_on_a_table_that_is_not_there_says_where_it_looked_and_what_to_do(
    table, run, command
):
    ran = run(*command, "--store", "dynamodb://absent-table?region=eu-central-1")

    assert (ran.code, ran.out) == (2, "")
    assert "no DynamoDB table absent-table in eu-central-1" in ran.err
    assert "StoreUrl" in ran.err
    assert "try again" not in ran.err
