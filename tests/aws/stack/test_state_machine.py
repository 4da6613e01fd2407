"""The hourly state machine by itself: its functions play what they are told, and it must loop until
all is done, go on beside what fails, and say in the end what was in the way.
"""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.aws.stack.building import RUNTIME_CLIENT
from tests.aws.stack.deployed import until

pytestmark = pytest.mark.aws

MACHINE = Path("statemachine/hourly.asl.json")
STEPS = ("Seal", "Publish", "Poll", "Summary")
PLAYER = """
import json, os, pathlib

class PublisherMisconfigured(Exception): pass
class PublisherUnavailable(Exception): pass
class StoreUnavailable(Exception): pass
class Bug(Exception): pass

def handler(event, context):
    step = os.environ["STEP"]
    folder = pathlib.Path(os.environ["FOLDER"], event["at"])
    folder.mkdir(exist_ok=True)
    name = step + str(event.get("partition", ""))
    calls = folder / name
    with calls.open("a") as log:
        log.write(json.dumps(event) + "\\n")
    played = json.loads((folder / "plan.json").read_text()).get(name, [])
    turn = len(calls.read_text().splitlines()) - 1
    act = played[min(turn, len(played) - 1)] if played else {"is_done": True}
    if "raise" in act:
        raise globals()[act["raise"]](act["raise"] + " of " + name)
    return act
"""


class Player:
    """Runs the machine on functions that follow a plan; counts who was called how often."""

    def __init__(self, aws, folder):
        self.aws, self.folder = aws, folder
        self.role = self._role("lambda")
        arns = {f"{step}FunctionArn": self._function(step) for step in STEPS}
        text = MACHINE.read_text("utf-8")
        for name, value in {**arns, "PublishConcurrency": "4"}.items():
            text = text.replace(f"${{{name}}}", value)
        made = aws.client("stepfunctions").create_state_machine(
            name="played", definition=text, roleArn=self._role("states")
        )
        self.arn = made["stateMachineArn"]

    def _role(self, service):
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self.aws.client("iam").create_role(
            RoleName=f"played-{service}", AssumeRolePolicyDocument=document
        )
        return made["Role"]["Arn"]

    def _function(self, step):
        made = self.aws.client("lambda").create_function(
            FunctionName=f"played-{step}",
            Runtime="provided.al2023",
            Handler="player.handler",
            Role=self.role,
            Timeout=60,
            Code={"ZipFile": packed()},
            Environment={"Variables": {"STEP": step, "FOLDER": str(self.folder)}},
        )
        return made["FunctionArn"]

    def play(self, name, **plan):
        """How a pass ends whose functions follow this plan: for each a list of acts, the last of
        which is repeated; without one it is done at once."""
        (self.folder / name).mkdir()
        (self.folder / name / "plan.json").write_text(json.dumps(plan), "utf-8")
        steps = self.aws.client("stepfunctions")
        arn = steps.start_execution(stateMachineArn=self.arn, input=json.dumps({"at": name}))[
            "executionArn"
        ]
        until(
            lambda: steps.describe_execution(executionArn=arn)["status"] != "RUNNING", "it is over"
        )
        return steps.describe_execution(executionArn=arn)

    def calls(self, name):
        files = (self.folder / name).iterdir()
        return Counter(
            {
                one.name: len(one.read_text("utf-8").splitlines())
                for one in files
                if one.name != "plan.json"
            }
        )

    def told(self, name, step):
        """What a step was given at last."""
        return json.loads((self.folder / name / step).read_text("utf-8").splitlines()[-1])


def packed():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        run = f'#!/bin/sh\nexec "{RUNTIME_CLIENT}" -m awslambdaric "$_HANDLER"\n'
        archive.writestr(bootstrap, run)
        archive.writestr("player.py", PLAYER)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def player(aws, tmp_path_factory):
    return Player(aws, tmp_path_factory.mktemp("played"))


EVERY_PARTITION = {f"Publish{number}": 1 for number in range(8)}
DONE, NOT_DONE = {"is_done": True, "sent": 1}, {"is_done": False, "sent": 1}


def test_every_step_and_every_partition_has_its_turn_once_and_the_summary_is_the_output(player):
    ended = player.play("plain", Summary=[{"is_done": True, "stands": "well"}])

    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"is_done": True, "stands": "well"}
    assert player.calls("plain") == {"Seal": 1, "Poll": 1, "Summary": 1, **EVERY_PARTITION}


def test_what_is_not_done_is_called_again_until_it_is(player):
    ended = player.play("again", Seal=[NOT_DONE, NOT_DONE, DONE], Publish5=[NOT_DONE, DONE])

    assert ended["status"] == "SUCCEEDED"
    expected = {"Seal": 3, "Poll": 1, "Summary": 1, **EVERY_PARTITION, "Publish5": 2}
    assert player.calls("again") == expected


def test_a_step_that_fails_in_passing_is_tried_again(player):
    away = {"raise": "StoreUnavailable"}

    ended = player.play("passing", Seal=[away, away, DONE], Publish2=[away, DONE])

    assert ended["status"] == "SUCCEEDED"


@pytest.mark.parametrize("error", ["PublisherUnavailable", "StoreUnavailable"])
def test_one_partition_that_is_not_published_holds_up_no_other_and_fails_the_pass(player, error):
    ended = player.play(f"one-{error}", Publish3=[{"raise": error}], Publish4=[DONE])

    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert f"{error} of Publish3" in ended["cause"]
    calls = player.calls(f"one-{error}")
    assert calls["Poll"] == calls["Summary"] == 1
    assert all(calls[name] == 1 for name in EVERY_PARTITION if name != "Publish3")


def test_a_key_that_stripe_does_not_take_is_not_tried_again_and_is_what_the_pass_says(player):
    wrong = {"raise": "PublisherMisconfigured"}
    plan = {name: [wrong] for name in (*EVERY_PARTITION, "Poll")}

    ended = player.play("key", **plan)

    assert (ended["status"], ended["error"]) == ("FAILED", "PublisherMisconfigured")
    assert player.calls("key") == {"Seal": 1, "Poll": 1, "Summary": 1, **EVERY_PARTITION}


@pytest.mark.parametrize(("failing", "polls"), [(2, 1), (5, 0)])
def test_partitions_that_fail_by_a_bug_fail_the_pass_and_up_to_half_of_them_nothing_else(
    player, failing, polls
):
    error = "PartitionsFailed" if polls else "States.ExceedToleratedFailureThreshold"
    bugs = {f"Publish{number}": [{"raise": "Bug"}] for number in range(failing)}

    ended = player.play(f"bugs-{failing}", **bugs)

    assert (ended["status"], ended["error"]) == ("FAILED", error)
    calls = player.calls(f"bugs-{failing}")
    assert (calls["Poll"], calls["Summary"]) == (polls, 1)
    given = player.told(f"bugs-{failing}", "Summary")["publish"]
    assert len(given) == (8 - failing if polls else 0)


def test_a_poll_that_fails_fails_the_pass_after_its_summary(player):
    ended = player.play("poll", Poll=[{"raise": "PublisherUnavailable"}])

    assert (ended["status"], ended["error"]) == ("FAILED", "PublisherUnavailable")
    assert player.calls("poll")["Summary"] == 1


def test_a_seal_that_fails_for_good_fails_the_pass_and_nothing_is_published(player):
    ended = player.play("seal", Seal=[{"raise": "StoreUnavailable"}])

    assert (ended["status"], ended["error"]) == ("FAILED", "StoreUnavailable")
    assert set(player.calls("seal")) == {"Seal"}
