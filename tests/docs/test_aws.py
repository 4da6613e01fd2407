"""docs/aws.md against template.yaml and the code: its names are theirs, and its examples count."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tallystick.domain.dead_letter import DeadLetter
from tallystick.domain.instant import parse_instant
from tallystick.domain.meter import Aggregation, Meter
from tallystick.domain.tenant import Tenant
from tallystick.entrypoints.aws import reconcile, reporting, summary
from tallystick.ports import Override
from tallystick.publishers import target_of
from tallystick.stages.ingesting import Report, ingest, intake_of
from tallystick.stages.onboarding import Desk, Onboarded, onboard
from tallystick.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
NOW = parse_instant("2026-11-01T13:00:00Z")
AUDIT = Override(at=NOW, who="ada", why="a test", action="save", subject="it")


class Loader(yaml.SafeLoader):
    """Of CloudFormation's own tags only what they are applied to matters here."""


def plain(loader: Loader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", plain)
TEMPLATE: dict[str, Any] = yaml.load(
    (ROOT / "template.yaml").read_text(encoding="utf-8"),
    Loader,  # noqa: S506  # a subclass of the safe one
)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


TAKING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def of_type(kind: str) -> dict[str, Any]:
    return {n: found["Properties"] for n, found in RESOURCES.items() if found["Type"] == kind}


ALARMS = of_type("AWS::CloudWatch::Alarm")
FUNCTIONS = of_type("AWS::Serverless::Function")


def rows(first: str) -> dict[str, list[str]]:
    """The table whose first heading is this: its other cells by its first, without backticks."""
    (table,) = re.findall(rf"^\| {first} \|.*\n\|[- |]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return {row[0].strip("| `"): row[1:] for row in cells}


def test_every_parameter_is_told_with_its_default_and_no_other():
    defaults = {name: str(found["Default"]) for name, found in TEMPLATE["Parameters"].items()}

    told = {name: cells[0].strip("`") for name, cells in rows("parameter").items()}
    assert told.keys() == defaults.keys()
    assert {n: text for n, text in told.items() if defaults[n] and text != defaults[n]} == {}


def test_every_output_that_is_used_is_there():
    used = set(re.findall(r"\$\(output (\w+)\)", PAGE)) | {"AlarmTopicArn"}

    assert len(used) > 3
    assert used <= TEMPLATE["Outputs"].keys()


def test_every_alarm_is_told_with_what_to_do_and_no_other():
    assert rows("alarm").keys() == ALARMS.keys()
    assert all(len(cells) == 2 and all(cells) for cells in rows("alarm").values())


def test_every_number_that_is_written_has_an_alarm_or_is_told():
    told_of = [Path(module.__file__).read_text("utf-8") for module in (summary, reporting)]
    written = set(re.findall(r'"([A-Z]\w+)": ', "".join(told_of)))
    written |= set(re.findall(r"count\((\w+)=", Path(reconcile.__file__).read_text("utf-8")))
    watched = {a["MetricName"] for a in ALARMS.values() if a["Namespace"] == "Tallystick"}

    assert watched <= written
    assert {name for name in written - watched if f"`{name}`" not in PAGE} == set()


def test_the_page_says_what_each_function_may_do():
    assert {name: cells[1] for name, cells in rows("function").items()} == {
        name: granted(found["Role"].split(".")[0]) for name, found in FUNCTIONS.items()
    }


def granted(role: str) -> str:
    """What a role may do beside writing its own log and reading the table, in the page's words."""
    reading, *more = RESOURCES[role]["Properties"]["ManagedPolicyArns"]
    assert reading == "TableReading"
    forbids = "BooksForbidden" in more
    writes = "write items, but none of the books" if forbids else "write items"
    words = {"TableWriting": writes, "TableClearing": "delete items"}
    found = [words[name] for name in more if name != "BooksForbidden"]
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, place = statement["Action"], statement["Resource"].split(".")[0]
            if actions == ["logs:CreateLogStream", "logs:PutLogEvents"]:
                assert place == f"{role.removesuffix('Role')}Log"
            elif actions == "secretsmanager:GetSecretValue":
                found.append(f"read `{place}`")
            else:
                assert actions == TAKING
                found.append(f"take messages from `{place}`")
    return "; ".join(found) or "nothing"


def test_nobody_may_scan_change_or_delete_the_table():
    policies = of_type("AWS::IAM::ManagedPolicy")
    allowed = {
        name: [s["Action"] for s in found["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        for name, found in policies.items()
    }

    reads = [f"dynamodb:{name}" for name in ("GetItem", "BatchGetItem", "Query")]
    assert allowed == {
        "TableReading": [reads, "dynamodb:Query"],
        "TableWriting": [["dynamodb:PutItem", "dynamodb:UpdateItem"]],
        "TableClearing": ["dynamodb:DeleteItem"],
        "BooksForbidden": [],
    }


def test_every_command_on_the_page_exists():
    said = set(re.findall(r"tallystick ([a-z][a-z-]+(?: [a-z][a-z-]+)?)\b", PAGE))
    known = set(re.findall(r"^## ([a-z][a-z -]+)$", COMMANDS, re.MULTILINE))

    groups = {name.split()[0] for name in known}
    assert len(said) > 10
    assert {s for s in said if s not in known and s.split()[0] not in known | groups} == set()


def test_every_option_of_the_script_exists():
    script = (ROOT / "scripts" / "create_tenant_configuration.py").read_text(encoding="utf-8")
    (said,) = re.findall(r"create_tenant_configuration\.py ((?:.*\\\n)*.*)\n", PAGE)

    options = re.findall(r"(--[a-z-]+) ", said)
    assert len(options) == 5
    assert [name for name in options if f'"{name}"' not in script] == []


def test_every_resource_that_the_page_names_is_there():
    named = set(re.findall(r"`([A-Z]\w+(?:Function|Queue|Schedule|Machine|Alarm|Key))`", PAGE))

    assert len(named) > 20
    assert named - TEMPLATE["Parameters"].keys() <= RESOURCES.keys()


# ── The examples ──────────────────────────────────────────────────────────────────────────────────


def entries(detail_type: str) -> Iterator[dict[str, str]]:
    """Those of the page's calls of put-events."""
    for block in re.findall(r"```json\n(\[.*?)```", PAGE, re.DOTALL):
        yield from (one for one in json.loads(block) if one["DetailType"] == detail_type)


def envelope(entry: dict[str, str], number: int) -> Report:
    """What EventBridge makes of it."""
    body = {
        "version": "0",
        "id": f"00000000-0000-4000-8000-{number:012}",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "time": "2026-11-01T12:30:00Z",
        "detail": json.loads(entry["Detail"]),
    }
    return Report(origin="eventbridge", body=json.dumps(body))


@pytest.fixture
def store() -> MemoryStore:
    """As the page has it when it comes to the events."""
    made = MemoryStore(incarnation="here")
    made.catalog.save(Tenant(id="acme"), AUDIT)
    made.catalog.save(Meter(id="api_calls", code="api_calls", aggregation=Aggregation.SUM), AUDIT)
    return made


def test_the_events_on_the_page_count(store: MemoryStore):
    reports = [envelope(entry, number) for number, entry in enumerate(entries("BILLING"))]

    for _ in range(2):
        outcomes = ingest(reports, intake_of(store), NOW)
        assert not [one for one in outcomes if isinstance(one, DeadLetter)]

    found = store.events.aggregates(tenant="acme", meter="api_calls").elements
    assert sum(one.value for one in found) == Decimal("5.5")


def test_the_onboarding_on_the_page_makes_its_tenant(store: MemoryStore):
    (entry,) = entries("ONBOARD")
    desk = Desk(intake=intake_of(store), target=target_of)

    assert onboard(envelope(entry, 1), desk, NOW) is Onboarded.ONBOARDED
    assert onboard(envelope(entry, 1), desk, NOW) is Onboarded.KNOWN


def test_the_bus_is_called_as_by_default():
    named = {one["EventBusName"] for kind in ("BILLING", "ONBOARD") for one in entries(kind)}

    assert named == {TEMPLATE["Parameters"]["EventBusName"]["Default"]}


def test_the_program_that_looks_at_what_failed_sends_it_again(monkeypatch: pytest.MonkeyPatch):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(program, scope)  # noqa: S102  # the page's own
    bus = Bus(fail_first=3)
    monkeypatch.setattr(scope["boto3"], "client", lambda _: bus)

    scope["report"]([{"Detail": str(number)} for number in range(25)])

    assert sorted(bus.taken, key=int) == [str(number) for number in range(25)]
    assert bus.most == 10


class Bus:
    """Takes all entries of a call but the second, as often as it is told to."""

    def __init__(self, fail_first: int) -> None:
        self.failures = fail_first
        self.taken: list[str] = []
        self.most = 0

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.most = max(self.most, len(Entries))
        told = []
        for number, entry in enumerate(Entries):
            if number == 1 and self.failures:
                self.failures -= 1
                told.append({"ErrorCode": "ThrottlingException"})
            else:
                self.taken.append(entry["Detail"])
                told.append({"EventId": "id"})
        return {"FailedEntryCount": len(Entries) - len(told), "Entries": told}
